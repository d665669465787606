#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whose connection it is: inherited by fork, handed to another process, duplicated, and by processes and descriptors
whose numbers were used before. Each test says exactly which process answered which request."""
import http.client
import os
import shutil
import subprocess
import tempfile
import unittest

from harness import DEADLINE, WAGGLE, Agent, Child, Sink, free_port, request, wait_for
from namespaces import INIT, inner, sandboxed
from talk import service_folder

PYTHON = "/usr/bin/python3"

# One request and its answer on a connection, by bare system calls.
COMMON = r"""
import array, os, socket, sys
def serve_one(connection, text, answer_by=None):
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece: return False
        data += piece
    (answer_by or connection).sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))
    return True
def listen(port):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(64)
    return listener
"""

FORK_PER_CONNECTION = COMMON + r"""
import signal
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
listener = listen(int(sys.argv[1]))
while True:
    connection, _ = listener.accept()
    if os.fork() == 0:
        listener.close()
        while serve_one(connection, b"%d" % os.getpid()): pass
        os._exit(0)
    connection.close()
"""

NO_BACKLOG = COMMON + r"""
listener = listen(int(sys.argv[1]))
listener.listen(0)
while True:
    connection, _ = listener.accept()
    while serve_one(connection, b"first come"): pass
    connection.close()
"""

PRE_FORK = COMMON + r"""
listener = listen(int(sys.argv[1]))
for _ in range(4):
    if os.fork() == 0:
        while True:
            connection, _ = listener.accept()
            while serve_one(connection, b"%d" % os.getpid()): pass
            connection.close()
os.wait()
"""

FORK_IN_THE_MIDDLE = COMMON + r"""
listener = listen(int(sys.argv[1]))
while True:
    connection, _ = listener.accept()
    serve_one(connection, b"parent")
    if os.fork() == 0:
        serve_one(connection, b"child")
        os._exit(0)
    os.wait()
    serve_one(connection, b"parent again")
    connection.close()
"""

DUPLICATED = COMMON + r"""
listener = listen(int(sys.argv[1]))
while True:
    connection, _ = listener.accept()
    copy = socket.socket(fileno=os.dup(connection.fileno()))
    while serve_one(connection, b"copy", answer_by=copy):
        # The first descriptor goes, its number is another's, the connection lives on.
        connection.close()
        connection = copy
        copy = socket.socket(fileno=os.dup(connection.fileno()))
    connection.close()
    copy.close()
"""

GIVER = COMMON + r"""
listener = listen(int(sys.argv[1]))
while True:
    connection, _ = listener.accept()
    serve_one(connection, b"giver")
    with socket.socket(socket.AF_UNIX) as to:
        to.connect(sys.argv[2])
        socket.send_fds(to, [b"x"], [connection.fileno()])
    connection.close()
"""

TAKER = COMMON + r"""
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen(8)
while True:
    channel, _ = listener.accept()
    _, descriptors, _, _ = socket.recv_fds(channel, 1, 1)
    channel.close()
    connection = socket.socket(fileno=descriptors[0])
    while serve_one(connection, b"taker"): pass
    connection.close()
"""


class Identity(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="waggle-identity-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.port = free_port()

    def program(self, name, text, *arguments):
        path = os.path.join(self.folder, name + ".py")
        with open(path, "w") as file:
            file.write(text)
        child = Child([PYTHON, path, *arguments])
        self.addCleanup(child.stop)
        return child

    def server(self, name, text, *arguments):
        return self.program(name, text, str(self.port), *arguments).wait_port(self.port)

    def ask(self, count, connection=None):
        """Bodies of so many requests, on one connection or on one for each."""
        bodies = []
        for turn in range(count):
            status, body = request(self.port, path=f"/turn/{turn}", connection=connection)
            self.assertEqual(status, 200)
            bodies.append(body.decode())
        return bodies

    def connection(self):
        made = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        self.addCleanup(made.close)
        return made

    def seen(self, agent, count):
        spans = agent.expect_spans(count)
        self.assertEqual({(s.kind, s["http.response.status_code"], s["waggle.incomplete"]) for s in spans}, {("server", 200, None)})
        return spans

    def check_forks(self, text, is_older):
        name = "forking"
        server = self.server(name, text) if is_older else None
        with Agent(services=[{"open_ports": str(self.port)}]) as agent:
            server = server or self.server(name, text)
            # One probe by wait_port was a connection without a request.
            bodies = self.ask(12)
            kept = self.connection()
            bodies += self.ask(4, kept)
            spans = self.seen(agent, 16)
            self.assertGreater(len(set(bodies)), 1)
            self.assertEqual([s["http.response.body.size"] for s in spans], [len(b) for b in bodies])
            # Workers are one instance of one service: their parent's.
            self.assertEqual({(s.service, s.resource["process.pid"]) for s in spans}, {(name, str(server.pid))})
            self.assertEqual(len({s.resource["service.instance.id"] for s in spans}), 1)

    def test_fork_for_each_connection(self):
        self.check_forks(FORK_PER_CONNECTION, is_older=False)

    def test_fork_for_each_connection_of_an_older_server(self):
        self.check_forks(FORK_PER_CONNECTION, is_older=True)

    def test_listening_socket_inherited(self):
        self.check_forks(PRE_FORK, is_older=False)

    def test_listening_socket_inherited_from_an_older_server(self):
        self.check_forks(PRE_FORK, is_older=True)

    def test_a_listener_without_backlog(self):
        """Its connections say nothing of having been accepted, as clients' do."""
        self.server("single", NO_BACKLOG)
        with Agent(services=[{"open_ports": str(self.port)}]) as agent:
            self.ask(3)
            self.ask(2, self.connection())
            self.seen(agent, 5)

    def test_connection_used_by_parent_and_child_in_turn(self):
        self.server("turns", FORK_IN_THE_MIDDLE)
        with Agent(services=[{"open_ports": str(self.port)}]) as agent:
            bodies = self.ask(3, self.connection())
            self.assertEqual(bodies, ["parent", "child", "parent again"])
            spans = self.seen(agent, 3)
            self.assertEqual([s["http.response.body.size"] for s in spans], [len(b) for b in bodies])

    def test_duplicated_descriptor(self):
        self.server("copies", DUPLICATED)
        with Agent(services=[{"open_ports": str(self.port)}]) as agent:
            connection = self.connection()
            self.assertEqual(self.ask(5, connection), ["copy"] * 5)
            connection.close()
            self.ask(3)
            self.assertEqual(len(self.seen(agent, 8)), 8)

    def pass_on(self, selectors, agent_first):
        path = os.path.join(self.folder, "passing")
        agent = Agent(services=selectors) if agent_first else None
        self.program("taker", TAKER, path)
        wait_for(lambda: os.path.exists(path), "the taker")
        self.server("giver", GIVER, path)
        agent = agent or Agent(services=selectors)
        connection = self.connection()
        self.assertEqual(self.ask(3, connection), ["giver", "taker", "taker"])
        connection.close()
        return agent

    def test_passed_to_a_watched_process(self):
        for agent_first in (True, False):
            with self.subTest(agent_first=agent_first):
                with self.pass_on([{"cmd_args": r"giver\.py"}, {"cmd_args": r"taker\.py"}], agent_first) as agent:
                    spans = self.seen(agent, 3)
                    self.assertEqual([(s.service, s["http.response.body.size"]) for s in spans],
                                     [("giver", 5), ("taker", 5), ("taker", 5)])
                self.doCleanups()
                self.setUp()

    def test_passed_to_an_unwatched_process(self):
        """What another answers is not the giver's: it has one span, of its own request."""
        with self.pass_on([{"cmd_args": r"giver\.py"}], True) as agent:
            self.ask(1)
            spans = self.seen(agent, 2)
            self.assertEqual({s.service for s in spans}, {"giver"})
            self.assertEqual([s["url.path"] for s in spans], ["/turn/0"] * 2)

    def test_passed_from_an_unwatched_process(self):
        """The taker's first message is the connection's second: it is picked up there."""
        with self.pass_on([{"cmd_args": r"taker\.py"}], True) as agent:
            spans = self.seen(agent, 2)
            self.assertEqual([(s.service, s["url.path"]) for s in spans], [("taker", "/turn/1"), ("taker", "/turn/2")])


class ReusedNumbers(unittest.TestCase):
    def test_descriptors(self):
        """Every connection of a server with one thread has the same descriptor."""
        port = free_port()
        with Agent(services=[{"open_ports": str(port)}]) as agent:
            server = Child([PYTHON, "orders.py", str(port)], cwd=service_folder("python")).wait_port(port)
            self.addCleanup(server.stop)
            for turn in range(30):
                request(port, path=f"/hello?turn={turn}")
            spans = agent.expect_spans(30)
            self.assertEqual([s["url.query"] for s in spans], [f"turn={turn}" for turn in range(30)])

    def test_process_ids(self):
        """Two programs, one after the other, with the same pid: each has its own name. The agent lives in their pid
        namespace, where the next pid can be chosen."""
        sink = Sink()
        self.addCleanup(sink.stop)
        folder = tempfile.mkdtemp(prefix="waggle-reuse-")
        self.addCleanup(shutil.rmtree, folder)
        container = sandboxed(INIT)
        self.addCleanup(container.stop)
        first = inner(container)
        port, scrapes = free_port(), free_port()
        config = os.path.join(folder, "waggle.yaml")
        with open(config, "w") as file:
            file.write(f"discovery:\n  services: [{{open_ports: {port}}}, {{cmd_args: other.py}}]\n"
                       f"otel_traces_export: {{endpoint: 'http://127.0.0.1:{sink.port}/v1/traces', protocol: http/json, batch_timeout: 50ms}}\n"
                       f"prometheus_export: {{port: {scrapes}, address: 127.0.0.1}}\n")

        def inside(argv, pid=None, **more):
            script = 'exec "$@"' if pid is None else f'echo {pid - 1} > /proc/sys/kernel/ns_last_pid; "$@"'
            child = Child(["nsenter", "-t", str(first), "-p", "-m", "sh", "-c", script, "sh", *argv], **more)
            self.addCleanup(child.stop)
            return child

        agent = inside([WAGGLE, "run", "--config", config], env={"ASAN_OPTIONS": "detect_leaks=0"})
        agent.wait_port(scrapes)
        wait_for(lambda: request(scrapes, path="/readyz")[0] == 200, "the agent to be ready")
        wanted = 20000
        for name in ("orders", "other", "orders"):
            script = os.path.join(folder, name + ".py")
            shutil.copy(os.path.join(service_folder("python"), "orders.py"), script)
            server = inside([PYTHON, script, str(port)], pid=wanted).wait_port(port)
            with open(f"/proc/{inner(server, depth=2)}/status") as file:
                self.assertIn(f"\t{wanted}\n", file.read())
            self.assertEqual(request(port, path="/hello")[0], 200)
            server.stop()
            wait_for(lambda: not self.is_there(first, wanted), "the end of the server")
        wait_for(lambda: len(sink.spans) >= 3, f"3 spans: {sink.spans}")
        spans = sorted(sink.spans, key=lambda s: s.start)
        self.assertEqual([(s.service, s.resource["process.pid"]) for s in spans],
                         [("orders", str(wanted)), ("other", str(wanted)), ("orders", str(wanted))])

    def is_there(self, first, pid):
        return subprocess.run(["nsenter", "-t", str(first), "-p", "-m", "test", "-e", f"/proc/{pid}"], timeout=DEADLINE).returncode == 0


if __name__ == "__main__":
    unittest.main(verbosity=2)
