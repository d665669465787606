#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""gunicorn with Flask on a UNIX stream socket: behind nginx, where both ends are seen, and selected for that listener alone."""
import os
import subprocess
import tempfile
import unittest

from harness import Agent, Child, wait_for
from proxies import nginx_proxy
from talk import AGENT_HEADER, ServerTest, Turn, expected_client, expected_server, service_folder, steady, talk

PYTHON = "/usr/bin/python3"


def gunicorn(path, workers=1):
    return Child([PYTHON, "-m", "gunicorn", "-w", str(workers), "-b", "unix:" + path, "flask_shop:app"],
                 cwd=service_folder("python"), env={"PYTHONDONTWRITEBYTECODE": "1"})


def wait_for_workers(server, count=1):
    wait_for(lambda: server.output().count("Booting worker") == count, "gunicorn's workers")


def over_unix(path, expected):
    """The attributes of an exchange on the UNIX socket, given those that it would have on TCP."""
    gone = ("server.port", "client.address", "network.peer.address", "network.peer.port")
    return {**{k: v for k, v in expected.items() if k not in gone}, "network.transport": "unix", "server.address": path}


class UnixUpstream(ServerTest):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="waggle-unix-")
        cls.path = os.path.join(cls.folder, "shop.sock")
        cls.back = gunicorn(cls.path, workers=2)
        cls.front = nginx_proxy("unix:" + cls.path)
        cls.front.start()
        cls.front.wait()
        wait_for_workers(cls.back, 2)
        cls.agent = Agent(services=[{"open_ports": str(cls.front.port)}, {"cmd_args": cls.path}])
        # Each a parent and its workers.
        wait_for(lambda: cls.agent.metric_sum("waggle_processes_watched") == 5, "all to be watched")

    @classmethod
    def tearDownClass(cls):
        cls.agent.stop()
        cls.agent.sink.stop()
        cls.front.child.stop()
        cls.back.stop()
        cls.agent.expect_no_more()

    def test_both_ends(self):
        turns = talk(self.front.port)
        spans = self.agent.expect_spans(3 * len(turns))
        fronts, calls, backs = ([s for s in spans if (s.kind, s.service) == what] for what in
                                (("server", "nginx"), ("client", "nginx"), ("server", "flask_shop")))
        self.assertEqual([len(fronts), len(calls), len(backs)], [len(turns)] * 3)
        for at, (turn, front, call, back) in enumerate(zip(turns, fronts, calls, backs)):
            with self.subTest(turn=str(turn), at=at):
                self.check_span(self.front, turn, front)
                self.assertEqual(steady(call), over_unix(self.path, expected_client(turn, self.front.port, **{"waggle.parent": "thread"})))
                self.assertEqual((call.trace_id, call.parent), (front.trace_id, front.span_id))
                self.assertEqual(steady(back, peer=False), over_unix(self.path, expected_server(turn, self.front.port)))
                self.assertTrue(front.start <= call.start <= back.start < back.end <= call.end <= front.end)
        self.check_identity(self.front, fronts)
        self.check_metrics(self.front, turns)


# Its answers end with the connection, which it closes; or it says first that it sends no more, and closes when the client has.
UNTIL_THE_END = """
import http.server, select, socket, socketserver, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"x" * 100)
    def log_message(self, *_):
        pass
class Server(socketserver.ThreadingUnixStreamServer):
    def shutdown_request(self, request):
        if sys.argv[2:]:
            request.shutdown(socket.SHUT_WR)
            waiting = select.poll()
            waiting.register(request, select.POLLRDHUP)
            waiting.poll()
        request.close()
Server(sys.argv[1], Handler).serve_forever()
"""


class SeveralRings(unittest.TestCase):
    def test_the_other_end_tells_of_the_end(self):
        """Whichever reader hears of it: a UNIX socket's close is seen by who reads from the other end."""
        self.check()

    def test_the_other_end_tells_that_no_more_is_sent(self):
        self.check("shutdown")

    def check(self, *options):
        path = os.path.join(tempfile.mkdtemp(prefix="waggle-unix-"), "end.sock")
        server = Child([PYTHON, "-c", UNTIL_THE_END, path, *options])
        self.addCleanup(server.stop)
        wait_for(lambda: os.path.exists(path), "the server")
        agent = Agent(services=[{"cmd_args": path}], config="ebpf: {rings: 4}\n")
        self.addCleanup(agent.sink.stop)
        self.addCleanup(agent.stop)
        wait_for(lambda: agent.metric_sum("waggle_processes_watched") == 1, "the server to be watched")
        for _ in range(8):  # each a process of its own, so that it has any of the rings
            done = subprocess.run(["curl", "-sS", "--unix-socket", path, "http://shop/end"], capture_output=True, text=True, timeout=20)
            self.assertEqual((done.returncode, done.stdout), (0, "x" * 100), done.stderr)
        spans = agent.expect_spans(16)
        for span in spans:
            self.assertEqual((span["http.response.status_code"], span["http.response.body.size"], span["waggle.incomplete"]),
                             (200, 100, None), span)
        self.assertEqual(sorted(s.kind for s in spans), ["client"] * 8 + ["server"] * 8)
        agent.check_books()


class UnixListener(unittest.TestCase):
    maxDiff = None

    def check(self, is_agent_first):
        path = os.path.join(tempfile.mkdtemp(prefix="waggle-unix-"), "shop.sock")
        agent = server = None
        try:
            if is_agent_first:
                agent = Agent(services=[{"any_listener": True, "cmd_args": path}])
                self.assertEqual(agent.metric_sum("waggle_processes_watched"), 0)
            server = gunicorn(path)
            wait_for_workers(server)
            agent = agent or Agent(services=[{"any_listener": True, "cmd_args": path}])
            wait_for(lambda: agent.metric_sum("waggle_processes_watched") == 2, "gunicorn and its worker to be watched")
            done = subprocess.run(["curl", "-sS", "-A", AGENT_HEADER, "--unix-socket", path, "http://shop/hello"],
                                  capture_output=True, text=True, timeout=20)
            self.assertEqual((done.returncode, done.stdout), (0, "hello"), done.stderr)
            span, = agent.expect_spans(1)
            self.assertEqual(steady(span, peer=False), over_unix(path, expected_server(Turn("GET", "/hello", 200, 5), None)))
            self.assertEqual((span.kind, span.service, span.parent), ("server", "flask_shop", ""))
            agent.stop()
            agent.expect_no_more()
        finally:
            if server:
                server.stop()
            if agent:
                agent.stop()
                agent.sink.stop()

    def test_agent_first(self):
        self.check(is_agent_first=True)

    def test_agent_second(self):
        self.check(is_agent_first=False)


if __name__ == "__main__":
    unittest.main(verbosity=2)
