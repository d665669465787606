#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What HTTP carries, over HTTPS: the spans of Elasticsearch's client and of GraphQL are those of test_http_calls.py, where the same
is said in the clear. Clients are on a socket, servers on memory buffers."""
import unittest

import test_http_calls
from databases import PYTHON, DatabaseTest, python_packages
from harness import subset
from talk import service_folder
from tls import certificate, key

CALLER = """
import http.client, json, ssl, sys
port, certificate = sys.argv[1:]
sys.stdin.readline()
connection = http.client.HTTPSConnection("127.0.0.1", int(port), context=ssl.create_default_context(cafile=certificate))
for document, others in (('query Cart($id: ID) { cart(id: $id) }', {"variables": {"id": "secret"}}),
                         ('mutation Buy { buy(card: "secret") }', {"operationName": "Buy"}), ("{ broken }", {})):
    connection.request("POST", "/graphql", json.dumps({"query": document, **others}), {"Content-Type": "application/json"})
    assert json.loads(connection.getresponse().read())
print("done", flush=True)
sys.stdin.read()
"""


class HttpsCalls(DatabaseTest):
    # Inherited, its own tests would run once more.
    start = test_http_calls.HttpCallsTest.start
    check = test_http_calls.HttpCallsTest.check
    split = test_http_calls.HttpCallsTest.split
    search = test_http_calls.HttpCallsTest.search

    def serve(self, app, folder):
        return self.start(PYTHON, "-m", "uvicorn", app, "--port", "{port}", "--ssl-certfile", certificate(), "--ssl-keyfile", key(),
                          "--log-level", "warning", "--loop", "asyncio", env={"PYTHONPATH": folder})

    def run_client(self, python, *arguments, env, others):
        """As search() calls it, but over TLS."""
        self.agent = self.run_over_tls(python, service_folder("tls/search_client.py"), *arguments, env={**env, "CERTIFICATE": certificate()},
                                       others=others)
        return self.agent

    def check_tls(self, agent):
        for span in agent.spans():
            subset(span, url__scheme="https", tls__protocol__name="tls", tls__protocol__version="1.3", network__protocol__version="1.1")
        self.check_all_read(agent)
        agent.stop()
        agent.expect_no_more()

    def test_elasticsearch(self):
        server = self.serve("search_server:app", test_http_calls.SOURCES)
        self.search("elasticsearch", "1.1", python_packages(*test_http_calls.ELASTICSEARCH), server=server)
        self.check_tls(self.agent)

    def test_graphql(self):
        server = self.serve("graphql:app", service_folder("tls"))
        agent = self.run_over_tls(PYTHON, "-c", CALLER, str(self.port), certificate(), others=[server])
        mine = self.split(agent, 3, lambda s: s["url.path"] == "/graphql")
        for found in (mine, agent.spans(lambda s: s.kind == "server")):
            self.assertEqual([(s["http.request.method"], s["http.response.status_code"], s["graphql.operation.type"],
                               s["graphql.operation.name"], s["error.type"]) for s in found],
                             [("POST", 200, "query", "Cart", None), ("POST", 200, "mutation", "Buy", None),
                              ("POST", 200, "query", None, "graphql_error")])
        self.check_tls(agent)


if __name__ == "__main__":
    unittest.main(verbosity=2)
