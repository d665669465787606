#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL and its drivers: which spans, from which end, and what their statements show."""
import os
import subprocess
import unittest

from databases import PYTHON, SOURCES, DatabaseTest, Postgres, go_client, java_client, node_packages, python_packages, say_go
from harness import Child, free_port, request, subset, wait_for

TABLES = ("CREATE TABLE users (id int, name text)", "INSERT INTO users VALUES (1, 'ann'), (2, 'bob')",
          "CREATE TABLE orders (user_id int)")
MISSING = "42P01"


def row(span):
    return span.name, span["db.query.text"], span["error.type"]


def dsn(server):
    return f"postgresql://shop@127.0.0.1:{server.port}/shop?sslmode=disable"


class PostgresTest(DatabaseTest):
    maxDiff = None

    def setUp(self):
        self.server = Postgres()
        self.addCleanup(self.server.stop)
        self.server.psql(*TABLES)

    def expect(self, agent, rows, kind="client"):
        found = agent.expect_spans(len(rows), lambda s: s["db.system.name"])
        self.assertEqual([row(s) for s in found], rows)
        for span in found:
            self.assertEqual(span.kind, kind)
            self.assertIsNone(span["waggle.incomplete"])
            self.assertEqual(span.is_error, span["error.type"] is not None)
            subset(span, db__system__name="postgresql", db__namespace="shop", server__address="127.0.0.1",
                   server__port=self.server.port, db__response__status_code=span["error.type"])
        self.check_metrics(agent, found, "postgresql")
        return found


class Drivers(PostgresTest):
    def python(self, driver, *packages):
        return self.run_client(PYTHON, os.path.join(SOURCES, "pgclient.py"), driver, dsn(self.server),
                               env={"PYTHONPATH": python_packages(driver, *packages), "PYTHONDONTWRITEBYTECODE": "1"})

    def test_psycopg(self):
        agent = self.python("psycopg", "psycopg[binary]==3.2.3")
        update = ("UPDATE users", "UPDATE users SET name = ? WHERE id = $1", None)
        insert = ("INSERT orders", "INSERT INTO orders (user_id) VALUES ($1)", None)
        found = self.expect(agent, [
            *[("SELECT users", "SELECT name FROM users WHERE id = $1", None)] * 2, update, update, update,
            ("SELECT", "SELECT ? AS name", None),
            ("SELECT missing", "SELECT * FROM missing WHERE id = $1", MISSING), insert, insert, insert,
            ("COPY orders", "COPY orders (user_id) FROM STDIN", None),
            ("SELECT orders", "SELECT user_id FROM orders ORDER BY user_id", None)])
        self.assertEqual(found[0]["db.response.returned_rows"], 1)
        self.assertEqual(found[0]["db.collection.name"], "users")
        self.assertEqual(found[0]["db.query.summary"], "SELECT users")

    def test_prepared_before_the_agent_came(self):
        """Such a text nobody knows, and the span says so; those prepared since are known."""
        child = self.start_client(PYTHON, os.path.join(SOURCES, "pgclient.py"), "psycopg_prepared", dsn(self.server), env={
            "PYTHONPATH": python_packages("psycopg", "psycopg[binary]==3.2.3"), "PYTHONDONTWRITEBYTECODE": "1"})
        wait_for(lambda: "ready" in child.output() or child.process.poll(), "the client to have prepared")
        agent = self.watch(child, self.server.child)
        say_go(child)
        self.wait_client(child)
        for kind in ("client", "server"):
            found = agent.expect_spans(3, lambda s: s.kind == kind)  # noqa: B023
            self.assertEqual([(*row(s), s["waggle.unknown"]) for s in found], [
                ("UPDATE", None, None, "db.query.text"), ("DELETE orders", "DELETE FROM orders WHERE user_id = $1", None, None),
                ("DEALLOCATE", "DEALLOCATE ALL", None, None)])
        self.check_losses(agent)

    def test_psycopg2(self):
        agent = self.python("psycopg2", "psycopg2-binary==2.9.10")
        self.expect(agent, [
            ("BEGIN", "BEGIN", None), ("SELECT users", "SELECT name FROM users WHERE id = ? AND name = ?", None),
            ("INSERT orders", "INSERT INTO orders (user_id) VALUES (?)", None), ("COMMIT", "COMMIT", None),
            ("BEGIN", "BEGIN", None), ("SELECT missing", "SELECT * FROM missing", MISSING), ("ROLLBACK", "ROLLBACK", None)])

    def test_asyncpg(self):
        agent = self.python("asyncpg", "asyncpg==0.30.0")
        insert = ("INSERT orders", "INSERT INTO orders (user_id) VALUES ($1)", None)
        self.expect(agent, [*[("SELECT users", "SELECT name FROM users WHERE id = $1", None)] * 2,
                            ("SELECT missing", "SELECT * FROM missing", MISSING), insert, insert, insert])

    def test_node(self):
        agent = self.run_client("node", os.path.join(SOURCES, "pgclient.js"), dsn(self.server),
                                env={"NODE_PATH": node_packages("pg", "pg@8.13.1")})
        insert = ("INSERT orders", "INSERT INTO orders (user_id) VALUES ($1)", None)
        self.expect(agent, [*[("SELECT users", "SELECT name FROM users WHERE id = $1", None)] * 2,
                            *[("SELECT users", "SELECT id FROM users WHERE name = $1", None)] * 2,
                            ("SELECT", "SELECT ? AS name", None), ("SELECT missing", "SELECT * FROM missing", MISSING),
                            insert, insert, insert])

    def test_pgx(self):
        agent = self.run_client(go_client("pgx"), dsn(self.server))
        insert = ("INSERT orders", "INSERT INTO orders (user_id) VALUES ($1)", None)
        self.expect(agent, [*[("SELECT users", "SELECT name FROM users WHERE id = $1", None)] * 2, insert, insert, insert,
                            ("SELECT missing", "SELECT * FROM missing", MISSING),
                            ("COPY orders", 'copy "orders" ( "user_id" ) from stdin binary', None)])

    def test_jdbc(self):
        agent = self.run_client(*java_client(), "jdbc", f"jdbc:postgresql://127.0.0.1:{self.server.port}/shop?user=shop&prepareThreshold=2")
        insert = ("INSERT orders", "INSERT INTO orders (user_id) VALUES ($1)", None)
        found = self.expect(agent, [
            *[("SELECT users", "SELECT name FROM users WHERE id = $1", None)] * 4, ("SELECT", "SELECT ? AS name", None),
            ("SELECT missing", "SELECT * FROM missing", MISSING), ("BEGIN", "BEGIN", None), insert, insert, insert,
            *[("SELECT orders", "SELECT user_id FROM orders", None)] * 2, ("COMMIT", "COMMIT", None)])
        # A portal's rows in portions: how many there are the last one tells.
        self.assertEqual([s["db.response.returned_rows"] for s in found[-3:-1]], [None, 1])


class Server(PostgresTest):
    """The database's own processes: server spans, never a client's; forked for each connection."""

    def test_psql(self):
        agent = self.watch(self.server.child)
        self.server.psql("SELECT 1", "SELECT name FROM users WHERE name = 'secret'", "INSERT INTO orders VALUES (1); SELECT 2")
        self.server.psql("SELECT * FROM missing", check=False)
        found = agent.expect_spans(4, lambda s: s["db.system.name"])
        self.assertEqual([row(s) for s in found], [
            ("SELECT", "SELECT ?", None), ("SELECT users", "SELECT name FROM users WHERE name = ?", None),
            ("BATCH", "INSERT INTO orders VALUES (?); SELECT ?", None), ("SELECT missing", "SELECT * FROM missing", MISSING)])
        self.assertEqual({s.kind for s in found}, {"server"})
        self.assertEqual(found[2]["db.operation.batch.size"], 2)
        self.assertEqual(agent.metric_sum("db_client_operation_duration_seconds_count"), 0)

    def test_replication(self):
        """Who copies the whole database and its log is nobody's client."""
        server = Postgres("max_wal_senders=4", "wal_level=replica")
        self.addCleanup(server.stop)
        agent = self.watch(server.child)
        subprocess.run([server.programs + "/pg_basebackup", "-h", "127.0.0.1", "-p", str(server.port), "-U", "shop", "-X", "stream",
                        "-D", os.path.join(server.folder, "copy")], check=True, capture_output=True)
        server.psql("SELECT 1")
        span, = agent.expect_spans(1)
        self.assertEqual((span.kind, span.name), ("server", "SELECT"))
        self.check_losses(agent)

    def test_unix_socket(self):
        agent = self.watch(self.server.child)
        self.server.psql("SELECT name FROM users", host=self.server.folder)
        span, = agent.expect_spans(1, lambda s: s["db.system.name"])
        subset(span, network__transport="unix", db__query__text="SELECT name FROM users")

    def test_pgbench(self):
        bench = [self.server.programs + "/pgbench", "-h", "127.0.0.1", "-p", str(self.server.port), "-U", "shop", "shop"]
        subprocess.run([*bench, "-i", "-q"], check=True, capture_output=True)
        agent = self.watch(self.server.child)
        for mode in ("simple", "extended", "prepared"):
            subprocess.run([*bench, "-n", "-S", "-M", mode, "-c", "4", "-t", "50"], check=True, capture_output=True)
        found = agent.expect_spans(600, lambda s: s["db.collection.name"] == "pgbench_accounts")
        self.assertEqual({s["db.query.text"] for s in found},
                         {"SELECT abalance FROM pgbench_accounts WHERE aid = ?",
                          "SELECT abalance FROM pgbench_accounts WHERE aid = $1"})
        self.assertEqual({(s["error.type"], s["waggle.incomplete"]) for s in found}, {(None, None)})

    def test_large_result(self):
        agent = self.watch(self.server.child)
        self.server.psql("SELECT repeat('x', 1000) FROM generate_series(1, 3000)", "SELECT 1/(2000-n) FROM generate_series(1, 3000) n",
                         check=False)
        found = agent.expect_spans(2, lambda s: s["db.system.name"])
        self.assertEqual([(s.name, s["waggle.incomplete"]) for s in found], [("SELECT", None), ("SELECT", None)])
        self.assertIsNone(found[0]["error.type"])
        self.assertTrue(found[1]["error.type"])

    def test_both_ends_are_one_trace(self):
        client = Child([PYTHON, os.path.join(SOURCES, "pgclient.py"), "psycopg2", dsn(self.server)], stdin=subprocess.PIPE,
                       env={"PYTHONPATH": python_packages("psycopg2", "psycopg2-binary==2.9.10")})
        self.addCleanup(client.stop)
        agent = self.watch(self.server.child, client)
        client.process.stdin.write(b"go\n")
        client.process.stdin.flush()
        found = agent.expect_spans(14, lambda s: s["db.system.name"])
        callers = {s.span_id: s for s in found if s.kind == "client"}
        servers = [s for s in found if s.kind == "server"]
        self.assertEqual(len(servers), 7)
        for span in servers:
            self.assertEqual(row(callers[span.parent]), row(span))
            self.assertEqual(callers[span.parent].trace_id, span.trace_id)


class Service(PostgresTest):
    def test_a_call_is_the_child_of_what_was_served(self):
        port = free_port()
        child = Child([PYTHON, os.path.join(SOURCES, "shop.py"), str(port), dsn(self.server), "0"],
                      env={"PYTHONPATH": python_packages("psycopg2", "psycopg2-binary==2.9.10")}).wait_port(port)
        self.addCleanup(child.stop)
        agent = self.watch(child)
        for _ in range(3):
            request(port, path="/sql")
        found = agent.expect_spans(6)
        served = [s for s in found if s.kind == "server"]
        calls = [s for s in found if s.kind == "client"]
        self.assertEqual([s.name for s in calls], ["SELECT users"] * 3)
        for caller, call in zip(served, calls, strict=True):
            self.assertEqual((call.parent, call.trace_id), (caller.span_id, caller.trace_id))

    def test_texts_as_they_are_when_asked_for(self):
        port = free_port()
        child = Child([PYTHON, os.path.join(SOURCES, "shop.py"), str(port), dsn(self.server), "0"],
                      env={"PYTHONPATH": python_packages("psycopg2", "psycopg2-binary==2.9.10")}).wait_port(port)
        self.addCleanup(child.stop)
        agent = self.watch(child, config="sanitize_queries: false\n")
        request(port, path="/sql")
        span, = agent.expect_spans(1, lambda s: s["db.system.name"])
        self.assertEqual(span["db.query.text"], "SELECT name FROM users WHERE id = 1")


if __name__ == "__main__":
    unittest.main(verbosity=2)
