#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""rustls in a release build with its symbols: a server by hyper and tokio, whose connections go from thread to thread, and
a client that blocks; without symbols it is counted as encrypted. And the openssl crate over the system's library."""
import http.client
import json
import subprocess
import unittest

from artefacts import rust_openssl, rust_tls
from harness import Agent, Child, free_port, request, server_is, subset, wait_for
from test_explain import explain
from test_tls_memory import asyncio_client, talk_by_tls_1_2
from tls import CONNECTIONS, REQUESTS, certificate, client_context, drive, issued, key, nginx_tls

BIG = 300_000


def serve(program):
    port = free_port()
    return Child([program, "serve", str(port), certificate(), key()]).wait_port(port), port


class Server:
    @classmethod
    def setUpClass(cls):
        cls.server, cls.port = serve(cls.program())
        cls.agent = Agent(services=[{"pids": [cls.server.pid]}])
        wait_for(lambda: cls.agent.metric_sum("waggle_tls_processes") == 1, "its library to be read")

    @classmethod
    def tearDownClass(cls):
        cls.agent.stop()
        cls.agent.sink.stop()
        cls.server.stop()
        cls.agent.expect_no_more()

    def spans(self, count, beginning):
        return self.agent.expect_spans(count, lambda s: server_is(s, self.port) and s["url.path"].startswith(beginning))

    def check_books(self):
        self.assertEqual(self.agent.metric_sum("waggle_tls_unbound_total"), 0)
        self.assertEqual(self.agent.metric_sum("waggle_turns_lost_total"), 0)

    def test_every_connection_has_its_own_spans(self):
        client = asyncio_client()
        try:
            ports = drive(client, self.port)
        finally:
            client.stop()
        spans = self.agent.expect_spans(CONNECTIONS * REQUESTS, lambda s: server_is(s, self.port) and s["tls.protocol.version"] == "1.3"
                                        and s["url.path"].startswith("/c"))
        for span in spans:
            self.assertEqual(span["network.peer.port"], ports[span["url.path"].split("/")[2]], span)
            self.assertEqual((span["url.scheme"], span["http.response.status_code"], span["http.response.body.size"]), ("https", 200, 5))
        self.assertEqual(len({s["url.path"] for s in spans}), CONNECTIONS * REQUESTS)
        self.check_books()

    def test_tls_1_2(self):
        talk_by_tls_1_2(self.agent, self.port)

    def test_short_connections_one_after_the_other(self):
        """Memory is used again by the next connection."""
        for number in range(20):
            connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=20, context=client_context())
            request(self.port, path=f"/short/{number}", connection=connection)
            connection.close()
        spans = self.spans(20, "/short/")
        self.assertEqual(len({(s["url.path"], s["network.peer.port"]) for s in spans}), 20)
        self.check_books()

    def test_large_bodies_and_errors(self):
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=20, context=client_context())
        request(self.port, path="/broken", connection=connection)
        self.assertEqual(request(self.port, "POST", "/echo", body=b"b" * BIG, connection=connection)[1], b"b" * BIG)
        connection.close()
        broken, = self.spans(1, "/broken")
        echo, = self.spans(1, "/echo")
        self.assertEqual((broken["http.response.status_code"], broken.is_error), (500, True))
        self.assertEqual((echo["http.request.body.size"], echo["http.response.body.size"]), (BIG, BIG))
        self.check_books()

    def test_explain(self):
        _, lines = explain(self.server.pid)
        self.assertTrue(any(line.startswith("TLS: read through ") and f"({self.LIBRARY})" in line for line in lines), lines)


class RustlsServer(Server, unittest.TestCase):
    LIBRARY = "rustls"

    @staticmethod
    def program():
        return rust_tls()[0]

    def test_http2(self):
        done = subprocess.run(["curl", "-s", "--http2", "--cacert", certificate(), "-w", "%{http_version}\n", "-o", "/dev/null",
                               f"https://127.0.0.1:{self.port}/two/[1-10]"], check=True, capture_output=True, text=True)
        self.assertEqual(set(done.stdout.split()), {"2"})
        for span in self.spans(10, "/two/"):
            self.assertEqual((span["network.protocol.version"], span["http.response.status_code"], span["http.response.body.size"]),
                             ("2", 200, 5))
        self.check_books()


class OpensslServer(Server, unittest.TestCase):
    LIBRARY = "openssl"

    @staticmethod
    def program():
        return rust_openssl()


class Client(unittest.TestCase):
    def test_rustls(self):
        self.check_every_call_is_on_its_own_connection(rust_tls()[0])

    def test_openssl(self):
        self.check_every_call_is_on_its_own_connection(rust_openssl())

    def test_rustls_with_tls_1_2(self):
        self.check_every_call_is_on_its_own_connection(rust_tls()[0], "1.2")

    def check_every_call_is_on_its_own_connection(self, program, version="1.3"):
        server, port = nginx_tls(certificate=issued(), versions="TLSv" + version)
        client = Child([program, "call"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            # A client's span does not say its own port; printed, it does.
            with Agent(services=[{"pids": [client.pid]}], config="trace_printer: json\n") as agent:
                wait_for(lambda: agent.metric_sum("waggle_tls_processes") == 1, "its library to be read")
                ports = drive(client, port)
                self.assertEqual(len(set(ports.values())), CONNECTIONS)
                spans = agent.expect_spans(CONNECTIONS * REQUESTS, lambda s: s.kind == "client")
                self.assertEqual({s["url.full"] for s in spans},
                                 {f"https://localhost/c/{name}/{turn}" for name in ports for turn in range(REQUESTS)})
                self.assertEqual(agent.metric_sum("waggle_tls_unbound_total"), 0)
                self.assertEqual(agent.metric_sum("waggle_turns_lost_total"), 0)
            agent.expect_no_more()
            own_port = self.printed_ports(agent)
            for span in spans:
                self.assertEqual(own_port[span.span_id], ports[span["url.full"].split("/")[4]], span)
                subset(span, server__port=port, url__scheme="https", http__response__status_code=200, http__response__body__size=5,
                       tls__protocol__version=version, waggle__incomplete=None)
        finally:
            client.stop()
            server.stop()


    @staticmethod
    def printed_ports(agent):
        """The client's port of each span by its id."""
        found = {}
        for line in agent.child.output().splitlines():
            if line.startswith(("[{", "{")):
                printed = json.loads(line)
                for span in printed if isinstance(printed, list) else [printed]:
                    found[span["spanID"]] = int(span["peerPort"])
        return found


class Stripped(unittest.TestCase):
    def test_it_is_counted_as_encrypted(self):
        server, port = serve(rust_tls()[1])
        try:
            with Agent(services=[{"pids": [server.pid]}]) as agent:
                connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=client_context())
                request(port, path="/x", connection=connection)
                connection.close()
                wait_for(lambda: agent.metric_sum("waggle_turns_lost_total", cause="encrypted") == 1, "one encrypted connection")
                self.assertEqual(agent.spans(), [])
        finally:
            server.stop()


if __name__ == "__main__":
    unittest.main()
