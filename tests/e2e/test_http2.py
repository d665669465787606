#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 between real programs, without TLS: nginx, nghttpd, Node, Python's hypercorn and Go's net/http as servers; curl, h2load,
Node, httpx and Go as clients. And over TLS: Apache, Node."""
import os
import subprocess
import tempfile
import unittest

from artefacts import from_index, go_http2
from harness import Agent, Child, free_port, server_is, subset, wait_for
from services import nginx
from tls import apache_tls, certificate, key

HERE = os.path.dirname(os.path.abspath(__file__))
SERVICES = os.path.join(HERE, "../services")
BIG = 300_000


def curl(port, path, *options, how="--http2-prior-knowledge", scheme="http"):
    done = subprocess.run(["curl", "-sS", how, "--cacert", certificate(), "-o", "/dev/null", "-w", "%{http_code} %{http_version} %{size_download}", *options,
                           f"{scheme}://127.0.0.1:{port}{path}"], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout


class ServerTest:
    """Facts that hold for each server; a class names its program."""
    scheme = "http"

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="waggle-http2-")
        os.chmod(cls.folder, 0o755)
        with open(os.path.join(cls.folder, "big"), "wb") as file:
            file.write(b"x" * BIG)
        with open(os.path.join(cls.folder, "small"), "wb") as file:
            file.write(b"hello")
        cls.server, cls.port = cls.start()
        cls.agent = Agent(services=[{"open_ports": str(cls.port)}])

    @classmethod
    def tearDownClass(cls):
        try:
            cls.agent.check_books()
        finally:
            cls.agent.stop()
            cls.agent.sink.stop()
            cls.server.stop()

    def curl(self, path, *options):
        return curl(self.port, path, *options, how="--http2-prior-knowledge" if self.scheme == "http" else "--http2", scheme=self.scheme)

    def here(self, text):
        return lambda span: server_is(span, self.port) and text in (span["url.path"] or "") + "?" + (span["url.query"] or "")

    def test_facts_of_a_request(self):
        self.assertEqual(self.curl("/small?facts=1&token=secret", "-A", "probe/1"), "200 2 5")
        span, = self.agent.expect_spans(1, self.here("facts"))
        subset(span, http__request__method="GET", http__response__status_code=200, url__path="/small",
               url__query="facts=1&token=REDACTED", url__scheme=self.scheme, server__address="127.0.0.1",
               client__address="127.0.0.1", network__protocol__version="2", user_agent__original="probe/1",
               http__request__body__size=0, http__response__body__size=5)
        self.assertIsNone(span["waggle.unknown"])
        self.assertIsNone(span["waggle.incomplete"])
        self.assertEqual(span.name, "GET /small")
        self.assertFalse(span.is_error)
        self.assertGreater(span.end, span.start)

    def test_status_and_methods(self):
        self.assertEqual(self.curl("/missing?status").split()[0], "404")
        span, = self.agent.expect_spans(1, self.here("/missing?status"))
        subset(span, http__response__status_code=404, error__type=None)
        self.assertEqual(self.curl("/small?head", "-I").split()[0], "200")
        span, = self.agent.expect_spans(1, self.here("?head"))
        subset(span, http__request__method="HEAD", http__response__status_code=200, http__response__body__size=0)

    def test_large_answers(self):
        self.assertEqual(self.curl("/big?large"), f"200 2 {BIG}")
        span, = self.agent.expect_spans(1, self.here("?large"))
        subset(span, http__response__status_code=200, http__response__body__size=BIG, waggle__incomplete=None)

    def test_incoming_trace_is_adopted(self):
        trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
        self.curl("/small?traced", "-H", f"traceparent: 00-{trace}-{parent}-01", "-H", "tracestate: a=b")
        span, = self.agent.expect_spans(1, self.here("?traced"))
        self.assertEqual((span.trace_id, span.parent, span.raw.get("traceState")), (trace, parent, "a=b"))

    def test_many_streams_are_counted_exactly(self):
        name = "http_server_request_duration_seconds_count"
        labels = {"network_protocol_version": "2", "http_response_status_code": "200"}
        before = self.agent.metric_sum(name, **labels)
        done = subprocess.run(["h2load", "-n", "600", "-c", "3", "-m", "20", f"{self.scheme}://127.0.0.1:{self.port}/small?load"],
                              capture_output=True, text=True, timeout=60)
        self.assertIn("600 succeeded", done.stdout)
        spans = self.agent.expect_spans(600, self.here("?load"))
        self.assertEqual({(s["http.response.status_code"], s["http.response.body.size"], s["waggle.unknown"], s["waggle.incomplete"])
                          for s in spans}, {(200, 5, None, None)})
        self.assertEqual(self.agent.metric_sum(name, **labels) - before, 600)


class Nginx(ServerTest, unittest.TestCase):
    @classmethod
    def start(cls):
        port = free_port()
        return nginx("location / { }", listen=f"listen 127.0.0.1:{port} http2;", port=port, folder=cls.folder)


class Nghttpd(ServerTest, unittest.TestCase):
    @classmethod
    def start(cls):
        port = free_port()
        return Child(["nghttpd", "--no-tls", "-d", cls.folder, "-a", "127.0.0.1", str(port)]).wait_port(port), port


class Node(ServerTest, unittest.TestCase):
    @classmethod
    def start(cls):
        port = free_port()
        return Child(["node", os.path.join(SERVICES, "node/http2.mjs"), "serve", str(port), cls.folder]).wait_port(port), port


class Hypercorn(ServerTest, unittest.TestCase):
    @classmethod
    def start(cls):
        port = free_port()
        path = os.pathsep.join((from_index("hypercorn==0.18.0"), os.path.join(SERVICES, "python")))
        return Child(["/usr/bin/python3", "-m", "hypercorn", "--bind", f"127.0.0.1:{port}", "files_asgi:app"],
                     env={"PYTHONPATH": path, "FILES": cls.folder}).wait_port(port), port

    def test_upgrade(self):
        self.assertEqual(curl(self.port, "/small?upgraded", how="--http2"), "200 2 5")
        span, = self.agent.expect_spans(1, self.here("?upgraded"))
        subset(span, http__request__method="GET", http__response__status_code=200, network__protocol__version="2",
               http__response__body__size=5, waggle__incomplete=None)


class Go(ServerTest, unittest.TestCase):
    @classmethod
    def start(cls):
        port = free_port()
        return Child([go_http2(), "serve", str(port), cls.folder]).wait_port(port), port


class OverTls(ServerTest):
    """The same, and what the handshake says."""
    scheme = "https"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # The agent is ready a second after it has begun to look, whatever is left; Node is a large file.
        wait_for(lambda: 0 < cls.agent.metric_sum("waggle_processes_watched") == cls.agent.metric_sum("waggle_tls_processes"),
                 "all its processes to be read")

    def test_facts_of_a_request(self):
        super().test_facts_of_a_request()
        span, = self.agent.spans(self.here("facts"))
        subset(span, tls__protocol__name="tls", tls__protocol__version="1.3", tls__resumed=False)

    @classmethod
    def tearDownClass(cls):
        try:
            assert cls.agent.metric_sum("waggle_tls_unbound_total") == 0
            assert cls.agent.metric_sum("waggle_turns_lost_total", cause="encrypted") == 0
        finally:
            super().tearDownClass()


class NodeOverTls(OverTls, unittest.TestCase):
    @classmethod
    def start(cls):
        port = free_port()
        return Child(["node", os.path.join(SERVICES, "node/http2.mjs"), "serve", str(port), cls.folder],
                     env={"CERTIFICATE": certificate(), "KEY": key()}).wait_port(port), port


class ApacheOverTls(OverTls, unittest.TestCase):
    @classmethod
    def start(cls):
        return apache_tls(cls.folder, "mpm_event", "http2")


class Clients(unittest.TestCase):
    """One server, and the spans of those who call it."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="waggle-http2-")
        os.chmod(cls.folder, 0o755)
        with open(os.path.join(cls.folder, "small"), "wb") as file:
            file.write(b"hello")
        cls.port, cls.tls_port = free_port(), free_port()
        cls.server, _ = nginx("location / { } location /post { client_max_body_size 1m; return 201 'made'; }",
                              listen=f"listen 127.0.0.1:{cls.port} http2; listen 127.0.0.1:{cls.tls_port} http2 ssl; "
                                     f"ssl_certificate {certificate()}; ssl_certificate_key {key()};",
                              port=cls.port, folder=cls.folder)

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def check(self, *command, env=None, scheme="http"):
        port = self.port if scheme == "http" else self.tls_port
        client = Child([*command, str(port)], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        say = lambda: (client.process.stdin.write(b"go\n"), client.process.stdin.flush())
        try:
            self.assertEqual(client.process.stdout.readline(), b"ready\n", client.output())
            with Agent(services=[{"pids": [client.pid]}, {"open_ports": str(port)}]) as agent:
                # The client, nginx and its worker.
                wait_for(lambda: scheme == "http" or agent.metric_sum("waggle_tls_processes") == 3, "the TLS libraries to be read")
                say()
                self.assertEqual(client.process.stdout.readline(), b"done\n", client.output())
                mine = agent.expect_spans(6, lambda s: s.kind == "client")
                for span in mine:
                    is_post = span["url.path"] == "/post"
                    subset(span, http__request__method="POST" if is_post else "GET", network__protocol__version="2",
                           http__response__status_code=201 if is_post else 200, server__address="127.0.0.1", server__port=port, url__scheme=scheme,
                           http__request__body__size=12000 if is_post else 0, http__response__body__size=4 if is_post else 5,
                           waggle__incomplete=None, waggle__unknown=None)
                self.assertEqual(sorted(s["url.query"] for s in mine), [f"call={i}" for i in range(1, 7)])
                self.assertIn(f"{scheme}://127.0.0.1:{port}/small?call=1", {s["url.full"] for s in mine})
                theirs = agent.expect_spans(6, lambda s: server_is(s, port))
                callers = {s["url.query"]: s for s in mine}
                for span in theirs:
                    caller = callers[span["url.query"]]
                    self.assertEqual((span.parent, span.trace_id), (caller.span_id, caller.trace_id))
                name = "http_client_request_duration_seconds_count"
                self.assertEqual(agent.metric_sum(name, network_protocol_version="2"), 6)
                agent.check_books()
        finally:
            client.process.stdin.close()
            client.process.stdout.close()
            client.stop()

    def test_node(self):
        self.check("node", os.path.join(SERVICES, "node/http2.mjs"), "call")

    def test_node_over_tls(self):
        self.check("node", os.path.join(SERVICES, "node/http2.mjs"), "call", env={"CERTIFICATE": certificate()}, scheme="https")

    def test_httpx(self):
        self.check("/usr/bin/python3", os.path.join(SERVICES, "python/http2_client.py"),
                   env={"PYTHONPATH": from_index("httpx[http2]==0.28.1")})

    def test_go(self):
        self.check(go_http2(), "call")


if __name__ == "__main__":
    unittest.main(verbosity=2)
