# SPDX-License-Identifier: Apache-2.0
"""Calls MariaDB by PyMySQL when a line comes in; then waits for the end of its input."""
import sys

import pymysql
from pymysql.constants import CLIENT

port, infile = int(sys.argv[1]), sys.argv[2]


def fails(call):
    try:
        call()
    except pymysql.MySQLError:
        return
    raise AssertionError("no error")


sys.stdin.readline()
db = pymysql.connect(host="127.0.0.1", port=port, user="shop", password="pw", database="shop", autocommit=True, local_infile=True,
                     client_flag=CLIENT.MULTI_STATEMENTS)
cursor = db.cursor()
for _ in range(2):
    cursor.execute("SELECT name FROM users WHERE id = %s AND name = %s", (1, "ann"))
    assert cursor.fetchall() == (("ann",),)
fails(lambda: cursor.execute("SELECT * FROM missing"))
cursor.executemany("INSERT INTO orders (user_id) VALUES (%s)", [(i,) for i in range(5)])
cursor.execute("DELETE FROM orders WHERE user_id = 1; SELECT 1; SELECT 2")
while cursor.nextset():
    pass
cursor.execute(f"LOAD DATA LOCAL INFILE '{infile}' INTO TABLE orders")
cursor.execute("SELECT REPEAT('x', 1000) FROM seq_1_to_3000")
assert len(cursor.fetchall()) == 3000
cursor.execute("INSERT INTO blobs VALUES (%s)", ("y" * 17_000_000,))
db.ping()
db.select_db("other")
cursor.execute("SELECT 'secret' AS name")
print("done", flush=True)
sys.stdin.read()
