#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""nginx as a server: methods, sizes, errors, keep-alive, pipelining, sendfile, metrics."""
import concurrent.futures
import http.client
import os
import socket
import tempfile
import unittest

from harness import Agent, raw_request, request, server_is, subset
from services import nginx

BIG = 1 << 20


class Nginx(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="waggle-nginx-")
        with open(os.path.join(cls.folder, "big"), "wb") as file:
            file.write(b"x" * BIG)
        cls.server, cls.port = nginx("""
            location = /ok { return 200 'hello'; }
            location = /missing { return 404; }
            location = /broken { return 500 'oops'; }
            location = /none { return 204; }
            location /big { sendfile on; }
            location /copy { alias %s/big; sendfile off; }
            location /users { return 200 'user'; }
            location ~ ^/piped/.*[0-4]$ { return 200 'user'; }
            location ~ ^/piped/.*[5-9]$ { return 404; }""" % cls.folder, folder=cls.folder, workers=2)
        cls.agent = Agent(services=[{"open_ports": str(cls.port)}])

    @classmethod
    def tearDownClass(cls):
        cls.agent.stop()
        cls.agent.sink.stop()
        cls.server.stop()

    def here(self, path):
        return lambda span: server_is(span, self.port) and span["url.path"] == path

    def test_facts_of_a_request(self):
        request(self.port, path="/ok?user=ann&token=secret", headers={"User-Agent": "probe/1"})
        span, = self.agent.expect_spans(1, self.here("/ok"))
        subset(span, http__request__method="GET", http__response__status_code=200, url__path="/ok",
               url__query="user=ann&token=REDACTED", url__scheme="http", server__address="127.0.0.1",
               client__address="127.0.0.1", network__protocol__version="1.1", user_agent__original="probe/1",
               http__request__body__size=0, http__response__body__size=5)
        self.assertEqual(span.name, "GET /ok")
        self.assertFalse(span.is_error)
        self.assertEqual(span.parent, "")
        self.assertEqual(span.service, "nginx")
        self.assertGreater(span.end, span.start)

    def test_status_decides_error(self):
        for path, status, is_error in (("/missing", 404, False), ("/broken", 500, True), ("/none", 204, False)):
            with self.subTest(path):
                request(self.port, path=path)
                span, = self.agent.expect_spans(1, self.here(path))
                self.assertEqual(span["http.response.status_code"], status)
                self.assertEqual(span.is_error, is_error)
                self.assertEqual(span["error.type"], str(status) if is_error else None)

    def test_large_bodies_have_their_true_size(self):
        for path in ("/big", "/copy"):
            with self.subTest(path):
                status, body = request(self.port, path=path)
                self.assertEqual((status, len(body)), (200, BIG))
                span, = self.agent.expect_spans(1, self.here(path))
                self.assertEqual(span["http.response.body.size"], BIG)

    def test_keep_alive_and_pipelining(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        for i in range(20):
            request(self.port, path=f"/users/{i}", connection=connection)
        connection.close()
        many = b"".join(b"GET /users/p%d HTTP/1.1\r\nHost: x\r\n%s\r\n" % (i, b"Connection: close\r\n" if i == 9 else b"")
                        for i in range(10))
        self.assertEqual(raw_request(self.port, many).count(b"HTTP/1.1 200"), 10)
        spans = self.agent.expect_spans(30, lambda s: server_is(s, self.port) and s["url.path"].startswith("/users"))
        self.assertEqual([s["url.path"] for s in spans],
                         [f"/users/{i}" for i in range(20)] + [f"/users/p{i}" for i in range(10)])
        self.assertEqual({s["http.response.status_code"] for s in spans}, {200})
        self.assertEqual({s["http.response.body.size"] for s in spans}, {4})

    def pipeline(self, name, count, under_way):
        """With each answer another request is sent. Returns how many were answered."""
        sent, answers = 0, b""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            while not sent or (piece := connection.recv(65536)):
                answers += piece if sent else b""
                upto = min(count, answers.count(b"HTTP/1.1 ") + under_way)
                connection.sendall(b"".join(b"GET /piped/%s%d HTTP/1.1\r\nHost: x\r\n%s\r\n" % (
                    name, i, b"Connection: close\r\n" if i == count - 1 else b"") for i in range(sent, upto)))
                sent = upto
        return answers.count(b"HTTP/1.1 ")

    def test_pipelining_that_never_pauses(self):
        """Sixty-four are under way on each of four connections, which answer more in 5 ms than is copied till then: what is
        not seen then is counted, and no status is another request's."""
        count, names = 900, ("a", "b", "c", "d")
        with concurrent.futures.ThreadPoolExecutor() as threads:
            answered = threads.map(lambda name: self.pipeline(name.encode(), count, 64), names)
            self.assertEqual(list(answered), [count] * len(names))
        request(self.port, path="/ok-afterwards")
        self.agent.expect_spans(1, self.here("/ok-afterwards"))
        self.agent.check_books()
        spans = self.agent.spans(lambda s: server_is(s, self.port) and s["url.path"].startswith("/piped/"))
        paths = [s["url.path"] for s in spans]
        self.assertEqual(len(paths), len(set(paths)))
        for span in spans:
            if span["http.response.status_code"] is not None:
                self.assertEqual(span["http.response.status_code"], 200 if span["url.path"][-1] in "01234" else 404, span)
        self.assertGreaterEqual(len([s for s in spans if s["http.response.status_code"]]), 64)
        if len(spans) < count * len(names):
            self.assertGreater(self.agent.metric_sum("waggle_turns_lost_total", protocol="http", cause="hole"), 0)

    def test_methods(self):
        for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "PURGE"):
            request(self.port, method, "/m-" + method, body=b"12345" if method == "PUT" else None)
        spans = self.agent.expect_spans(6, lambda s: server_is(s, self.port) and s["url.path"].startswith("/m-"))
        self.assertEqual([s["http.request.method"] for s in spans],
                         ["PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "_OTHER"])
        self.assertEqual(spans[5]["http.request.method_original"], "PURGE")
        self.assertEqual(spans[0]["http.request.body.size"], 5)
        self.assertEqual(spans[4]["http.response.body.size"], 0)

    def test_incoming_trace_is_adopted(self):
        trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
        request(self.port, path="/ok-traced", headers={"X-Filler": "y" * 6000, "traceparent": f"00-{trace}-{parent}-01",
                                                       "tracestate": "a=b"})
        span, = self.agent.expect_spans(1, self.here("/ok-traced"))
        self.assertEqual((span.trace_id, span.parent), (trace, parent))
        self.assertEqual(span.raw.get("traceState"), "a=b")

    def test_metrics_count_exactly(self):
        before = self.agent.metric_sum("http_server_request_duration_seconds_count", http_response_status_code="418")
        self.assertEqual(before, 0)
        base = self.agent.metric_sum("http_server_request_duration_seconds_count")
        for _ in range(7):
            request(self.port, path="/ok-counted")
        self.agent.expect_spans(7, self.here("/ok-counted"))
        self.assertEqual(self.agent.metric_sum("http_server_request_duration_seconds_count") - base, 7)


if __name__ == "__main__":
    unittest.main(verbosity=2)
