#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Exchanges that last: events that a server sends, a long poll, an upgrade, a download. While they last they are
counted as open; one that lasts longer than max_exchange_age is exported once, incomplete, its status unknown. Requests
that get no answer."""
import socket
import struct
import subprocess
import unittest

from harness import Agent, Child, free_port, subset, wait_for

AGE = 1.5
HEAD = b"Content-Length: %d\r\n\r\n"
# It has no part in the timing: the test says by its standard input what it does next.
SERVER = """
import socket, struct, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
connections = {}
for line in sys.stdin:
    what, name, *rest = line.split()
    if what == "take":
        connections[name], _ = listener.accept()
        print(connections[name].recv(65536).split()[1].decode(), flush=True)
    elif what == "say":
        connections[name].sendall(bytes.fromhex(rest[0]))
        print("said", flush=True)
    elif what == "hear":
        print(len(connections[name].recv(65536)), flush=True)
    elif what == "reset":
        connections[name].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connections.pop(name).close()
        print("reset", flush=True)
    elif what == "close":
        connections.pop(name).close()
        print("closed", flush=True)
"""


class Long(unittest.TestCase):
    CONFIG = f"ebpf:\n  max_exchange_age: {int(AGE * 1000)}ms\n"

    def setUp(self):
        self.port = free_port()
        self.server = Child(["/usr/bin/python3", "-c", SERVER, str(self.port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.agent = Agent(services=[{"open_ports": str(self.port)}], config=self.CONFIG)
        self.addCleanup(self.end)
        wait_for(lambda: self.agent.metric_sum("waggle_processes_watched") == 1, "the server to be watched")
        self.count = 0

    def end(self):
        self.agent.stop()
        self.agent.sink.stop()
        self.server.stop()

    def tell(self, *words):
        self.server.process.stdin.write((" ".join(words) + "\n").encode())
        self.server.process.stdin.flush()
        return self.server.process.stdout.readline().decode().strip()

    def ask(self, path, headers=b""):
        """A connection with a request that the server has read."""
        client = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        self.addCleanup(client.close)
        client.sendall(b"GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n" % (path.encode(), headers))
        self.assertEqual(self.tell("take", path), path)
        return client

    def say(self, path, data):
        self.assertEqual(self.tell("say", path, data.hex()), "said")

    def open(self):
        return self.agent.metric_sum("waggle_exchanges_open")

    def wait_open(self, count):
        wait_for(lambda: self.open() == count, f"{count} open exchanges")

    def expect_one(self, path, **expected):
        span, = self.agent.expect_spans(1, lambda s: s["url.path"] == path)
        subset(span, http__request__method="GET", **expected)
        self.assertEqual(span.kind, "server")
        return span

    def expect_aged(self, path, status=None):
        """The span says the status when the answer has begun; the metrics never do, since its end is not known."""
        span = self.expect_one(path, waggle__incomplete="max_exchange_age", http__response__status_code=status,
                               http__response__body__size=None)
        self.assertFalse(span.is_error)
        self.assertEqual(span.end - span.start, AGE * 1e9)
        wait_for(self.counted, "the exchange in the metrics")
        self.assertEqual({labels.get("http_response_status_code") for labels in self.counted()}, {None})
        return span

    def counted(self):
        """The labels of the exchanges that the metrics have."""
        return [dict(labels) for name, labels in self.agent.metrics() if name == "http_server_request_duration_seconds_count"]

    def expect_no_second(self, path):
        """An exchange that came after it has been exported: nothing more is under way."""
        self.ask("/after")
        self.say("/after", b"HTTP/1.1 204 No Content\r\n\r\n")
        self.expect_one("/after", http__response__status_code=204)
        self.assertEqual(len(self.agent.spans(lambda s: s["url.path"] == path)), 1)
        self.assertEqual(self.agent.metric_sum("http_server_request_duration_seconds_count"), len(self.agent.spans()))

    def test_long_poll(self):
        client = self.ask("/poll")
        self.wait_open(1)
        self.assertEqual(self.agent.spans(), [])
        self.expect_aged("/poll")
        self.assertEqual(self.open(), 1)
        self.say("/poll", b"HTTP/1.1 200 OK\r\n" + HEAD % 2 + b"ok")
        self.assertEqual(client.recv(100)[-2:], b"ok")
        self.wait_open(0)
        self.expect_no_second("/poll")

    def test_short_poll(self):
        """Answered in time, it is an exchange as any other."""
        self.ask("/poll")
        self.wait_open(1)
        self.say("/poll", b"HTTP/1.1 200 OK\r\n" + HEAD % 2 + b"ok")
        self.expect_one("/poll", waggle__incomplete=None, http__response__status_code=200, http__response__body__size=2)
        self.wait_open(0)

    def test_several_polls(self):
        for i in range(5):
            self.ask(f"/poll/{i}")
            self.wait_open(i + 1)
        for i in range(5):
            self.expect_aged(f"/poll/{i}")
        for i in range(5):
            self.assertEqual(self.tell("close", f"/poll/{i}"), "closed")
            self.wait_open(4 - i)
        self.expect_no_second("/poll/0")

    def test_events(self):
        self.ask("/events", b"Accept: text/event-stream\r\n")
        self.say("/events", b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        event = b"data: something happened\n\n"
        said = 0

        def go_on():
            nonlocal said
            said += 1
            self.say("/events", b"%x\r\n%s\r\n" % (len(event), event))
            return self.agent.spans()
        wait_for(go_on, "the exchange to be too old")
        self.assertGreater(said, 10)
        self.expect_aged("/events", status=200)
        self.assertEqual(self.open(), 1)
        self.say("/events", b"0\r\n\r\n")
        self.wait_open(0)
        self.expect_no_second("/events")

    def test_download(self):
        client = self.ask("/file")
        piece = b"x" * 100000
        head = b"HTTP/1.1 200 OK\r\n" + HEAD % (100 * len(piece))
        self.say("/file", head)
        for i in range(100):
            if i == 50:
                self.wait_open(1)
                self.expect_aged("/file", status=200)
            self.say("/file", piece)
            left = len(piece) if i else len(piece) + len(head)
            while left:
                left -= len(client.recv(left))
        self.wait_open(0)
        self.expect_no_second("/file")

    def test_upgrade(self):
        """The upgrade is the exchange; what follows is not HTTP, whatever it looks like."""
        client = self.ask("/chat", b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                                   b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
        self.say("/chat", b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        span = self.expect_one("/chat", waggle__incomplete=None, http__response__status_code=101)
        self.assertLess(span.end - span.start, AGE * 1e9)
        self.wait_open(0)
        for i in range(20):
            frame = b"GET /frame HTTP/1.1\r\nHost: x\r\n\r\n" if i % 2 else b"\x81\x85\x01\x02\x03\x04hello"
            client.sendall(frame)
            self.assertEqual(self.tell("hear", "/chat"), str(len(frame)))
            self.say("/chat", b"HTTP/1.1 200 OK\r\n" + HEAD % 0 if i % 2 else b"\x81\x05hello")
        self.expect_no_second("/chat")
        self.assertEqual({s["url.path"] for s in self.agent.spans()}, {"/chat", "/after"})

    def test_reset_by_the_server(self):
        client = self.ask("/dropped")
        self.assertEqual(self.tell("reset", "/dropped"), "reset")
        with self.assertRaises(ConnectionResetError):
            client.recv(1)
        self.expect_lost("/dropped")

    def test_reset_by_the_client(self):
        client = self.ask("/left")
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        self.expect_lost("/left")

    def test_closed_without_an_answer(self):
        client = self.ask("/closed")
        self.assertEqual(self.tell("close", "/closed"), "closed")
        self.assertEqual(client.recv(1), b"")
        self.expect_lost("/closed")

    def test_server_is_killed(self):
        self.ask("/killed")
        self.wait_open(1)
        self.server.process.kill()
        self.expect_lost("/killed")

    def expect_lost(self, path):
        self.expect_one(path, waggle__incomplete="connection_closed", http__response__status_code=None,
                        http__response__body__size=None, error__type="connection_closed")
        self.wait_open(0)


class Timeout(Long):
    """http_request_timeout is what Beyla says of a request without an answer: 408."""
    CONFIG = f"ebpf:\n  http_request_timeout: {int(AGE * 1000)}ms\n"

    def expect_aged(self, path):
        span = self.expect_one(path, waggle__incomplete="timeout", http__response__status_code=408)
        self.assertEqual(span.end - span.start, AGE * 1e9)
        return span


# What has begun to be answered has no such timeout.
for _name in ("test_events", "test_download"):
    setattr(Timeout, _name, None)


if __name__ == "__main__":
    unittest.main(verbosity=2)
