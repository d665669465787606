#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a running agent says of itself: `waggle doctor --live`, the same as metrics, and `waggle stop`."""
import json
import os
import signal
import subprocess
import time
import unittest

from harness import WAGGLE, Agent, free_port, request, wait_for
from services import nginx

REQUESTS = 200


def waggle(*arguments, prefix=()):
    return subprocess.run([*prefix, WAGGLE, *map(str, arguments)], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})


class Live(unittest.TestCase):
    """In the order of the tests: an agent's start is what costs time."""

    @classmethod
    def setUpClass(cls):
        cls.server, cls.port = nginx()
        cls.agent = Agent(services=[{"open_ports": str(cls.port)}], config="filter:\n  application:\n    url_path: {not_match: /filtered}\n")

    @classmethod
    def tearDownClass(cls):
        cls.agent.stop()
        cls.agent.sink.stop()
        cls.server.stop()

    def doctor(self, *more):
        return waggle("doctor", "--live", "--prometheus-port", self.agent.prometheus_port, *more)

    def status(self):
        return json.loads(self.doctor("--json").stdout)

    def call(self, path="/x"):
        self.assertEqual(request(self.port, path=path), (200, b"hello"))

    def test_1_balanced(self):
        for number in range(REQUESTS):
            self.call("/filtered" if number % 4 == 0 else "/kept")

        def books():
            http = self.status()["protocols"].get("http", {})
            return http if http.get("seen", 0) >= REQUESTS and not http["in_flight"] else None
        http = wait_for(books, "all requests to have ended")
        self.assertEqual((http["seen"], http["unaccounted"]), (REQUESTS, 0), http)
        self.assertEqual(http["ended"], {"exported": REQUESTS * 3 // 4, "filtered": REQUESTS // 4}, http)
        answer = self.doctor()
        self.assertEqual(answer.returncode, 0, answer.stdout + answer.stderr)
        self.assertIn("Nothing is lost.", answer.stdout)
        self.assertRegex(answer.stdout, r"(?m)^  http +200 +150 +0 +0 +50 +0 +0 +0 +0$")
        self.assertRegex(answer.stdout, r"(?m)^  sockets +active +by \S+")
        self.assertRegex(answer.stdout, r"(?m)^  memory +\d+ of 256 MiB$")

    def test_2_as_metrics(self):
        total = self.agent.metric_sum

        def is_at_rest():
            now = self.agent.metrics()
            of = lambda name: sum(v for (n, labels), v in now.items() if n == name and ("protocol", "http") in labels)
            return of("waggle_requests_in_flight") == 0 and of("waggle_requests_seen_total") == of("waggle_requests_ended_total") > 0
        wait_for(is_at_rest, "the metrics' books to balance")
        self.assertEqual(total("waggle_requests_unaccounted"), 0)
        self.assertEqual(total("waggle_export_unaccounted"), 0)

    def test_3_lossy(self):
        """Stopped for longer than its heartbeat may be old, it misses requests, and says so."""
        os.kill(self.agent.child.pid, signal.SIGSTOP)
        try:
            end = time.monotonic() + 3
            while time.monotonic() < end:
                self.call()
        finally:
            os.kill(self.agent.child.pid, signal.SIGCONT)
        answer = wait_for(lambda: (a := self.doctor()).returncode == 3 and a, "the loss to be told")
        self.assertRegex(answer.stdout, r"(?m)^ +\d+ request turns +agent_stopped +the agent did not run")
        self.assertGreater(self.status()["requests_missed"]["agent_stopped"], 0)
        self.assertEqual(self.status()["requests"]["unaccounted"], 0)

    def test_4_nobody_answers(self):
        answer = waggle("doctor", "--live", "--prometheus-port", free_port())
        self.assertEqual((answer.returncode, answer.stdout), (1, ""))
        self.assertIn("no agent answers", answer.stderr)

    def test_5_another_users(self):
        answer = waggle("stop", "--pid", self.agent.child.pid, prefix=["setpriv", "--reuid=65534", "--clear-groups"])
        self.assertEqual(answer.returncode, 1, answer.stderr)
        self.assertIn("belongs to user 0", answer.stderr)

    def test_6_no_agent(self):
        answer = waggle("stop", "--pid", os.getpid())
        self.assertEqual(answer.returncode, 1)
        self.assertIn("is no running agent", answer.stderr)
        # Where no other agent can be seen.
        answer = waggle("stop", "--prometheus-port", free_port(), prefix=["unshare", "--pid", "--fork", "--mount-proc"])
        self.assertEqual(answer.returncode, 3, answer.stderr)
        self.assertIn("no agent runs here", answer.stderr)

    def test_7_stop(self):
        """… even one that is stopped; what it has is exported before it ends."""
        self.call("/last")
        os.kill(self.agent.child.pid, signal.SIGSTOP)
        answer = waggle("stop", "--pid", self.agent.child.pid)
        self.assertEqual(answer.returncode, 0, answer.stderr)
        self.assertEqual(answer.stdout, f"stopped (pid {self.agent.child.pid})\n")
        self.assertEqual(self.agent.child.process.wait(5), 0, self.agent.child.output())
        self.agent.expect_spans(1, lambda s: s["url.path"] == "/last")

    def test_8_stop_by_port(self):
        with Agent(services=[{"open_ports": str(self.port)}]) as agent:
            answer = waggle("stop", "--prometheus-port", agent.prometheus_port)
            self.assertEqual((answer.returncode, answer.stdout), (0, f"stopped (pid {agent.child.pid})\n"), answer.stderr)
            self.assertEqual(agent.child.process.wait(5), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
