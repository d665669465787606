# SPDX-License-Identifier: Apache-2.0
"""A client of PostgreSQL by psycopg2: the first line of its input is a port, each other one a statement."""
import sys

import psycopg2

connection = psycopg2.connect(host="127.0.0.1", port=sys.stdin.readline().strip(), user="shop", dbname="shop", sslmode="require")
connection.autocommit = True
for statement in sys.stdin:
    try:
        connection.cursor().execute(statement)
    except psycopg2.Error as error:
        print(error.pgcode, flush=True)
