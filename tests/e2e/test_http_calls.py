#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What HTTP/1.1 and HTTP/2 carry: GraphQL with graphql-yoga, JSON-RPC with jayson (over TCP as well), and the official clients of
Elasticsearch and OpenSearch against a stand-in of their servers. No variable, parameter or document is ever told."""
import json
import os
import subprocess
import unittest

from artefacts import from_index
from databases import PYTHON, DatabaseTest, node_packages, python_packages
from harness import ROOT, Child, free_port, subset

ELASTICSEARCH = ("elasticsearch", "elasticsearch==8.15.1")
SOURCES = os.path.join(ROOT, "tests/services/http")


class HttpCallsTest(DatabaseTest):
    def start(self, *argv, env=None):
        """A server on a port of its own, which stands for {port} of its arguments, or is the last of them."""
        self.port = free_port()
        is_named = any("{port}" in word for word in argv)
        argv = [word.replace("{port}", str(self.port)) for word in argv] + ([] if is_named else [str(self.port)])
        child = Child(argv, env=env).wait_port(self.port)
        self.addCleanup(child.stop)
        return child

    def check(self, agent, found):
        for span in found:
            subset(span, server__address="127.0.0.1", server__port=self.port, waggle__incomplete=None)
            self.assertEqual(span.is_error, span["error.type"] is not None)
            self.assertNotIn("secret", str(span.attributes))
        self.check_losses(agent)

    def graphql(self, version, how):
        server = self.start("node", os.path.join(SOURCES, "graphql.js"), version,
                            env={"NODE_PATH": node_packages("graphql-yoga", "graphql-yoga@5.10.4", "graphql@16.9.0")})
        agent = self.watch(server)

        def curl(path, *options):
            done = subprocess.run(["curl", "-sS", how, "-w", " %{http_code}", *options, f"http://127.0.0.1:{self.port}{path}"],
                                  capture_output=True, text=True, timeout=30)
            self.assertTrue(done.stdout.endswith(" 200"), done)

        def ask(document, **others):
            curl("/graphql", "-H", "Content-Type: application/json", "-d", json.dumps({"query": document, **others}))
        ask("query Cart($id: ID) { cart(id: $id) }", variables={"id": "secret"})
        ask('mutation Buy { buy(card: "secret") }', operationName="Buy")
        ask("{ broken }")
        curl("/graphql?query=%7Bcart%7D", "-H", "Accept: application/json")
        found = agent.expect_spans(4, lambda s: s["url.path"] == "/graphql")
        self.check(agent, found)
        self.assertEqual([(s["graphql.operation.type"], s["graphql.operation.name"], s["error.type"]) for s in found],
                         [("query", "Cart", None), ("mutation", "Buy", None), ("query", None, "graphql_error"), ("query", None, None)])
        self.assertEqual([s.name for s in found], ["POST /graphql"] * 3 + ["GET /graphql"])
        self.assertEqual({(s.kind, s["network.protocol.version"]) for s in found}, {("server", version)})

    def test_graphql(self):
        self.graphql("1.1", "--http1.1")

    def test_graphql_over_http2(self):
        self.graphql("2", "--http2-prior-knowledge")

    def rpc(self, way):
        env = {"NODE_PATH": node_packages("jayson", "jayson@4.1.3")}
        self.start("node", os.path.join(SOURCES, "rpc.js"), "server", way, env=env)
        agent = self.run_client("node", os.path.join(SOURCES, "rpc.js"), "client", way, str(self.port), env=env)
        found = agent.expect_spans(7, lambda s: s["rpc.system.name"] == "jsonrpc")
        self.check(agent, found)
        self.assertEqual({s.kind for s in found}, {"client"})
        self.assertEqual(sorted((s["rpc.method"], s["rpc.response.status_code"]) for s in found if s["error.type"]),
                         [("fail", "501"), ("nowhere", "-32601")])
        self.assertEqual(sorted(s["rpc.method"] for s in found), ["fail", "nowhere", "slow", "slow", "sum", "sum", "sum"])
        return agent, found

    def rpc_over_http(self, way, version):
        _, found = self.rpc(way)
        for span in found:
            subset(span, http__request__method="POST", jsonrpc__protocol__version="2.0", network__protocol__version=version)

    def test_jsonrpc_over_http(self):
        self.rpc_over_http("http", "1.1")

    def test_jsonrpc_over_http2(self):
        self.rpc_over_http("http2", "2")

    def test_jsonrpc_over_tcp(self):
        agent, found = self.rpc("tcp")
        self.assertEqual({s.name for s in found}, {"sum", "slow", "fail", "nowhere"})
        self.assertEqual(agent.metric_sum("rpc_client_call_duration_seconds_count", rpc_system_name="jsonrpc"), 7)

    def search(self, what, version, *folders):
        self.start(PYTHON, "-m", "hypercorn", "search_server:app", "--bind", "127.0.0.1:{port}",
                   env={"PYTHONPATH": os.pathsep.join((from_index("hypercorn==0.18.0"), SOURCES))})
        agent = self.run_client(PYTHON, os.path.join(SOURCES, "search.py"), what, str(self.port),
                                env={"PYTHONPATH": os.pathsep.join(folders)})
        found = agent.expect_spans(8, lambda s: s["db.system.name"])
        self.check(agent, found)
        self.assertEqual([(s.name, s["db.operation.name"], s["db.collection.name"], s["error.type"]) for s in found], [
            ("indices.create orders", "indices.create", "orders", None), ("index orders", "index", "orders", None),
            ("get orders", "get", "orders", None), ("search orders", "search", "orders", None), ("bulk", "bulk", None, None),
            ("count", "count", None, None), ("cluster.health", "cluster.health", None, None), ("get nothing", "get", "nothing", "404")])
        self.assertEqual({(s.kind, s["network.protocol.version"]) for s in found}, {("client", version)})
        self.check_metrics(agent, found, found[0]["db.system.name"])

    def test_elasticsearch(self):
        self.search("elasticsearch", "1.1", python_packages(*ELASTICSEARCH))

    def test_elasticsearch_over_http2(self):
        self.search("elasticsearch-http2", "2", python_packages(*ELASTICSEARCH), from_index("httpx[http2]==0.28.1"))

    def test_opensearch(self):
        self.search("opensearch", "1.1", python_packages("opensearch", "opensearch-py==2.7.1"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
