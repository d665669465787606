#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The less usual forms of HTTP/1, by curl and a Go server: old versions, bodies that end with the connection, chunked
requests, a client that waits to be told to go on, names instead of addresses, IPv6's loopback, absolute targets."""
import socket
import subprocess
import tempfile
import unittest

from artefacts import go_program
from harness import Agent, Child, raw_request, subset, wait_for
from talk import BIG, TALK, Server, body_file, expected_server, say, service_folder, steady


class Forms(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server("go", "inventory", "go", (go_program(), "{port}"))
        cls.server.start()
        cls.server.wait()
        cls.port = cls.server.port
        cls.six = Server("six", "orders", "python", ("/usr/bin/python3", "orders.py", "{port}", "::1"), service_folder("python"))
        cls.six.start()
        cls.six.child.wait_port(cls.six.port, "::1")
        cls.agent = Agent(services=[{"open_ports": f"{cls.port},{cls.six.port}"}])

    @classmethod
    def tearDownClass(cls):
        cls.agent.stop()
        cls.agent.sink.stop()
        cls.six.child.stop()
        cls.server.child.stop()
        cls.agent.expect_no_more()

    def one_span(self, act, service="inventory"):
        seen = {span.span_id for span in self.agent.spans()}
        act()
        span, = self.agent.expect_spans(1, lambda s: s.span_id not in seen)
        self.assertEqual((span.kind, span.service, span.parent, span["waggle.incomplete"]), ("server", service, "", None))
        return span

    def curl(self, *arguments, size, host="127.0.0.1"):
        """The span of one call by curl, whose answer has that size."""
        *options, path = arguments

        def act():
            done = subprocess.run(["curl", "-sS", *options, f"http://{host}:{self.port}{path}"], capture_output=True, timeout=20)
            self.assertEqual((done.returncode, len(done.stdout)), (0, size), done.stderr)
        return self.one_span(act)

    def test_old_version(self):
        span = self.curl("--http1.0", "/hello", size=5)
        subset(span, network__protocol__version="1.0", http__response__body__size=5, http__response__status_code=200)

    def test_body_until_close(self):
        """Without chunks only the connection's end is the body's: its size is known then."""
        span = self.curl("--http1.0", "/stream", size=BIG)
        subset(span, network__protocol__version="1.0", http__response__body__size=BIG)

    def test_chunked_request(self):
        span = self.curl("-H", "Transfer-Encoding: chunked", "--data-binary", "z" * 300, "/echo", size=300)
        subset(span, http__request__body__size=300, http__response__body__size=300)

    def test_long_chunked_request(self):
        """Its framing goes beyond what is captured: no size rather than a wrong one."""
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"z" * BIG)
            file.flush()
            span = self.curl("-H", "Transfer-Encoding: chunked", "-T", file.name, "/echo", size=BIG)
        subset(span, http__request__method="PUT", http__request__body__size=None, http__response__status_code=200)

    def test_waits_to_go_on(self):
        span = self.curl("-H", "Expect: 100-continue", "--data-binary", "z" * 3000, "/echo", size=3000)
        subset(span, http__response__status_code=200, http__request__body__size=3000, http__response__body__size=3000)

    def test_name_of_the_host(self):
        """What the server is called by others is not its address."""
        span = self.curl("-H", "Host: shop.example:8080", "/hello", size=5)
        subset(span, server__address="127.0.0.1", server__port=self.port, url__path="/hello")

    def test_ipv6(self):
        span = self.one_span(lambda: say(TALK[0], self.six.port, host="::1"), "orders")
        self.assertEqual(steady(span), expected_server(TALK[0], self.six.port, **{
            "server.address": "::1", "client.address": "::1", "network.peer.address": "::1"}))

    def test_absolute_target(self):
        span = self.one_span(lambda: raw_request(
            self.port, b"GET http://shop.example/hello?a=1 HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n"))
        subset(span, url__path="/hello", url__query="a=1", http__response__status_code=200)

    def test_broken_request(self):
        """What the server refuses as no HTTP is no request of a method either."""
        seen = len(self.agent.spans())
        self.assertIn(b"400 Bad Request", raw_request(self.port, b"HELLO\r\n\r\n"))
        # One that follows elsewhere is read as ever.
        span = self.curl("/hello", size=5)
        self.assertEqual(span["url.path"], "/hello")
        self.assertEqual(len(self.agent.spans()), seen + 1)

    def test_long_heads(self):
        """Heads are read up to 16 KiB: a trace that is named at 15 is adopted; one behind that is unknown, which is counted."""
        trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
        for size, is_read in ((15_000, True), (17_000, False)):
            before = self.cut_heads()
            seen = {span.span_id for span in self.agent.spans()}
            self.assertIn(b"200 OK", raw_request(self.port, (
                f"GET /hello?{size} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nCookie: a={'c' * size}\r\n"
                f"traceparent: 00-{trace}-{parent}-01\r\n\r\n").encode()))
            span, = self.agent.expect_spans(1, lambda s: s.span_id not in seen)
            subset(span, url__path="/hello", url__query=str(size), http__response__status_code=200,
                   http__request__body__size=0 if is_read else None, waggle__incomplete=None)
            self.assertEqual((span.trace_id == trace, span.parent), (is_read, parent if is_read else ""))
            wait_for(lambda: self.cut_heads() - before == (0 if is_read else 1), "the head that went on to be counted")

    def cut_heads(self):
        return self.agent.metric_sum("waggle_turns_lost_total", cause="rule_cut")

    def test_caller_gives_up(self):
        """A caller that goes away: what the server still says to it is its answer."""
        def act():
            with socket.create_connection(("127.0.0.1", self.port)) as caller:
                caller.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nonly this")
        span = self.one_span(act)
        subset(span, http__request__method="POST", url__path="/echo", http__response__status_code=200,
               http__response__body__size=len("only this"))
        self.assertEqual(self.agent.metric_sum("waggle_connections_unknown_total"), 0)


PAIR = r"""
import socket
left, right = socket.socketpair()
input()
left.sendall(b"GET /pair HTTP/1.1\r\nHost: x\r\n\r\n")
right.recv(4096)
right.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
left.recv(4096)
input()
"""


class UnknownRole(unittest.TestCase):
    def test_pair(self):
        """Neither end of a pair of sockets has called or was called: both are shown, and that nobody knows."""
        child = Child(["/usr/bin/python3", "-c", PAIR], stdin=subprocess.PIPE)
        with Agent(services=[{"pids": [child.pid]}]) as agent:
            wait_for(lambda: agent.metric_sum("waggle_processes_watched") == 1, "the program to be watched")
            child.process.stdin.write(b"\n")
            child.process.stdin.flush()
            for span in agent.expect_spans(2):
                self.assertEqual(span.kind, "internal")
                subset(span, waggle__role="unknown", http__request__method="GET", url__path="/pair", http__response__status_code=200,
                       http__response__body__size=2, network__transport="unix")
            agent.stop()
            agent.expect_no_more()
        child.stop()


class Refused(unittest.TestCase):
    """A client that waits to be told to go on, is refused, and goes on with its connection."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server("doorman", "doorman", "python", ("/usr/bin/python3", "doorman.py", "{port}"), service_folder("python"))
        cls.server.start()
        cls.server.wait()
        cls.curl = Child(["curl", "-K", "-"], stdin=subprocess.PIPE)
        cls.agent = Agent(services=[{"pids": [cls.server.child.pid, cls.curl.pid]}])
        wait_for(lambda: cls.agent.metric_sum("waggle_processes_watched") == 2, "both to be watched")

    @classmethod
    def tearDownClass(cls):
        cls.agent.stop()
        cls.agent.sink.stop()
        cls.curl.stop()
        cls.server.child.stop()
        cls.agent.expect_no_more()

    def told(self, spans):
        return [(span["http.request.method"], span["url.path"], span["http.response.status_code"], span["http.request.body.size"],
                 span["waggle.incomplete"]) for span in spans]

    def test_withheld(self):
        """curl, which waits with what is longer than a mebibyte, asks again without waiting, then goes on: by a length, and in
        chunks, whose framing goes beyond what is captured."""
        post = f'url = "http://127.0.0.1:{self.server.port}/%s"\noutput = "/dev/null"\nsilent\n%s'
        data = f'data-binary = "@{body_file(2 * BIG)}"\n'
        get = f'next\nurl = "http://127.0.0.1:{self.server.port}/%s"\noutput = "/dev/null"\nsilent\n'
        said = (post % ("length", data) + get % "after" + "next\n"
                + post % ("chunked", 'header = "Transfer-Encoding: chunked"\n' + data) + get % "end")
        seen = {s.span_id for s in self.agent.spans()}
        self.curl.process.stdin.write(said.encode())
        self.curl.process.stdin.close()
        wait_for(lambda: self.curl.process.poll() is not None, "curl to end")
        spans = self.agent.expect_spans(12, lambda s: s.span_id not in seen)
        calls, answers = ([s for s in spans if s.kind == kind] for kind in ("client", "server"))
        self.assertEqual(len({s["network.peer.port"] for s in answers}), 1)
        wanted = [("POST", "/length", 417, None, None), ("POST", "/length", 200, 2 * BIG, None), ("GET", "/after", 200, 0, None),
                  ("POST", "/chunked", 417, None, None), ("POST", "/chunked", 200, None, None), ("GET", "/end", 200, 0, None)]
        self.assertEqual((self.told(calls), self.told(answers)), (wanted, wanted))
        self.assertEqual([s.parent for s in answers], [s.span_id for s in calls])
        self.assertEqual(self.agent.losses(), {})

    def test_sent_all_the_same(self):
        seen = {s.span_id for s in self.agent.spans()}
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=10) as client:
            answers = client.makefile("rb")

            def say(text, status):
                client.sendall(text)
                self.assertIn(status, answers.readline())
                while (line := answers.readline()) != b"\r\n":
                    if line.startswith(b"Content-Length:"):
                        size = int(line.split()[1])
                answers.read(size)
            for framing, body in ((b"Content-Length: 5", b"hello"), (b"Transfer-Encoding: chunked", b"5\r\nhello\r\n0\r\n\r\n")):
                say(b"POST /all HTTP/1.1\r\nExpect: 100-continue\r\n" + framing + b"\r\n\r\n", b"417")
                say(body + b"GET /next HTTP/1.1\r\n\r\n", b"200")
        spans = self.agent.expect_spans(4, lambda s: s.span_id not in seen)
        self.assertEqual(self.told(spans), 2 * [("POST", "/all", 417, None, None), ("GET", "/next", 200, 0, None)])
        self.assertEqual(self.agent.losses(), {})


if __name__ == "__main__":
    unittest.main(verbosity=2)
