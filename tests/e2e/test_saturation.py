#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""As fast as it goes: a Go client and a Go server, on TCP and on MPTCP, and nginx with wrk. At both ends every request
is there once, with the status and the size of its own answer, and both ends are joined."""
import re
import subprocess
import unittest

from artefacts import go_program
from harness import Agent, Child, free_port, wait_for
from services import nginx

REQUESTS = 10000
# Room for all that is said, however slow the agent's build and the machine are.
ROOM = f"memory_limit: 1GiB\nebpf: {{ring_bytes: {128 << 20}}}\n"
STATUS = (200, 201, 404, 500, 503)


def number_of(span):
    return int(span["url.path"].rsplit("/", 1)[1])


class Go(unittest.TestCase):
    MPTCP = "multipathtcp=0"
    ROOM = ROOM
    REQUESTS = REQUESTS
    APART = 0  # as many may be left unjoined

    @classmethod
    def setUpClass(cls):
        cls.port = free_port()
        cls.server = Child([go_program(), str(cls.port)], env={"GODEBUG": cls.MPTCP}).wait_port(cls.port)
        cls.client = Child([go_program(), "load"], env={"GODEBUG": cls.MPTCP}, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        cls.agent = Agent(services=[{"pids": [cls.server.pid, cls.client.pid]}], config=cls.ROOM)
        wait_for(lambda: cls.agent.metric_sum("waggle_processes_watched") == 2, "both to be watched")

    @classmethod
    def tearDownClass(cls):
        cls.agent.stop()
        cls.agent.sink.stop()
        cls.client.stop()
        cls.server.stop()

    def check(self, connections):
        path = f"/numbered/{connections}"
        self.client.process.stdin.write(f"http://127.0.0.1:{self.port}{path} {connections} {self.REQUESTS}\n".encode())
        self.client.process.stdin.flush()
        self.assertEqual(self.client.process.stdout.readline(), b"done\n", self.client.output())
        losses = lambda: {k: v for k, v in self.agent.metrics().items() if v and "_lost" in k[0]}  # noqa: E731
        try:
            self.agent.expect_spans(2 * self.REQUESTS, lambda s: (s["url.path"] or "").startswith(path + "/"), 60)
        except AssertionError as error:
            raise AssertionError(f"{str(error)[:300]}; {losses()}") from None
        spans = self.agent.spans(lambda s: (s["url.path"] or "").startswith(path + "/"))
        calls = {number_of(s): s for s in spans if s.kind == "client"}
        answers = {number_of(s): s for s in spans if s.kind == "server"}
        for ends in (calls, answers):
            self.assertEqual(set(ends), set(range(self.REQUESTS)))
            wrong = [s for n, s in ends.items() if (s["http.request.method"], s["http.response.status_code"],
                                                    s["http.response.body.size"], s["waggle.incomplete"])
                     != ("GET", STATUS[n % 5], n * 7 % 1999, None) or s.end < s.start]
            self.assertEqual(wrong[:3], [], f"{len(wrong)} of {self.REQUESTS}; {losses()}")
        self.check_joined(calls, answers)

    def check_joined(self, calls, answers):
        """Each with its own, though the kernel reports a send when it has returned, which may be after its answer."""
        apart = [n for n, s in answers.items() if (s.trace_id, s.parent) != (calls[n].trace_id, calls[n].span_id)]
        self.assertLessEqual(len(apart), self.APART, f"of {self.REQUESTS} are not joined")

    def test_1_connection(self):
        self.check(1)

    def test_16_connections(self):
        self.check(16)

    def test_64_connections(self):
        self.check(64)


class GoRings(Go):
    """The two ends' events come through different rings, to threads that know nothing of each other's order. As many
    as a reader lets wait when the other one is behind."""
    REQUESTS = 2000
    ROOM = f"memory_limit: 1GiB\nebpf: {{rings: 4, ring_bytes: {32 << 20}}}\n"


class GoMptcpListener(Go):
    """Go's default since 1.24: the listener speaks MPTCP, clients of TCP get a socket of TCP."""
    MPTCP = "multipathtcp=2"


class GoMptcp(Go):
    """Both ends on MPTCP, whose ends have no number in common that is known: they are not joined, nor with others."""
    MPTCP = "multipathtcp=1"

    def check_joined(self, calls, answers):
        wrong = [s for n, s in answers.items() if s.parent not in ("", calls[n].span_id)]
        self.assertEqual(wrong, [])


class Nginx(unittest.TestCase):
    def test_wrk(self):
        for workers, connections in ((1, 1), (2, 16), (2, 64)):
            with self.subTest(workers=workers, connections=connections):
                self.check_wrk(workers, connections)

    def test_requests_that_are_always_under_way(self):
        """64 on one connection, a new one for each answer: what the first of them are answered comes before the agent has looked."""
        server, port = nginx("location / { return 200 'hello'; }", http="keepalive_requests 1000000;")
        with Agent(services=[{"open_ports": str(port)}], traces=False, config=ROOM) as agent:
            wait_for(lambda: agent.metric_sum("waggle_processes_watched") == 2, "nginx to be watched")
            done = subprocess.run(["h2load", "--h1", "-n", str(REQUESTS), "-c", "1", "-m", "64", f"http://127.0.0.1:{port}/always"],
                                  capture_output=True, text=True, check=True).stdout
            self.assertIn(f"{REQUESTS} succeeded", done)
            count = lambda: agent.metric_sum("http_server_request_duration_seconds_count", http_response_status_code="200")  # noqa: E731
            wait_for(lambda: count() >= REQUESTS, f"{REQUESTS} requests, of which there are {count()}")
            self.assertEqual(count(), REQUESTS)
            self.assertEqual(agent.metric_sum("waggle_turns_lost_total"), 0)
            self.assertEqual(agent.metric_sum("waggle_exchanges_open"), 0)
        server.stop()

    def check_wrk(self, workers, connections):
        server, port = nginx("location / { return 200 'hello'; }", workers=workers)
        with Agent(services=[{"open_ports": str(port)}], traces=False, config=ROOM) as agent:
            wait_for(lambda: agent.metric_sum("waggle_processes_watched") == workers + 1, "nginx to be watched")
            done = subprocess.run(["wrk", "-t1", f"-c{connections}", "-d2s", f"http://127.0.0.1:{port}/"], capture_output=True,
                                  text=True, timeout=60)
            told = int(re.search(r"(\d+) requests in", done.stdout)[1])
            name = "http_server_request_duration_seconds_count"
            wait_for(lambda: agent.metric_sum(name) >= told, f"{told} requests")
            # wrk goes away with a request under way on each connection, which it does not count.
            wait_for(lambda: agent.metric_sum("waggle_exchanges_open") == 0, "all to be over")
            seen = agent.metric_sum(name)
            self.assertLessEqual(seen, told + connections)
            self.assertEqual(agent.metric_sum("waggle_events_lost_total"), 0)
            whole = agent.metric_sum(name, http_response_status_code="200")
            self.assertGreaterEqual(whole, told)
        server.stop()


if __name__ == "__main__":
    unittest.main(verbosity=2)
