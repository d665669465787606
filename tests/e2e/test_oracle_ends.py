#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The agent begins and ends in the middle of what goes on: what it sees of that is told once, as it was, and what it has to let
go by is counted by its cause."""
import os
import shutil
import socket
import tempfile
import unittest

from harness import Sink, wait_for
from numbered import CONNECTIONS, DURATION, EVENTS, OFF_TURNS, ROOMY, Numbered, kernel_counters
from test_self_metrics import Push

REQUESTS = 20000


class OracleEnds(Numbered):
    def test_started_in_the_middle(self):
        """Of the requests before it nothing is told, and of those after it each, or it is missed by a cause: until the agent's first
        heartbeat, and where it could not run for two seconds, calls are only counted."""
        self.begin(name="before")
        agent = self.agent(ROOMY)
        total = agent.metric_sum
        wait_for(lambda: total(DURATION) > 1000, "requests to be seen")
        self.assertTrue(self.is_under_way())
        asked = self.end()
        self.begin(REQUESTS, name="after")
        self.end()
        wait_for(lambda: total("waggle_events_emitted_total") == total("waggle_events_read_total")
                 and total("waggle_exchanges_open") == 0
                 and total(DURATION) == total("waggle_requests_exported_total") >= REQUESTS - sum(self.missed(agent).values()),
                 "all to be over", 60)
        spans, missed = self.spans(agent), self.missed(agent)
        self.assertEqual(len(spans), total(DURATION))
        self.assertLessEqual(set(missed), {"agent_stopped"})
        before = [number for name, number in spans if name == "before"]
        self.assertGreater(min(before), 0)  # it was the middle
        self.assertTrue(0 < len(before) < asked, (len(before), asked))
        # Once each connection has been told of nothing may be absent that is not missed, or a hole: what was told in part.
        first_of = {}
        for number in sorted(before):
            first_of.setdefault(spans["before", number]["network.peer.port"], number)
        self.assertEqual(len(first_of), CONNECTIONS)
        since = max(first_of.values())
        absent = asked - since - sum(number >= since for number in before) + REQUESTS - (len(spans) - len(before))
        holes = total("waggle_turns_lost_total", cause="hole")
        self.assertTrue(0 <= absent <= sum(missed.values()) + holes, (absent, missed, holes))
        self.assertLessEqual(sum(missed.values()), absent + since)

    def test_ended_in_the_middle(self):
        """What was seen until then is told once, with its own status or none, and nobody notices that it has gone."""
        agent = self.agent("shutdown_timeout: 18s\n" + ROOMY)
        self.begin()
        wait_for(lambda: agent.metric_sum(DURATION) > 1000, "requests to be seen")
        self.assertEqual(agent.stop(), 0, agent.child.output()[-2000:])
        self.assertTrue(self.is_under_way())
        asked = self.end()
        spans = self.spans(agent)
        numbers = [number for _, number in spans]
        for span in spans.values():
            self.assertEqual(span["http.response.status_code"] is None, span["waggle.incomplete"] is not None, span)
        self.assertLess(max(numbers), asked - 1)  # it was the middle
        # Each connection may have one under way that was read just before, or just after.
        self.assertLessEqual(sum(span["waggle.incomplete"] is not None for span in spans.values()), CONNECTIONS)
        self.assertLessEqual(max(numbers) + 1 - len(numbers), CONNECTIONS)

    def test_switched_off(self):
        """From the moment that it is to end until its programs are gone calls are counted, and nothing is copied; that is in its last
        export of metrics. It says between the two that it stops, to a service manager that takes its time here."""
        sink, manager = Sink(), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(manager.close)
        manager.setblocking(False)
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        name = os.path.join(folder, "notify")
        manager.bind(name)
        agent = self.agent("shutdown_timeout: 18s\n" + ROOMY + f"otel_metrics_export: {{endpoint: 'http://127.0.0.1:{sink.port}/v1/metrics', "
                           "protocol: http/json, interval: 10m}\n", sampled=0.1, sink=sink, env={"NOTIFY_SOCKET": name})
        self.begin()
        wait_for(lambda: agent.metric_sum(DURATION) > 1000, "requests to be seen")
        self.assertEqual(self.missed(agent), {})
        now = kernel_counters(agent.child.pid)
        self.assertIn(b"READY=1", manager.recv(100))
        with self.assertRaises(BlockingIOError):
            while True:  # until it has no room; a sender has only some, too
                with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
                    other.setblocking(False)
                    other.sendto(b"", name)
        agent.child.process.terminate()
        wait_for(lambda: now()[OFF_TURNS] > 1000, "calls to be counted")
        before = now()
        wait_for(lambda: now()[OFF_TURNS] > before[OFF_TURNS] + 1000, "more to be counted")
        counted = now()
        self.assertLessEqual(counted[EVENTS], before[EVENTS] + CONNECTIONS)  # what a program was about to tell
        wait_for(lambda: self.take_all(manager) == b"STOPPING=1\n", "it to say that it stops")
        self.assertEqual(agent.child.process.wait(20), 0, agent.child.output()[-2000:])
        self.assertTrue(self.is_under_way())
        asked = self.end()
        last = [push for push in map(Push, sink.metrics) if "waggle.requests.missed" in push.metrics][-1]
        missed = last.sum("waggle.requests.missed", cause="switched_off")
        self.assertTrue(counted[OFF_TURNS] <= missed == last.sum("waggle.requests.missed"), (counted[OFF_TURNS], missed))
        self.assertGreaterEqual(last.sum("waggle.events.lost", cause="switched_off"), missed)
        self.assertGreater(last.sum("waggle.capture.lost", cause="switched_off"), 0)
        # All that was copied was read, and is told.
        self.assertEqual(last.sum("waggle.events.emitted"), last.sum("waggle.events.read"))
        told = last.sum("waggle.requests.exported")
        self.assertTrue(1000 < told <= asked - missed, (told, asked, missed))
        self.assertGreater(len(self.spans(agent)), 0)

    def take_all(self, receiver):
        """The last that has come."""
        said = b""
        while True:
            try:
                said = receiver.recv(100)
            except BlockingIOError:
                return said


if __name__ == "__main__":
    unittest.main(verbosity=2)
