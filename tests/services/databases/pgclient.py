# SPDX-License-Identifier: Apache-2.0
"""Calls PostgreSQL by the driver that is named, when a line comes in; then waits for the end of its input."""
import importlib
import sys

driver, dsn = sys.argv[1:3]
importlib.import_module(driver.partition("_")[0])  # with the libraries that it needs, so that nothing comes late


def fails(call):
    try:
        call()
    except Exception as error:
        return error
    raise AssertionError("no error")


def by_psycopg():
    import psycopg
    db = psycopg.connect(dsn, autocommit=True)
    for _ in range(2):
        db.execute("SELECT name FROM users WHERE id = %s", (1,)).fetchone()
    for _ in range(3):
        db.execute("UPDATE users SET name = 'x' WHERE id = %s", (1,), prepare=True)
    db.execute("SELECT 'secret' AS name").fetchone()
    fails(lambda: db.execute("SELECT * FROM missing WHERE id = %s", (1,)))
    with db.pipeline():
        for i in range(3):
            db.execute("INSERT INTO orders (user_id) VALUES (%s)", (i,))
    with db.cursor().copy("COPY orders (user_id) FROM STDIN") as copy:
        for i in range(2000):
            copy.write_row((i,))
    db.execute("SELECT user_id FROM orders ORDER BY user_id").fetchall()
    return db


def by_psycopg_prepared():
    """Prepares before anybody looks."""
    import psycopg
    db = psycopg.connect(dsn, autocommit=True)
    update = "UPDATE users SET name = 'x' WHERE id = %s"
    db.execute(update, (1,), prepare=True)
    print("ready", flush=True)
    sys.stdin.readline()
    db.execute(update, (1,), prepare=True)
    db.execute("DELETE FROM orders WHERE user_id = %s", (1,), prepare=True)
    db.execute("DEALLOCATE ALL")
    return db


def by_psycopg2():
    import psycopg2
    db = psycopg2.connect(dsn)
    cursor = db.cursor()
    cursor.execute("SELECT name FROM users WHERE id = %s AND name = %s", (1, "secret"))
    cursor.execute("INSERT INTO orders (user_id) VALUES (%s)", (5,))
    db.commit()
    fails(lambda: cursor.execute("SELECT * FROM missing"))
    db.rollback()
    return db


def by_asyncpg():
    import asyncio

    import asyncpg

    async def calls():
        db = await asyncpg.connect(dsn)
        for _ in range(2):
            await db.fetchval("SELECT name FROM users WHERE id = $1", 1)
        try:
            await db.fetchval("SELECT * FROM missing")
        except asyncpg.UndefinedTableError:
            pass
        await db.executemany("INSERT INTO orders (user_id) VALUES ($1)", [(1,), (2,), (3,)])
        return db
    return asyncio.run(calls())


if driver != "psycopg_prepared":
    sys.stdin.readline()
kept = {"psycopg": by_psycopg, "psycopg_prepared": by_psycopg_prepared, "psycopg2": by_psycopg2, "asyncpg": by_asyncpg}[driver]()
print("done", flush=True)
sys.stdin.read()
