#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""HTTPS in nginx, which links OpenSSL: spans as of plaintext, and books that count nothing twice."""
import http.client
import os
import ssl
import subprocess
import tempfile
import unittest

from harness import Agent, free_port, request, server_is, subset, wait_for
from tls import certificate, client_context, nginx_tls

BIG = 1 << 20
# Between a request in the clear and the same one over TLS.
DIFFERS = {"url.scheme", "server.port", "client.port", "network.peer.port", "network.local.port", "tls.protocol.name",
           "tls.protocol.version", "tls.cipher", "tls.resumed", "tls.client.server_name", "waggle.time_to_first_byte"}


def connect(port, **options):
    return http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=client_context(**options))


class NginxTls(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="waggle-nginx-")
        with open(os.path.join(cls.folder, "big"), "wb") as file:
            file.write(b"x" * BIG)
        cls.plain = free_port()
        cls.server, cls.port = nginx_tls("""
            location = /ok { return 200 'hello'; }
            location = /broken { return 500 'oops'; }
            location /big { sendfile on; }
            location /users { return 200 'user'; }
            location /same/ok { return 200 'hello'; }
            location /same/broken { return 500 'oops'; }
            location /same/upload { proxy_pass http://127.0.0.1:1; }
            client_max_body_size 4m; client_body_buffer_size 4m;
            location /upload { proxy_pass http://127.0.0.1:1; }""", folder=cls.folder, workers=2, options=f"; listen 127.0.0.1:{cls.plain}")
        cls.agent = Agent(services=[{"open_ports": f"{cls.port},{cls.plain}"}])
        wait_for(lambda: cls.agent.metric_sum("waggle_tls_processes") == 3, "nginx and its workers to be read")

    @classmethod
    def tearDownClass(cls):
        cls.agent.stop()
        cls.agent.sink.stop()
        cls.server.stop()
        cls.agent.expect_no_more()

    def here(self, path):
        return lambda span: server_is(span, self.port) and span["url.path"] == path

    def get(self, path, connection=None, **how):
        own = connection or connect(self.port)
        answer = request(self.port, path=path, connection=own, **how)
        if connection is None:
            own.close()
        return answer

    def test_facts_of_a_request(self):
        connection = connect(self.port)
        connection.connect()
        client_port = connection.sock.getsockname()[1]
        self.get("/ok?user=ann&token=secret", connection, headers={"User-Agent": "probe/1"})
        connection.close()
        span, = self.agent.expect_spans(1, self.here("/ok"))
        subset(span, http__request__method="GET", http__response__status_code=200, url__path="/ok",
               url__query="user=ann&token=REDACTED", url__scheme="https", server__address="127.0.0.1",
               client__address="127.0.0.1", network__peer__port=client_port, network__protocol__version="1.1",
               user_agent__original="probe/1", http__request__body__size=0, http__response__body__size=5)
        self.assertEqual(span.name, "GET /ok")
        self.assertFalse(span.is_error)
        self.assertEqual(span.service, "nginx")
        self.assertGreater(span.end, span.start)

    def test_spans_are_those_of_plaintext(self):
        """But for the scheme, the ports, and what the handshake says."""
        requests = [("GET", "/same/ok?token=secret", None), ("HEAD", "/same/ok", None), ("GET", "/same/broken", None),
                    ("GET", "/same/missing", None), ("POST", "/same/upload", b"y" * 50000)]
        seen = {}
        for port, connection in ((self.plain, http.client.HTTPConnection("127.0.0.1", self.plain, timeout=10)), (self.port, connect(self.port))):
            for method, path, body in requests:
                self.get(path, connection, method=method, body=body)
            connection.close()
            spans = self.agent.expect_spans(len(requests), lambda s: server_is(s, port) and s["url.path"].startswith("/same/"))
            seen[port] = [(s.name, s.kind, s.is_error, {k: v for k, v in s.attributes.items() if k not in DIFFERS}) for s in spans]
            self.assertEqual({s["url.scheme"] for s in spans}, {"https" if port == self.port else "http"})
        self.assertEqual(seen[self.port], seen[self.plain])

    def test_errors(self):
        self.get("/broken")
        span, = self.agent.expect_spans(1, self.here("/broken"))
        self.assertEqual((span["http.response.status_code"], span.is_error, span["error.type"]), (500, True, "500"))

    def test_large_bodies_have_their_true_size(self):
        status, body = self.get("/big")
        self.assertEqual((status, len(body)), (200, BIG))
        span, = self.agent.expect_spans(1, self.here("/big"))
        self.assertEqual(span["http.response.body.size"], BIG)
        self.get("/upload", method="POST", body=b"y" * BIG)
        span, = self.agent.expect_spans(1, self.here("/upload"))
        self.assertEqual((span["http.request.body.size"], span["http.response.status_code"]), (BIG, 502))

    def test_keep_alive_over_both_versions(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            connection = connect(self.port, minimum_version=version, maximum_version=version)
            for i in range(10):
                self.get(f"/users/{version.name}/{i}", connection)
            connection.close()
        spans = self.agent.expect_spans(20, lambda s: server_is(s, self.port) and s["url.path"].startswith("/users/TLS"))
        self.assertEqual(len({s["network.peer.port"] for s in spans}), 2)

    def test_heads_that_records_do_not_end_with(self):
        """One that stands in two records, then two in one."""
        connection = connect(self.port)
        connection.connect()
        for sent, answers in (([b"GET /cut/1 HTTP/1.1\r\nHo", b"st: a\r\n\r\n"], 1),
                              ([b"GET /cut/2 HTTP/1.1\r\nHost: a\r\n\r\nGET /cut/3 HTTP/1.1\r\nHost: a\r\n\r\n"], 2)):
            for record in sent:
                connection.sock.sendall(record)
            seen = b""
            while seen.count(b"</html>") < answers:
                seen += connection.sock.recv(65536)
        connection.close()
        spans = self.agent.expect_spans(3, lambda s: server_is(s, self.port) and s["url.path"].startswith("/cut/"))
        self.assertEqual([(s["url.path"], s["http.response.status_code"]) for s in spans], [(f"/cut/{i}", 404) for i in (1, 2, 3)])

    def test_many_connections_by_curl(self):
        subprocess.run(["curl", "-s", "--cacert", certificate(), "--parallel", "--parallel-max", "8", "--fail",
                        f"https://127.0.0.1:{self.port}/users/c[1-40]"], check=True, capture_output=True)
        spans = self.agent.expect_spans(40, lambda s: server_is(s, self.port) and s["url.path"].startswith("/users/c"))
        self.assertEqual(len({s["url.path"] for s in spans}), 40)


class Http2(unittest.TestCase):
    def test_http2_by_alpn(self):
        server, port = nginx_tls(options="http2")
        try:
            with Agent(services=[{"open_ports": str(port)}]) as agent:
                wait_for(lambda: agent.metric_sum("waggle_tls_processes") == 2, "nginx to be read")
                done = subprocess.run(["curl", "-s", "--http2", "--cacert", certificate(), "-w", "%{http_version}\n", "-o", "/dev/null",
                                       f"https://127.0.0.1:{port}/two/[1-10]"], check=True, capture_output=True, text=True)
                self.assertEqual(set(done.stdout.split()), {"2"})
                for span in agent.expect_spans(10, lambda s: server_is(s, port)):
                    subset(span, network__protocol__version="2", url__scheme="https", http__response__status_code=200,
                           http__response__body__size=5, tls__protocol__version="1.3", tls__next_protocol=None)
                # What TLS 1.2 agrees upon can be seen.
                for option, version, protocol in (("--http2", "2", "h2"), ("--http1.1", "1.1", "http/1.1"), ("--no-alpn", "1.1", None)):
                    subprocess.run(["curl", "-s", option, "--tls-max", "1.2", "--cacert", certificate(), f"https://127.0.0.1:{port}/1.2{option}"],
                                   check=True, capture_output=True)
                    span, = agent.expect_spans(1, lambda s: server_is(s, port) and s["url.path"] == "/1.2" + option)
                    subset(span, network__protocol__version=version, http__response__status_code=200, tls__protocol__version="1.2",
                           tls__next_protocol=protocol)
                self.assertEqual(agent.metric_sum("waggle_turns_lost_total"), 0)
            agent.expect_no_more()
        finally:
            server.stop()


class Books(unittest.TestCase):
    def test_nothing_is_counted_twice_or_as_unreadable(self):
        server, port = nginx_tls()
        try:
            with Agent(services=[{"open_ports": str(port)}]) as agent:
                wait_for(lambda: agent.metric_sum("waggle_tls_processes") == 2, "nginx to be read")
                for _ in range(20):
                    connection = connect(port)
                    request(port, path="/x", connection=connection)
                    connection.close()
                agent.expect_spans(20, lambda s: server_is(s, port))
                wait_for(lambda: agent.metric_sum("waggle_requests_seen_total", protocol="http") == 20, "20 requests seen")
                self.assertEqual(agent.metric_sum("waggle_requests_exported_total"), 20)
                self.assertEqual(agent.metric_sum("waggle_turns_lost_total"), 0)
                self.assertEqual(agent.metric_sum("waggle_undecoded_connections_total"), 0)
                self.assertEqual(agent.metric_sum("waggle_tls_unbound_total"), 0)
                self.assertEqual(agent.metric_sum("http_server_request_duration_seconds_count", url_scheme="https"), 20)
            agent.expect_no_more()
        finally:
            server.stop()

    def test_switched_off_it_is_counted_as_encrypted(self):
        server, port = nginx_tls()
        try:
            with Agent(services=[{"open_ports": str(port)}], config="ebpf: {tls: false}\n"
                       "attributes: {select: {waggle.tls.connections: {include: ['*']}}}\n") as agent:
                context = client_context(maximum_version=ssl.TLSVersion.TLSv1_2)
                context.set_alpn_protocols(["nobody's", "http/1.1"])
                connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context)
                request(port, path="/x", connection=connection)
                connection.close()
                wait_for(lambda: agent.metric_sum("waggle_turns_lost_total", cause="encrypted") == 1, "one encrypted connection")
                self.assertEqual(agent.metric_sum("waggle_undecoded_connections_total"), 1)
                told = dict(tls_protocol_version="1.2", tls_next_protocol="http/1.1", waggle_tls_offered_protocols="nobody's,http/1.1")
                wait_for(lambda: agent.metric_sum("waggle_tls_connections_total", **told) == 1, "what its handshake shows")
                self.assertEqual(agent.metric_sum("waggle_turns_lost_total", cause="unknown_protocol"), 0)
                self.assertEqual(agent.spans(), [])
        finally:
            server.stop()


if __name__ == "__main__":
    unittest.main()
