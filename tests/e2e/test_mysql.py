#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""MariaDB and its drivers: which spans, from which end, and what their statements show."""
import os
import subprocess
import tempfile
import unittest

from databases import PYTHON, SOURCES, DatabaseTest, Mariadb, go_client, java_client, node_packages, python_packages
from harness import Child, free_port, request, subset, wait_for
from talk import service_folder
from tls import certificate, key_for

TABLES = ("CREATE TABLE users (id INT, name VARCHAR(20))", "INSERT INTO users VALUES (1, 'ann'), (2, 'bob')",
          "CREATE TABLE orders (user_id INT)", "CREATE TABLE blobs (b LONGTEXT)", "CREATE DATABASE other",
          "CREATE PROCEDURE report() BEGIN SELECT 1; SELECT 2; END")
MISSING = "1146"


def row(span):
    return span.name, span["db.query.text"], span["error.type"]


class MysqlTest(DatabaseTest):
    def setUp(self):
        self.server = Mariadb()
        self.addCleanup(self.server.stop)
        for statement in TABLES:
            self.server.run(statement, options=("--delimiter=//",))

    def expect(self, agent, rows, databases=("shop",), greetings=0):
        """After what a driver asks first, which differs with its version."""
        found = agent.expect_spans(greetings + len(rows), lambda s: s["db.system.name"])
        self.assertEqual([row(s) for s in found[greetings:]], rows)
        for span in found:
            self.assertEqual(span.kind, "client")
            self.assertIsNone(span["waggle.incomplete"])
            self.assertEqual(span.is_error, span["error.type"] is not None)
            self.assertIn(span["db.namespace"], databases)
            subset(span, db__system__name="mariadb", server__address="127.0.0.1", server__port=self.server.port,
                   db__response__status_code=span["error.type"])
        self.check_metrics(agent, found, "mariadb")
        return found


class Drivers(MysqlTest):
    def by_pymysql(self, run, *client, **env):
        """By the client of databases/myclient.py, or by what wraps it."""
        with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
            file.write("7\n" * 40_000)
            file.flush()
            agent = run(PYTHON, *client, os.path.join(SOURCES, "myclient.py"), str(self.server.port), file.name,
                        env={"PYTHONPATH": python_packages("pymysql", "PyMySQL==1.1.1"), "PYTHONDONTWRITEBYTECODE": "1", **env})
        found = self.expect(agent, [
            ("SET", "SET NAMES utf8mb4", None),
            *[("SELECT users", "SELECT name FROM users WHERE id = ? AND name = ?", None)] * 2,
            ("SELECT missing", "SELECT * FROM missing", MISSING),
            ("INSERT orders", "INSERT INTO orders (user_id) VALUES (?),(?),(?),(?),(?)", None),
            ("BATCH", "DELETE FROM orders WHERE user_id = ?; SELECT ?; SELECT ?", None),
            ("LOAD", "LOAD DATA LOCAL INFILE ? INTO TABLE orders", None),
            ("SELECT seq_1_to_3000", "SELECT REPEAT(?, ?) FROM seq_1_to_3000", None),
            ("INSERT blobs", "INSERT INTO blobs VALUES (?", None), ("USE", None, None), ("SELECT", "SELECT ? AS name", None)],
            databases=("shop", "other"))
        self.assertEqual(found[1]["db.response.returned_rows"], 1)
        self.assertEqual(found[5]["db.operation.batch.size"], 3)
        self.assertEqual(found[-1]["db.namespace"], "other")
        return agent, found

    def test_pymysql(self):
        _, found = self.by_pymysql(self.run_client)
        self.assertEqual({s["tls.protocol.version"] for s in found}, {None})

    def test_pymysql_over_tls(self):
        """The same spans, after MySQL's own request for encryption."""
        self.server.restart(f"--ssl-cert={certificate()}", f"--ssl-key={key_for('mysql', self.server.folder)}")
        agent, found = self.by_pymysql(self.run_over_tls, service_folder("tls/mysql_client.py"), CERTIFICATE=certificate())
        self.assertEqual({(s["tls.protocol.name"], s["tls.protocol.version"]) for s in found}, {("tls", "1.3")})
        self.check_all_read(agent)
        agent.stop()
        agent.expect_no_more()

    def test_mysql2(self):
        agent = self.run_client("node", os.path.join(SOURCES, "myclient.js"), str(self.server.port),
                                env={"NODE_PATH": node_packages("mysql2", "mysql2@3.11.5")})
        self.expect(agent, [
            *[("SELECT users", "SELECT name FROM users WHERE id = ?", None)] * 2,
            *[("SELECT users", "SELECT id FROM users WHERE name = ?", None)] * 2,
            ("SELECT missing", "SELECT * FROM missing", MISSING),
            ("SELECT nowhere", "SELECT * FROM nowhere WHERE id = ?", MISSING),
            *[("INSERT orders", "INSERT INTO orders (user_id) VALUES (?)", None)] * 3])

    def test_go(self):
        agent = self.run_client(go_client("gomysql"), str(self.server.port))
        self.expect(agent, [
            *[("SELECT users", "SELECT name FROM users WHERE id = ?", None)] * 2,
            *[("SELECT users", "SELECT id FROM users WHERE name = ?", None)] * 3,
            ("START", "START TRANSACTION", None), ("INSERT orders", "INSERT INTO orders (user_id) VALUES (?)", None),
            ("COMMIT", "COMMIT", None), ("SELECT missing", "SELECT * FROM missing", MISSING)])

    def check_jdbc(self, kind, options, greetings, begin, inserts, fetches, end):
        agent = self.run_client(*java_client(), "jdbc", f"jdbc:{kind}://127.0.0.1:{self.server.port}/shop?user=shop&password=pw&{options}")
        self.expect(agent, [*[("SELECT users", "SELECT name FROM users WHERE id = ?", None)] * 4, ("SELECT", "SELECT ? AS name", None),
                            ("SELECT missing", "SELECT * FROM missing", MISSING), ("SET", begin, None),
                            *[("INSERT orders", "INSERT INTO orders (user_id) VALUES (?)", None)] * inserts,
                            ("SELECT orders", "SELECT user_id FROM orders", None), *[("FETCH", None, None)] * fetches, *end],
                    greetings=greetings)

    def test_mysql_jdbc(self):
        self.check_jdbc("mysql", "sslMode=DISABLED&useServerPrepStmts=true&useCursorFetch=true", 3, "SET autocommit=?", 3, 2,
                        [("COMMIT", "COMMIT", None), ("ROLLBACK", "ROLLBACK", None)])

    def test_mariadb_jdbc(self):
        """Which executes all of a batch by one command."""
        self.check_jdbc("mariadb", "useServerPrepStmts=true", 1, "set autocommit=?", 1, 0, [("COMMIT", "COMMIT", None)])


class Server(MysqlTest):
    """The database's own process: server spans, never a client's."""

    def test_client(self):
        agent = self.watch(self.server.child)
        self.server.run("SELECT name FROM users WHERE name = 'secret'; CALL report(); INSERT INTO orders VALUES (1)")
        self.server.run("SELECT * FROM missing", check=False)
        wanted = [("SELECT users", "SELECT name FROM users WHERE name = ?", None), ("CALL report", "CALL report()", None),
                  ("INSERT orders", "INSERT INTO orders VALUES (?)", None), ("SELECT missing", "SELECT * FROM missing", MISSING)]
        found = agent.expect_spans(4, lambda s: s["db.system.name"])
        self.assertEqual([row(s) for s in found], wanted)
        self.assertEqual({(s.kind, s["db.system.name"], s["db.namespace"]) for s in found}, {("server", "mariadb", "shop")})
        self.assertEqual(agent.metric_sum("db_client_operation_duration_seconds_count"), 0)

    def test_replica(self):
        """Neither end tells what they say to each other."""
        servers = [Mariadb("--log-bin=log", f"--server-id={i}") for i in (1, 2)]
        for server in servers:
            self.addCleanup(server.stop)
        first, second = servers
        first.run("CREATE TABLE copied (n INT)")
        second.run("CREATE TABLE copied (n INT)")
        agent = self.watch(first.child, second.child)
        second.run(f"CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={first.port}, MASTER_USER='shop', MASTER_PASSWORD='pw', "
                   "MASTER_LOG_FILE='log.000001', MASTER_LOG_POS=4", is_local=True, user="root")
        first.run("RESET MASTER", is_local=True, user="root")
        second.run("START SLAVE", is_local=True, user="root")
        first.run("INSERT INTO copied VALUES (1)")
        wait_for(lambda: "1" in second.run("SELECT n FROM copied"), "the row")
        agent.expect_spans(1, lambda s: s.name == "INSERT copied")
        self.assertEqual(agent.metric_sum("db_client_operation_duration_seconds_count"), 0)
        agent.stop()  # which sends what is left: the last SELECT, and what was held if it had been taken for calls
        self.assertEqual({s.kind for s in agent.spans()}, {"server"})
        self.assertLessEqual({s["db.operation.name"] for s in agent.spans()}, {"CHANGE", "RESET", "START", "INSERT", "SELECT"})
        self.assertEqual({s.name for s in agent.spans() if s["db.operation.name"] == "SELECT"}, {"SELECT copied"})

    def test_unix_socket(self):
        agent = self.watch(self.server.child)
        self.server.run("SELECT name FROM users", is_local=True)
        span, = agent.expect_spans(1, lambda s: s["db.system.name"])
        subset(span, network__transport="unix", db__query__text="SELECT name FROM users")

    def test_large_results(self):
        agent = self.watch(self.server.child)
        self.server.run("SELECT REPEAT('x', 1000) FROM seq_1_to_3000; SELECT 1")
        found = agent.expect_spans(2, lambda s: s["db.system.name"])
        self.assertEqual([(s.name, s["waggle.incomplete"]) for s in found], [("SELECT seq_1_to_3000", None), ("SELECT", None)])

    def test_compression_is_counted(self):
        agent = self.watch(self.server.child)
        self.server.run("SELECT 1", options=("--compress",))
        self.server.run("SELECT 2")
        span, = agent.expect_spans(1, lambda s: s["db.system.name"])
        self.assertEqual(span.name, "SELECT")
        wait_for(lambda: agent.metric_sum("waggle_turns_lost_total", cause="compressed", protocol="mysql") == 1, "the count")

    def test_both_ends_are_one_trace(self):
        client = Child(["node", os.path.join(SOURCES, "myclient.js"), str(self.server.port)], stdin=subprocess.PIPE,
                       env={"NODE_PATH": node_packages("mysql2", "mysql2@3.11.5")})
        self.addCleanup(client.stop)
        agent = self.watch(self.server.child, client)
        client.process.stdin.write(b"go\n")
        client.process.stdin.flush()
        found = agent.expect_spans(18, lambda s: s["db.system.name"])
        callers = {s.span_id: s for s in found if s.kind == "client"}
        servers = [s for s in found if s.kind == "server"]
        self.assertEqual(len(servers), 9)
        for span in servers:
            self.assertEqual(row(callers[span.parent]), row(span))
            self.assertEqual(callers[span.parent].trace_id, span.trace_id)


class Service(MysqlTest):
    def test_a_call_is_the_child_of_what_was_served(self):
        port = free_port()
        child = Child([PYTHON, os.path.join(SOURCES, "shop.py"), str(port), f"mysql:{self.server.port}", "0"],
                      env={"PYTHONPATH": python_packages("pymysql", "PyMySQL==1.1.1")}).wait_port(port)
        self.addCleanup(child.stop)
        agent = self.watch(child)
        for _ in range(3):
            request(port, path="/sql")
        found = [s for s in agent.expect_spans(7) if s.name != "SET"]
        served = [s for s in found if s.kind == "server"]
        calls = [s for s in found if s.kind == "client"]
        self.assertEqual([s.name for s in calls], ["SELECT users"] * 3)
        for caller, call in zip(served, calls, strict=True):
            self.assertEqual((call.parent, call.trace_id), (caller.span_id, caller.trace_id))


if __name__ == "__main__":
    unittest.main(verbosity=2)
