#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A server and a client that know the true number of requests and the status of each: whatever happens to the agent, what
it exports and what it says it missed are that number, and no status is wrong."""
import json
import os
import signal
import subprocess
import threading
import time
import unittest

from artefacts import go_program
from backends import Backend
from harness import Agent, Child, free_port, wait_for

REQUESTS = 100000
CONNECTIONS = 16
STATUS = (200, 201, 404, 500, 503)  # of request n: STATUS[n % 5]
DURATION = "http_server_request_duration_seconds_count"


class Oracle(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.port = free_port()
        cls.server = Child([go_program(), str(cls.port)]).wait_port(cls.port)
        cls.client = Child([go_program(), "load"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    @classmethod
    def tearDownClass(cls):
        cls.client.stop()
        cls.server.stop()

    def agent(self, config=""):
        agent = Agent(services=[{"pids": [self.server.pid]}], traces=False, config=config)
        self.addCleanup(agent.sink.stop)
        self.addCleanup(agent.stop)
        wait_for(lambda: agent.metric_sum("waggle_processes_watched") == 1, "the server to be watched")
        return agent

    def begin(self, requests=REQUESTS, kept=""):
        self.client.process.stdin.write(f"http://127.0.0.1:{self.port}/numbered/x {CONNECTIONS} {requests} {kept}\n".encode())
        self.client.process.stdin.flush()

    def end(self):
        self.assertEqual(self.client.process.stdout.readline(), b"done\n", self.client.output())

    def account(self, agent, requests=REQUESTS):
        """Waits until every request is accounted for: as exported, as lost, or as one whose answer and close were."""
        books = {}

        def balanced():
            http = agent.metric_sum("waggle_requests_exported_total", protocol="http")
            books.update(exported=http, strays=agent.metric_sum("waggle_requests_exported_total") - http,
                         missed=agent.metric_sum("waggle_requests_missed_total"),
                         unread=agent.metric_sum("waggle_turns_lost_total", cause="parse_invalid"),
                         holes=agent.metric_sum("waggle_turns_lost_total", cause="hole"),
                         counted=agent.metric_sum(DURATION),
                         dropped=agent.metric_sum("waggle_requests_ended_total", end="channel_full"),
                         open=agent.metric_sum("waggle_exchanges_open"))
            # Go reads the first byte of some requests by itself: what was told in part is a hole.
            in_part = requests - sum(books[end] for end in ("exported", "strays", "missed", "unread", "open"))
            return 0 <= in_part <= min(books["holes"], requests / 1000) and books["counted"] + books["dropped"] == books["exported"]
        try:
            wait_for(balanced, f"{requests} requests in the books", 60)
        except AssertionError as error:
            losses = {k: v for k, v in agent.metrics().items() if v and (k[0].startswith("waggle_") or k[0] == DURATION)}
            raise AssertionError(f"{error}: {books}; {losses}") from None
        self.wait_until_still(agent)
        self.assertTrue(balanced(), books)
        # Nobody else takes a stream that is torn.
        self.assertEqual(books["strays"], 0, {k: v for k, v in agent.metrics().items() if v and k[0] == "waggle_requests_exported_total"})
        books["lost_bytes"] = agent.metric_sum("waggle_capture_lost_bytes_total")
        books["gap_bytes"] = agent.metric_sum("waggle_capture_gap_bytes_total")
        books["statuses"] = [agent.metric_sum(DURATION, http_response_status_code=str(s)) for s in STATUS]
        # Each request that has a status has its own.
        for told, status in zip(books["statuses"], STATUS):
            self.assertLessEqual(told, requests / len(STATUS), (status, books))
        return books

    def wait_until_still(self, agent):
        """Nothing more comes: two publications say the same."""
        last = {}

        def is_still():
            now = time.monotonic()
            told = [agent.metric_sum(name) for name in ("waggle_events_read_total", "waggle_requests_exported_total", "waggle_requests_missed_total")]
            if last.get("told") != told:
                last.update(told=told, since=now)
            return now - last["since"] > 2.2
        wait_for(is_still, "the agent to be still")

    def check_whole(self, books):
        self.assertEqual((books["missed"], books["unread"], books["strays"], books["dropped"], books["open"], books["lost_bytes"],
                          books["gap_bytes"]), (0,) * 7)
        self.assertEqual(books["statuses"], [REQUESTS / len(STATUS)] * len(STATUS))

    def test_nothing_in_the_way(self):
        agent = self.agent("memory_limit: 1GiB\nebpf: {ring_bytes: 134217728}\n")
        self.begin()
        self.end()
        self.check_whole(self.account(agent))

    def test_four_rings(self):
        agent = self.agent("memory_limit: 1GiB\nebpf: {rings: 4, ring_bytes: 67108864}\n")
        self.begin()
        self.end()
        self.check_whole(self.account(agent))

    def test_rings_too_small(self):
        for size in (16384, 65536):
            with self.subTest(ring_bytes=size):
                agent = self.agent(f"ebpf: {{ring_bytes: {size}}}\n")
                self.begin()
                self.end()
                books = self.account(agent)
                self.assertGreater(books["missed"], 0)
                self.assertLessEqual(books["gap_bytes"], books["lost_bytes"])
                self.assertLessEqual(books["open"], CONNECTIONS)
                agent.stop()

    def test_agent_stopped(self):
        """Its heartbeat is stale after two seconds: then calls are counted, and nothing is copied."""
        self.check_stopped(4 * REQUESTS)

    def test_agent_stopped_while_connections_are_replaced(self):
        self.check_stopped(2 * REQUESTS, kept=2)

    def check_stopped(self, requests, kept=""):
        agent = self.agent()
        self.begin(requests, kept)
        os.kill(agent.child.pid, signal.SIGSTOP)
        try:
            time.sleep(5)
        finally:
            os.kill(agent.child.pid, signal.SIGCONT)
        self.end()
        books = self.account(agent, requests)
        self.assertGreater(agent.metric_sum("waggle_requests_missed_total", cause="agent_stopped"), 0)
        self.assertLessEqual(books["gap_bytes"], books["lost_bytes"])

    def test_agent_starved(self):
        agent = self.agent()
        self.begin()
        os.set_blocking(self.client.process.stdout.fileno(), False)
        try:
            while not self.client.process.stdout.readline():  # runs a tenth of the time
                os.kill(agent.child.pid, signal.SIGSTOP)
                time.sleep(0.045)
                os.kill(agent.child.pid, signal.SIGCONT)
                time.sleep(0.005)
        finally:
            os.kill(agent.child.pid, signal.SIGCONT)
            os.set_blocking(self.client.process.stdout.fileno(), True)
        self.account(agent)

    def test_back_ends_that_are_dead_slow_or_lie(self):
        """Every request is in the metrics with its own status, and its span is somewhere in the books of the export."""
        go_on = threading.Event()
        self.addCleanup(go_on.set)
        rejects = (200, {}, json.dumps({"partialSuccess": {"rejectedSpans": "7", "errorMessage": "too old"}}).encode())
        dead, slow, lying = free_port(), Backend(lambda *_: go_on.wait(60) and None), Backend(lambda *_: rejects)
        for backend in (slow, lying):
            self.addCleanup(backend.stop)
        for port, ends in ((dead, {"queue_full"}), (slow.port, {"queue_full"}), (lying.port, {"rejected", "sent"})):
            with self.subTest(ends=ends):
                agent = self.agent("memory_limit: 1GiB\nebpf: {ring_bytes: 134217728}\nshutdown_timeout: 100ms\n"
                                   f"otel_traces_export: {{endpoint: 'http://127.0.0.1:{port}', protocol: http/json}}\n")
                self.begin()
                self.end()
                self.check_whole(self.account(agent))
                books = {}

                def balanced():
                    total = agent.metric_sum
                    books.update({cause: total("waggle_export_dropped_total", signal="spans", cause=cause)
                                  for cause in ("queue_full", "rejected")},
                                 dropped=total("waggle_export_dropped_total", signal="spans"),
                                 sent=total("waggle_export_sent_total", signal="spans"),
                                 queued=total("waggle_export_queued", signal="spans"))
                    in_books = books["dropped"] + books["sent"] + books["queued"]
                    return in_books == REQUESTS and total("waggle_export_unaccounted") == 0
                try:
                    wait_for(balanced, "every span to be in the books", 60)
                except AssertionError as error:
                    raise AssertionError(f"{error}: {books}") from None
                self.assertTrue(all(books[end] > 0 for end in ends), books)
                agent.stop()

    def test_started_in_the_middle(self):
        self.begin()
        agent = self.agent("memory_limit: 1GiB\nebpf: {ring_bytes: 134217728}\n")
        self.end()
        self.begin()
        self.end()
        total = agent.metric_sum
        wait_for(lambda: total("waggle_events_emitted_total") == total("waggle_events_read_total")
                 and total("waggle_exchanges_open") == 0
                 and total(DURATION) == total("waggle_requests_exported_total") >= REQUESTS, "all to be over", 60)
        self.assertLessEqual(total(DURATION), 2 * REQUESTS)
        self.assertEqual(agent.metric_sum("waggle_requests_missed_total"), 0)
        for status in STATUS:
            told = agent.metric_sum(DURATION, http_response_status_code=str(status))
            self.assertTrue(REQUESTS / len(STATUS) <= told <= 2 * REQUESTS / len(STATUS), (status, told))

    def test_ended_in_the_middle(self):
        """What was seen until then is told once, with its own status or none, and nobody notices that it has gone."""
        agent = Agent(services=[{"pids": [self.server.pid]}], config="shutdown_timeout: 18s\nmemory_limit: 1GiB\nebpf: {ring_bytes: 134217728}\n")
        self.addCleanup(agent.sink.stop)
        self.addCleanup(agent.stop)
        wait_for(lambda: agent.metric_sum("waggle_processes_watched") == 1, "the server to be watched")
        self.begin()
        wait_for(lambda: len(agent.spans()) > 1000, "spans")
        self.assertEqual(agent.stop(), 0, agent.child.output()[-2000:])
        self.end()
        numbers, without = set(), 0
        for span in agent.spans():
            number = int(span["url.path"].rsplit("/", 1)[1])
            self.assertNotIn(number, numbers)
            numbers.add(number)
            status = span["http.response.status_code"]
            self.assertIn(status, (STATUS[number % 5], None), span)
            self.assertEqual(status is None, span["waggle.incomplete"] is not None, span)
            without += status is None
        self.assertLess(max(numbers), REQUESTS - 1)  # it was the middle
        # Each connection may have one under way that was read just before, or just after.
        self.assertLessEqual(without, CONNECTIONS)
        self.assertLessEqual(max(numbers) + 1 - len(numbers), CONNECTIONS)


if __name__ == "__main__":
    unittest.main(verbosity=2)
