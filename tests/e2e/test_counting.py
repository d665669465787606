#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Over cpu_limit requests are only counted, in the kernel: those over TLS as well, each once, whichever way the library uses
its socket, on connections that were there before and on new ones; or as missed, where nobody can tell who asks."""
import http.client
import subprocess
import time
import unittest

from artefacts import go_tls
from harness import Agent, Child, free_port, request, wait_for
from talk import service_folder
from test_tls_memory import PYTHON, asyncio_client, node
from tls import certificate, client_context, drive, key, nginx_tls

OLD, NEW, EACH = 4, 6, 5  # connections, and requests of each


class Counting(unittest.TestCase):
    def agent(self, services, **more):
        agent = Agent(services=services, config="cpu_limit: 0.001\n", **more)
        self.addCleanup(agent.sink.stop)
        self.addCleanup(agent.stop)
        return agent

    def wait_counting(self, agent):
        wait_for(lambda: agent.metric_sum("waggle_overload_step") == 3, "requests to be only counted", 60)

    def connections(self, port, count):
        made = [http.client.HTTPSConnection("localhost", port, context=client_context(), timeout=20) for _ in range(count)]
        for connection in made:
            self.addCleanup(connection.close)
        return made

    def ask(self, port, connections):
        for _ in range(EACH):
            for connection in connections:
                self.assertEqual(request(port, path="/counted", connection=connection)[0], 200)

    def books(self, agent):
        return {"counted": int(agent.metric_sum("waggle_requests_counted_total")),
                "unknown": int(agent.metric_sum("waggle_requests_missed_total", cause="role_unknown")),
                "missed": int(agent.metric_sum("waggle_requests_missed_total")),
                "unanswered": int(agent.metric_sum("waggle_requests_counted_unanswered_total"))}

    def expect(self, agent, counted, unknown=0, late=0):
        """As many answers as `late` may be told after the next request of their connections: they are missing then."""
        want = {"counted": counted, "unknown": unknown, "missed": unknown, "unanswered": 0}
        is_it = lambda books: {**books, "unanswered": max(0, books["unanswered"] - late)} == want
        try:
            wait_for(lambda: is_it(self.books(agent)), "the books")
        except AssertionError:
            self.assertEqual(self.books(agent), want, agent.child.output()[-2000:])

    def expect_timed(self, agent, count, port, role, open_at_end=0):
        timed = agent.metric_sum("waggle_counted_request_duration_seconds_count", server_port=str(port), waggle_role=role)
        self.assertLessEqual(timed, count)
        self.assertLessEqual(count - open_at_end, timed)
        seconds = agent.metric_sum("waggle_counted_request_duration_seconds_sum", server_port=str(port), waggle_role=role)
        self.assertTrue(0 < seconds < 20, seconds)

    def check_server(self, start, processes=1, unknown=False, late=0):
        """`unknown`: of new connections nobody can tell who asks, as the library sees no socket."""
        server, port = start()
        self.addCleanup(server.stop)
        agent = self.agent([{"open_ports": str(port)}])
        wait_for(lambda: agent.metric_sum("waggle_tls_processes") == processes, "the server's library to be read")
        old = self.connections(port, OLD)
        self.ask(port, old)
        agent.expect_spans(OLD * EACH)
        self.wait_counting(agent)
        before = self.books(agent)["counted"]
        self.ask(port, old)
        new = self.connections(port, NEW)
        self.ask(port, new)
        for connection in new:
            connection.close()
        for connection in old:
            connection.close()
        count = OLD * EACH + (0 if unknown else NEW * EACH)
        self.expect(agent, before + count, NEW * EACH if unknown else 0, late)
        if before == 0:
            self.expect_timed(agent, count, port, "server", late)
        self.assertGreater(agent.metric_sum("waggle_probe_timed_runs_total"), 0)

    def check_client(self, client, unknown=False, drive=lambda client, port: drive(client, port, NEW, EACH)):
        server, port = nginx_tls()
        self.addCleanup(server.stop)
        self.addCleanup(client.stop)
        agent = self.agent([{"pids": [client.pid]}])
        wait_for(lambda: agent.metric_sum("waggle_tls_processes") == 1, "the client's library to be read")
        self.wait_counting(agent)
        drive(client, port)
        self.expect(agent, *((0, NEW * EACH) if unknown else (NEW * EACH, 0)))
        if not unknown:
            self.expect_timed(agent, NEW * EACH, port, "client", NEW)  # some end without closing their sessions

    def test_server_that_closes_first(self):
        """The kernel gives its port back before it says that the connection has ended."""
        port = free_port()
        server = Child([PYTHON, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", "/var/empty"])
        self.addCleanup(server.wait_port(port).stop)
        agent = self.agent([{"open_ports": str(port)}])
        self.wait_counting(agent)
        before = self.books(agent)["counted"]
        for _ in range(EACH):
            self.assertEqual(request(port, path="/counted")[0], 404)
        self.expect(agent, before + EACH)
        self.expect_timed(agent, before + EACH, port, "server")

    def test_durations(self):
        """Each lasts as long as it does: longer than the server takes, and no longer than its client waits."""
        port, takes = free_port(), 0.2
        server = Child([PYTHON, "-c", "import http.server, time\n"
                        "class Slow(http.server.BaseHTTPRequestHandler):\n"
                        "    protocol_version = 'HTTP/1.1'\n"
                        "    def do_GET(self):\n"
                        f"        time.sleep({takes})\n"
                        "        self.send_response(204)\n"
                        "        self.end_headers()\n"
                        f"http.server.HTTPServer(('127.0.0.1', {port}), Slow).serve_forever()\n"])
        self.addCleanup(server.wait_port(port).stop)
        agent = self.agent([{"open_ports": str(port)}])
        wait_for(lambda: agent.metric_sum("waggle_processes_watched") == 1, "the server to be watched")
        self.wait_counting(agent)
        before, waited = self.books(agent)["counted"], 0
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        for _ in range(EACH):
            began = time.monotonic()
            self.assertEqual(request(port, path="/slow", connection=connection)[0], 204)
            waited += time.monotonic() - began
        connection.close()
        self.assertEqual(before, 0)
        self.expect(agent, EACH)
        timed = {"server_port": str(port), "waggle_role": "server"}
        wait_for(lambda: agent.metric_sum("waggle_counted_request_duration_seconds_count", **timed) == EACH, "the last one to be timed")
        told = agent.metric_sum("waggle_counted_request_duration_seconds_sum", **timed)
        self.assertTrue(EACH * takes <= told <= waited, (told, waited))
        at_most = lambda limit: agent.metric_sum("waggle_counted_request_duration_seconds_bucket", le=limit, **timed)
        self.assertEqual((at_most("0.1"), at_most("+Inf")), (0, EACH))

    def test_openssl_server(self):
        self.check_server(nginx_tls, processes=2)

    def test_go_server(self):
        def start():
            port = free_port()
            return Child([go_tls("vault"), "serve", str(port), certificate(), key()]).wait_port(port), port
        # Another goroutine has read ahead when a write returns.
        self.check_server(start, late=2)

    def test_memory_server(self):
        self.check_server(node, unknown=True)

    def test_openssl_client(self):
        def ask(client, port):
            client.process.communicate(f"{port} {certificate()} /counted\n".encode() * NEW * EACH, timeout=60)
            self.assertEqual(client.process.returncode, 0, client.output())
        self.check_client(Child([PYTHON, service_folder("tls/blocking_client.py")], stdin=subprocess.PIPE), drive=ask)

    def test_go_client(self):
        self.check_client(Child([go_tls("vault"), "call", "http/1.1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE))

    def test_memory_client(self):
        self.check_client(asyncio_client(), unknown=True)


if __name__ == "__main__":
    unittest.main(verbosity=2)
