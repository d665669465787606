#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Several agents on one host, agents that are killed, and traffic that no agent can read."""
import http.client
import os
import re
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import unittest

from bpf_objects import KINDS, alive, held
from harness import DEADLINE, WAGGLE, Agent, Child, free_port, request, wait_for
from services import nginx


class Load:
    """Threads that call a server until told to stop, on one connection each and on new ones; failures are kept."""

    def __init__(self, port, threads=4):
        self.port, self.failures, self.count = port, [], 0
        self.is_over = threading.Event()
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run, args=(number % 2 == 0,), daemon=True) for number in range(threads)]
        for thread in self.threads:
            thread.start()

    def run(self, keeps):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20) if keeps else None
        while not self.is_over.is_set():
            try:
                status, body = request(self.port, path="/load", connection=connection)
                if (status, body) != (200, b"hello"):
                    raise AssertionError(f"{status} {body}")
            except Exception as error:  # whatever goes wrong is what the test is about
                self.failures.append(error)
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20) if keeps else None
            with self.lock:
                self.count += 1

    def wait(self, more):
        start = self.count
        wait_for(lambda: self.count >= start + more, f"{more} requests")

    def stop(self):
        self.is_over.set()
        for thread in self.threads:
            thread.join(DEADLINE)
        return self.failures


class Agents(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server, cls.port = nginx(workers=2)

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def agent(self):
        return Agent(services=[{"open_ports": str(self.port)}])

    def test_two_at_once(self):
        """Each sees every request once, and one that ends takes nothing from the other."""
        with self.agent() as first:
            with self.agent() as second:
                for turn in range(50):
                    request(self.port, path=f"/both?turn={turn}")
                for agent in (first, second):
                    spans = agent.expect_spans(50)
                    self.assertEqual([s["url.query"] for s in spans], [f"turn={turn}" for turn in range(50)])
                self.assertNotEqual({s.span_id for s in first.spans()}, {s.span_id for s in second.spans()})
            for turn in range(50):
                request(self.port, path=f"/one?turn={turn}")
            self.assertEqual(len(first.expect_spans(50, lambda s: s["url.path"] == "/one")), 50)
            self.assertEqual(len(first.spans()), 100)
            self.assertEqual(len(second.spans()), 50)

    def test_one_does_not_watch_the_other(self):
        both = f"^nginx: |^{re.escape(WAGGLE)} run"
        with Agent(services=[{"any_listener": True, "cmd_args": both}]) as first:
            with Agent(services=[{"cmd_args": both}]) as second:
                for agent in (first, second):
                    agent.get("/metrics")
                request(self.port, path="/after")
                for agent in (first, second):
                    agent.expect_spans(1, lambda s: s["url.path"] == "/after")
                    self.assertEqual({s.service for s in agent.spans()} - {"nginx"}, set(), agent.spans())

    def test_killed_under_load(self):
        """kill -9: no request fails, and nothing of the agent stays in the kernel."""
        load = Load(self.port)
        try:
            for _ in range(3):
                agent = self.agent()
                wait_for(lambda: len(agent.spans()) > 50, "spans under load")
                mine = {kind: held(kind, agent.child.pid) for kind in KINDS}
                for kind, ids in mine.items():
                    self.assertTrue(ids and ids <= alive(kind), f"{kind}: {ids}")
                load.wait(100)
                self.assertEqual(agent.stop(signal.SIGKILL), -signal.SIGKILL)
                agent.sink.stop()
                for kind, ids in mine.items():
                    wait_for(lambda: not ids & alive(kind), f"the end of the agent's {kind}s")
                load.wait(100)
        finally:
            failures = load.stop()
        self.assertEqual(failures, [])
        self.assertGreater(load.count, 600)

    def test_killed_beside_another(self):
        """One that is killed harms neither the load nor what another agent counts."""
        with self.agent() as steady:
            before = steady.metric_sum("http_server_request_duration_seconds_count")
            load = Load(self.port)
            try:
                for _ in range(2):
                    agent = self.agent()
                    wait_for(lambda: len(agent.spans()) > 20, "spans under load")
                    agent.stop(signal.SIGKILL)
                    agent.sink.stop()
                    load.wait(50)
            finally:
                failures = load.stop()
            self.assertEqual(failures, [])
            counted = lambda: steady.metric_sum("http_server_request_duration_seconds_count") - before
            wait_for(lambda: counted() >= load.count, f"{load.count} requests counted")
            self.assertEqual(counted(), load.count)
            self.assertEqual(steady.metric_sum("waggle_events_lost_total"), 0)

    def test_stopped_and_started(self):
        """Connections older than the agent, with one that was there before, are picked up again."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        request(self.port, path="/none", connection=connection)
        for turn in range(2):
            with self.agent() as agent:
                for _ in range(3):
                    request(self.port, path=f"/turn/{turn}", connection=connection)
                spans = agent.expect_spans(3)
                self.assertEqual({(s.kind, s["url.path"], s["waggle.incomplete"]) for s in spans}, {("server", f"/turn/{turn}", None)})
        connection.close()


class Upper(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line.upper())


class Unreadable(unittest.TestCase):
    def test_is_counted_by_process(self):
        """A protocol nobody knows: no span, but what was not read is told for each process."""
        port = free_port()
        server = Child([sys.executable, os.path.abspath(__file__), "upper", str(port)]).wait_port(port)
        self.addCleanup(server.stop)
        with Agent(services=[{"open_ports": str(port), "name": "upper"}]) as agent:
            with socket.create_connection(("127.0.0.1", port), timeout=10) as caller:
                line = b"~ what is this?\n"

                def ask():
                    caller.sendall(line)
                    self.assertEqual(caller.recv(100), line.upper())
                for _ in range(3):
                    ask()
                labels = {"service_name": "upper", "process_pid": str(server.pid), "server_port": str(port)}
                wait_for(lambda: agent.metric_sum("waggle_undecoded_connections_total", **labels) == 1, "the connection to be counted")
                self.assertGreaterEqual(agent.metric_sum("waggle_undecoded_size_bytes_total", **labels), 16)
                # From then on the kernel side counts bytes, and tells nothing.
                muted = lambda: agent.metric_sum("waggle_capture_muted_bytes_total")
                wait_for(lambda: ask() or muted(), "the connection to be muted")
                events = agent.metric_sum("waggle_events_read_total")
                size, before = agent.metric_sum("waggle_undecoded_size_bytes_total"), muted()
                for _ in range(100):
                    ask()
                wait_for(lambda: muted() - before >= 200 * len(line), "the bytes to be counted")
                self.assertEqual(agent.metric_sum("waggle_undecoded_size_bytes_total"), size)
                self.assertLess(agent.metric_sum("waggle_events_read_total") - events, 20)
            self.assertEqual(agent.metric_sum("waggle_undecoded_connections_total"), 1)
            self.assertEqual(agent.spans(), [])


if __name__ == "__main__":
    if sys.argv[1:2] == ["upper"]:
        socketserver.ThreadingTCPServer.allow_reuse_address = True
        socketserver.ThreadingTCPServer(("127.0.0.1", int(sys.argv[2])), Upper).serve_forever()
    unittest.main(verbosity=2)
