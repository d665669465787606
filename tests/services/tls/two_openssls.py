# SPDX-License-Identifier: Apache-2.0
"""A client by Python's own library and by psycopg2, which brings another copy of OpenSSL, in turns: the first line of its input is
the port of PostgreSQL, that of an HTTPS server and a certificate, each other one a path."""
import http.client
import ssl
import sys

import psycopg2

database, port, certificate = sys.stdin.readline().split()
web = http.client.HTTPSConnection("127.0.0.1", int(port), context=ssl.create_default_context(cafile=certificate))
connection = psycopg2.connect(host="127.0.0.1", port=database, user="shop", dbname="shop", sslmode="require")
connection.autocommit = True
for number, path in enumerate(sys.stdin):
    web.request("GET", path.strip())
    assert web.getresponse().read() == b"hello"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {number} AS {'abcde'[number]}")
        assert cursor.fetchall() == [(number,)]
