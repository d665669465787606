# SPDX-License-Identifier: Apache-2.0
"""The standard talk with an HTTP server, and all that the agent must show of it: every server of tests/services
answers the same, so that a server is one line of a table (test_python.py and its neighbours)."""
import atexit
import http.client
import os
import tempfile
import unittest
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from harness import Agent, Child, free_port, request, wait_for

BIG = 1 << 20
AGENT_HEADER = "talk/1"


@dataclass(frozen=True)
class Turn:
    method: str
    path: str
    status: int
    response: int
    is_size_told: bool = True  # else the framing went beyond what is captured, and the span says no size
    query: str = ""
    body: bytes | None = None
    error: str | None = None

    def __str__(self):
        return f"{self.method} {self.target} {self.status}"

    @property
    def target(self):
        return self.path + ("?" + self.query if self.query else "")


TALK = (
    Turn("GET", "/hello", 200, 5, query="name=ann"),
    Turn("POST", "/echo", 200, 300, body=b"b" * 300),
    Turn("POST", "/echo", 200, BIG, body=b"u" * BIG),
    Turn("GET", "/missing", 404, 7),
    Turn("GET", "/broken", 500, 6, error="500"),
    Turn("GET", "/big", 200, BIG),
    Turn("GET", "/chunked", 200, 11),
    Turn("GET", "/stream", 200, BIG, is_size_told=False),
    Turn("HEAD", "/hello", 200, 0),
    Turn("GET", "/hello", 200, 5),
)


def say(turn, port, connection=None, headers=None, host="127.0.0.1"):
    """One turn; the answer must be what the talk says, or the server is not the one that was meant."""
    status, body = request(port, turn.method, turn.target, body=turn.body, connection=connection, host=host,
                           headers={"User-Agent": AGENT_HEADER, **(headers or {})})
    assert (status, len(body)) == (turn.status, turn.response), f"{turn}: {status}, {len(body)} bytes: {body[:500]}"


STREAM = next(turn for turn in TALK if turn.path == "/stream")


def talk(port):
    """The talk on one connection, then again with one for each turn; returns the turns."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    for turn in TALK:
        say(turn, port, connection)
    connection.close()
    for turn in TALK:
        say(turn, port, headers={"Connection": "close"})
    return TALK + TALK


def expected_server(turn, port, **more):
    """All attributes of a server span but the two that differ from run to run."""
    wanted = {"http.request.method": turn.method, "http.response.status_code": turn.status, "url.path": turn.path,
              "url.scheme": "http", "server.address": "127.0.0.1", "server.port": port, "client.address": "127.0.0.1",
              "network.peer.address": "127.0.0.1", "network.protocol.version": "1.1",
              "user_agent.original": AGENT_HEADER, "http.request.body.size": len(turn.body or b""),
              "http.response.body.size": turn.response, "http.route": turn.path}
    if not turn.is_size_told:
        del wanted["http.response.body.size"]
    if turn.query:
        wanted["url.query"] = turn.query
    if turn.error:
        wanted["error.type"] = turn.error
    wanted.update(more)
    return {key: value for key, value in wanted.items() if value is not None}


def expected_client(turn, port, **more):
    """The same of a client's span, which says the whole URL."""
    error = str(turn.status) if turn.status >= 400 else None
    return expected_server(turn, port, **{"client.address": None, "http.route": None, "network.peer.port": port, "error.type": error,
                                          "url.full": f"http://127.0.0.1:{port}{turn.target}", **more})


def steady(span, peer=True):
    """A span's attributes without those that differ from run to run, which are checked here."""
    found = dict(span.attributes)
    assert found.pop("waggle.time_to_first_byte") > 0, span
    if span.kind == "server" and peer:
        assert 1024 <= found.pop("network.peer.port") <= 65535, span
    return found


@dataclass
class Server:
    """A server of the table. argv: its command with {port} in it, or a function from port to command."""
    name: str
    service: str
    language: str
    argv: tuple | Callable = ()
    cwd: str | None = None
    env: dict = field(default_factory=dict)
    runtime: str | None = "same as the language"
    differs: dict = field(default_factory=dict)
    ready: str = ""  # what it prints when it may be connected to; else its port tells
    port: int = 0
    child: Child | None = None

    def start(self):
        self.port = free_port()
        argv = self.argv(self.port) if callable(self.argv) else [a.replace("{port}", str(self.port)) for a in self.argv]
        self.child = Child(argv, cwd=self.cwd, env=self.env)

    def wait(self):
        if self.ready:
            wait_for(lambda: self.ready in self.child.output(), f"{self.name} to be ready")
        self.child.wait_port(self.port)


class ServerTest(unittest.TestCase):
    """Fill in SERVERS by @talks(...): one agent on all of them, one test for each."""
    SERVERS: tuple = ()
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        for server in cls.SERVERS:
            server.start()
        for server in cls.SERVERS:
            server.wait()
        cls.agent = Agent(services=[{"open_ports": ",".join(str(s.port) for s in cls.SERVERS)}])

    @classmethod
    def tearDownClass(cls):
        try:
            cls.agent.check_books()
        finally:
            cls.agent.stop()
            cls.agent.sink.stop()
            for server in cls.SERVERS:
                server.child.stop()
        cls.agent.expect_no_more()

    def check_server(self, server):
        turns = talk(server.port)
        spans = self.agent.expect_spans(len(turns), lambda s: s["server.port"] == server.port)
        for turn, span in zip(turns, spans):
            with self.subTest(turn=str(turn)):
                self.check_span(server, turn, span)
        for before, after in zip(spans, spans[1:]):
            self.assertLessEqual(before.end, after.start, (before, after))
        self.check_identity(server, spans)
        self.check_metrics(server, turns)
        self.check_end_of_stream(server)

    def check_end_of_stream(self, server, count=1):
        """A response far beyond what is captured ends when it ends: neither the next request nor a close tells."""
        seen = {span.span_id for span in self.agent.spans()}
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        say(STREAM, server.port, connection)
        spans = self.agent.expect_spans(count, lambda s: s.span_id not in seen)
        self.check_span(server, STREAM, spans[0])
        self.assertEqual([span["waggle.incomplete"] for span in spans], [None] * count)
        connection.close()

    def check_span(self, server, turn, span):
        self.assertEqual(steady(span), expected_server(turn, server.port, **server.differs))
        self.assertEqual((span.kind, span.name), ("server", f"{turn.method} {turn.path}"))
        self.assertEqual(span.is_error, turn.error is not None)
        self.assertEqual((span.parent, span.links), ("", []))
        self.assertGreater(span.end, span.start)

    def check_identity(self, server, spans):
        self.assertEqual(len({s.trace_id for s in spans}), len(spans))
        language = "" if server.runtime is None else server.language
        self.assertEqual({(s.service, s.resource["telemetry.sdk.language"], s.resource.get("process.runtime.name", ""))
                          for s in spans}, {(server.service, server.language, language)})
        self.assertEqual(len({s.resource["service.instance.id"] for s in spans}), 1)

    def check_metrics(self, server, turns):
        check_increments(self, self.agent, "server", server.service, [
            (turn, {"http_request_method": turn.method, "http_route": turn.path, "http_response_status_code": str(turn.status)})
            for turn in turns])


def check_increments(test, agent, side, job, labelled):
    """What was counted of a job is what was said: exchanges and the sizes of bodies, by the labels given with each turn."""
    scrape = agent.metrics()
    keys = labelled[0][1].keys()

    def told(instrument):
        found = Counter()
        for (name, labels), value in scrape.items():
            labels = dict(labels)
            if name == f"http_{side}_{instrument}" and labels["job"] == job:
                found[tuple(labels[key] for key in keys)] += value
        return dict(found)

    def said(value):
        found = Counter()
        for turn, labels in labelled:
            if value(turn) is not None:
                found[tuple(labels.values())] += value(turn)
        return dict(found)

    test.assertEqual(told("request_duration_seconds_count"), said(lambda turn: 1))
    for instrument, size in (("request_body_size_bytes", lambda turn: len(turn.body or b"")),
                             ("response_body_size_bytes", lambda turn: turn.response if turn.is_size_told else None)):
        test.assertEqual(told(instrument + "_sum"), said(size), instrument)
        test.assertEqual(told(instrument + "_count"), said(lambda turn: None if size(turn) is None else 1), instrument)


def talks(*servers):
    """Gives a ServerTest its servers, and a test for each."""
    def fill(cls):
        cls.SERVERS = servers
        for server in servers:
            def test(self, server=server):
                self.check_server(server)
            setattr(cls, f"test_{server.name}", test)
        return cls
    return fill


def service_folder(*names):
    return os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "services", *names)


def body_file(size):
    """The lines of curl's configuration are too short for a body."""
    with tempfile.NamedTemporaryFile(prefix="waggle-body-", delete=False) as file:
        file.write(b"b" * size)
    atexit.register(os.unlink, file.name)
    return file.name
