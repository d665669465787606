#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What HTTP/1.1 and HTTP/2 carry: GraphQL with graphql-yoga, JSON-RPC with jayson (over TCP as well), OpenSearch with its official client,
and Elasticsearch's against a stand-in of its server. No variable, parameter or document is ever told."""
import json
import os
import subprocess
import unittest

from artefacts import from_index
from databases import PYTHON, DatabaseTest, Opensearch, node_packages, python_packages, say_go
from harness import ROOT, Child, free_port, request, subset, wait_for
from proxies import apache_tunnels
from tls import nginx_tls

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

    def split(self, agent, count, where):
        """So many calls, each seen by both ends; the client's."""
        found = agent.expect_spans(2 * count, where)
        self.check(agent, found)
        mine = [s for s in found if s.kind == "client"]
        callers = {s.span_id: s for s in mine}
        self.assertEqual(len(callers), count)
        for span in found:
            if span not in mine:
                caller = callers.pop(span.parent)
                told = [(s.trace_id, s["rpc.method"], s["rpc.response.status_code"], s["graphql.operation.name"], s["db.operation.name"])
                        for s in (span, caller)]
                self.assertEqual((span.kind, told[0]), ("server", told[1]))
        self.assertEqual(callers, {})
        return mine

    def graphql_server(self, version):
        return self.start("node", os.path.join(SOURCES, "graphql.js"), version,
                          env={"NODE_PATH": node_packages("graphql-yoga", "graphql-yoga@5.10.4", "graphql@16.9.0")})

    def graphql(self, version, how):
        agent = self.watch(self.graphql_server(version))

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

    def test_graphql_client(self):
        server = self.graphql_server("1.1")
        agent = self.run_client(PYTHON, "-c", "import http.client, json, sys; sys.stdin.readline()\n"
                                f"c = http.client.HTTPConnection('127.0.0.1', {self.port})\n"
                                "for query in ('query Cart { cart(id: \"secret\") }', '{ broken }'):\n"
                                "    c.request('POST', '/graphql', json.dumps({'query': query}), {'Content-Type': 'application/json'})\n"
                                "    assert c.getresponse().read()\n"
                                "print('done', flush=True); sys.stdin.read()", others=[server])
        found = self.split(agent, 2, lambda s: s["url.path"] == "/graphql")
        self.assertEqual([(s["graphql.operation.type"], s["graphql.operation.name"], s["error.type"]) for s in found],
                         [("query", "Cart", None), ("query", None, "graphql_error")])

    def rpc(self, way):
        env = {"NODE_PATH": node_packages("jayson", "jayson@4.1.3")}
        server = self.start("node", os.path.join(SOURCES, "rpc.js"), "server", way, env=env)
        agent = self.run_client("node", os.path.join(SOURCES, "rpc.js"), "client", way, str(self.port), env=env, others=[server])
        found = self.split(agent, 7, lambda s: s["rpc.system.name"] == "jsonrpc")
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

    def test_tls_through_a_tunnel(self):
        """The CONNECT itself, and what is said above TLS on the same connection."""
        https, port = nginx_tls()
        self.addCleanup(https.stop)
        proxy = apache_tunnels()
        proxy.start()
        self.addCleanup(proxy.child.stop)
        proxy.wait()
        child = self.start_client(PYTHON, "-c", "import http.client, ssl, sys; sys.stdin.readline()\n"
                                  f"c = http.client.HTTPSConnection('127.0.0.1', {proxy.port}, context=ssl._create_unverified_context())\n"
                                  f"c.set_tunnel('localhost', {port})\n"
                                  "for i in range(2): c.request('GET', f'/page/{i}'); assert c.getresponse().read() == b'hello'\n"
                                  "print('done', flush=True); sys.stdin.read()", env=None)
        agent = self.watch(child)
        wait_for(lambda: agent.metric_sum("waggle_tls_processes") == 1, "its library to be read")
        say_go(child)
        self.wait_client(child)
        found = agent.expect_spans(3)
        self.assertEqual([(s["http.request.method"], s["http.response.status_code"], s.kind, s["error.type"]) for s in found],
                         [("CONNECT", 200, "client", None), ("GET", 200, "client", None), ("GET", 200, "client", None)])
        subset(found[0], server__address="localhost", server__port=port, url__path=None)
        self.assertEqual([(s["url.path"], s["url.scheme"]) for s in found[1:]], [("/page/0", "https"), ("/page/1", "https")])
        self.check_losses(agent)

    def search(self, what, version, *folders, server=None):
        server = server or self.start(PYTHON, "-m", "hypercorn", "search_server:app", "--bind", "127.0.0.1:{port}",
                                      env={"PYTHONPATH": os.pathsep.join((from_index("hypercorn==0.18.0"), SOURCES))})
        agent = self.run_client(PYTHON, os.path.join(SOURCES, "search.py"), what, str(self.port),
                                env={"PYTHONPATH": os.pathsep.join(folders)}, others=[server])
        found = self.split(agent, 8, lambda s: s["db.system.name"])
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
        server = Opensearch()
        self.addCleanup(server.stop)
        self.port = server.port
        self.assertEqual(request(server.port, "PUT", "/parcels")[0], 200)
        self.search("opensearch", "1.1", python_packages("opensearch", "opensearch-py==2.7.1"), server=server.child)


if __name__ == "__main__":
    unittest.main(verbosity=2)
