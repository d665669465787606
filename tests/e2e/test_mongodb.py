#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""MongoDB's drivers with FerretDB, a server that speaks its protocol: which spans, from which end; no value is ever told."""
import os
import subprocess
import unittest

import databases
from databases import PYTHON, SOURCES, DatabaseTest, go_client, node_packages, python_packages
from harness import Child, subset, wait_for
from tls import certificate, key

CALLS = [("insert orders", None), ("insert orders", "11000"), ("insert orders", None), ("find orders", None), ("getMore orders", None),
         ("getMore orders", None), ("update orders", None), ("aggregate orders", None), ("delete orders", None), ("noSuchThing", "59"),
         ("find orders", "2"), ("ping", None), ("insert orders", None)]


class MongodbTest(DatabaseTest):
    def setUp(self):
        self.start()

    def start(self, *certificate_and_key):
        self.server = databases.Ferretdb(*certificate_and_key)
        self.addCleanup(self.server.stop)

    def expect(self, agent, count, kind="client"):
        found = agent.expect_spans(count, lambda s: s["db.system.name"] and s.kind == kind)
        for span in found:
            collection = span["db.collection.name"]
            self.assertEqual(span.name, span["db.operation.name"] + (" " + collection if collection else ""))
            subset(span, db__system__name="mongodb", server__address="127.0.0.1", server__port=self.server.port,
                   db__response__status_code=span["error.type"], db__query__text=None)
            self.assertIsNone(span["waggle.incomplete"], span)
            self.assertEqual(span.is_error, span["error.type"] is not None)
            self.assertNotIn("basket", str(span.attributes))
            self.assertNotIn("secret", str(span.attributes))
        return found

    def rows(self, found):
        return [(s.name, s["error.type"]) for s in found]

    def by_pymongo(self):
        return (PYTHON, os.path.join(SOURCES, "mongoclient.py"), str(self.server.port)), {
            "PYTHONPATH": python_packages("pymongo", "pymongo==4.15.4")}

    def test_pymongo(self):
        argv, env = self.by_pymongo()
        agent = self.run_client(*argv, env=env)
        found = self.expect(agent, len(CALLS))
        self.assertEqual(self.rows(found), CALLS)
        self.assertEqual([s["db.namespace"] for s in found], ["shop"] * 11 + ["admin", "shop"])
        self.assertEqual({s["waggle.unknown"] for s in found}, {None})
        self.check_metrics(agent, found, "mongodb")

    def test_server(self):
        argv, env = self.by_pymongo()
        agent = self.watch(self.server.child)
        client = Child(list(argv), stdin=subprocess.PIPE, env=env)
        self.addCleanup(client.stop)
        client.process.stdin.write(b"go\n")
        client.process.stdin.flush()
        wait_for(lambda: "done" in client.output() or client.process.poll(), "the client")
        self.assertIsNone(client.process.poll(), client.output())
        found = self.expect(agent, len(CALLS), "server")
        self.assertEqual(self.rows(found), CALLS)
        self.assertEqual(agent.metric_sum("db_client_operation_duration_seconds_count"), 0)

    def test_tls(self):
        """Python's library with Go's, at both ends."""
        self.start(certificate(), key())
        argv, env = self.by_pymongo()
        agent = self.run_over_tls(*argv, certificate(), env=env, others=[self.server.child])
        mine, theirs = self.expect(agent, len(CALLS)), self.expect(agent, len(CALLS), "server")
        for found in (mine, theirs):
            self.assertEqual(self.rows(found), CALLS)
            self.assertEqual({s["tls.protocol.version"] for s in found}, {"1.3"})
        self.assertEqual([(s.trace_id, s.parent) for s in theirs], [(s.trace_id, s.span_id) for s in mine])
        self.check_all_read(agent)

    def test_node(self):
        """Twenty inserts at a time over several connections; the big ones name the database behind their documents."""
        agent = self.run_client("node", os.path.join(SOURCES, "mongoclient.js"), str(self.server.port),
                                env={"NODE_PATH": node_packages("mongodb", "mongodb@6.20.0")})
        found = self.expect(agent, 26)
        rows = self.rows(found)
        self.assertEqual(rows[:2], [("insert orders", None), ("insert orders", "11000")])
        self.assertEqual(rows[2:22], [("insert orders", None)] * 20)
        self.assertEqual(rows[22:], [("find orders", None), ("getMore orders", None), ("findAndModify orders", None),
                                     ("drop orders", None)])
        for span in found:
            self.assertEqual((span["db.namespace"], span["waggle.unknown"]),
                             ("shop", None) if span["db.namespace"] else (None, "db.namespace"))
        self.assertEqual({s["db.namespace"] for s in found[:2] + found[22:]}, {"shop"})
        self.check_metrics(agent, found, "mongodb")

    def test_go(self):
        agent = self.run_client(go_client("gomongo"), f"127.0.0.1:{self.server.port}")
        found = self.expect(agent, 6)
        self.assertEqual(self.rows(found), [("insert orders", None), ("insert orders", "11000"), ("insert orders", None),
                                            ("find orders", None), ("getMore orders", None), ("noSuchThing", "59")])
        self.assertEqual({s["db.namespace"] for s in found}, {"shop"})
        self.check_metrics(agent, found, "mongodb")


if __name__ == "__main__":
    unittest.main(verbosity=2)
