#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A server and a client that know the true number of requests, and the status and size of each: whatever happens to the agent,
what it exports and what it says it missed are that number, and no answer is another request's."""
import json
import os
import signal
import threading
import time
import unittest

from artefacts import go_program
from backends import Backend
from harness import Child, free_port, wait_for
from numbered import CONNECTIONS, DURATION, EVENTS, ROOMY, STALE_TURNS, STATUS, Numbered, kernel_counters

REQUESTS = 100000
RINGS = 4


class Oracle(Numbered):
    def account(self, agent, requests=REQUESTS):
        """Waits until every request is accounted for: as exported, as lost, or as one whose answer and close were."""
        books = {}

        def balanced():
            http = agent.metric_sum("waggle_requests_exported_total", protocol="http")
            books.update(exported=http, strays=agent.metric_sum("waggle_requests_exported_total") - http,
                         missed=agent.metric_sum("waggle_requests_missed_total"),
                         unread=agent.metric_sum("waggle_turns_lost_total", cause="parse_invalid"),
                         holes=agent.metric_sum("waggle_turns_lost_total", cause="hole"),
                         unclosed=agent.metric_sum("waggle_events_lost_total", cause="ring_full_close"),
                         counted=agent.metric_sum(DURATION),
                         dropped=agent.metric_sum("waggle_requests_ended_total", end="channel_full"),
                         open=agent.metric_sum("waggle_exchanges_open"))
            # Go reads the first byte of some requests by itself: what was told in part is a hole, at once or (where the close found no
            # room either) when its connection has been silent for two minutes.
            in_part = requests - sum(books[end] for end in ("exported", "strays", "missed", "unread", "open"))
            return 0 <= in_part <= min(books["holes"] + books["unclosed"], requests / 1000) and books["counted"] + books["dropped"] == books["exported"]
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
        # Each request that has a status has its own. (Of a load that was ended each connection may have left a number out.)
        for told, status in zip(books["statuses"], STATUS):
            self.assertLessEqual(told, requests / len(STATUS) + self.endless * CONNECTIONS, (status, books))
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

    def check_whole(self, books, requests=REQUESTS):
        self.assertEqual((books["missed"], books["unread"], books["strays"], books["dropped"], books["open"], books["lost_bytes"],
                          books["gap_bytes"]), (0,) * 7)
        self.assertEqual(books["statuses"], [requests / len(STATUS)] * len(STATUS))

    def check_lossy(self, agent, books):
        self.assertLessEqual(books["gap_bytes"], books["lost_bytes"])
        # Those whose answer found no room, nor their connection's close.
        self.assertLessEqual(books["open"], CONNECTIONS + books["unclosed"])
        self.assertGreater(len(self.spans(agent)), 0)

    def test_nothing_in_the_way(self):
        agent = self.agent(ROOMY, traces=False)
        self.begin(REQUESTS)
        self.end()
        self.check_whole(self.account(agent))

    def servers_of_all_rings(self):
        """A connection's ring is chosen by its process's number."""
        servers, ports = {}, []
        while len(servers) < RINGS:
            port = free_port()
            server = Child([go_program(), str(port)])
            self.addCleanup(server.stop)
            if server.pid % RINGS in servers:
                server.stop(signal.SIGKILL)
                continue
            servers[server.pid % RINGS] = server.wait_port(port)
            ports.append(port)
        return list(servers.values()), ports

    def check_rings_were_used(self, agent):
        """Each has a thread of its own, which has worked as the others have."""
        spent = []
        for thread in os.listdir(f"/proc/{agent.child.pid}/task"):
            with open(f"/proc/{agent.child.pid}/task/{thread}/comm") as comm, open(f"/proc/{agent.child.pid}/task/{thread}/schedstat") as times:
                if comm.read() == "reader\n":
                    spent.append(int(times.read().split()[0]))
        self.assertEqual(len(spent), RINGS)
        self.assertGreater(min(spent), max(spent) / RINGS)

    def test_four_rings(self):
        servers, ports = self.servers_of_all_rings()
        agent = self.agent("memory_limit: 1GiB\nebpf: {rings: 4, ring_bytes: 67108864}\n", servers, sampled=0.1)
        self.begin(REQUESTS // 2, ports=ports)
        self.end()
        self.check_whole(self.account(agent, REQUESTS // 2), REQUESTS // 2)
        self.check_rings_were_used(agent)
        self.assertGreater(len(self.spans(agent)), REQUESTS / 40)

    def test_four_rings_too_small(self):
        servers, ports = self.servers_of_all_rings()
        agent = self.agent("ebpf: {rings: 4, ring_bytes: 16384}\n", servers, sampled=0.5)
        self.begin(REQUESTS // 4, ports=ports)
        self.end()
        books = self.account(agent, REQUESTS // 4)
        self.assertGreater(self.missed(agent)["ring_full"], 0)
        self.check_lossy(agent, books)

    def test_rings_too_small(self):
        for size in (16384, 65536):
            with self.subTest(ring_bytes=size):
                agent = self.agent(f"ebpf: {{ring_bytes: {size}}}\n", sampled=0.5)
                self.begin(REQUESTS // 2)
                self.end()
                books = self.account(agent, REQUESTS // 2)
                self.assertGreater(self.missed(agent)["ring_full"], 0)
                self.check_lossy(agent, books)
                agent.stop()

    def test_agent_stopped(self):
        """Its heartbeat is stale after two seconds: then calls are counted, and nothing is copied."""
        self.check_stopped()

    def test_agent_stopped_while_connections_are_replaced(self):
        self.check_stopped(kept=2)

    def check_stopped(self, kept=""):
        agent = self.agent()
        self.begin(kept=kept)
        wait_for(lambda: agent.metric_sum(DURATION) > 1000, "requests to be seen")
        now = kernel_counters(agent.child.pid)
        os.kill(agent.child.pid, signal.SIGSTOP)
        try:
            wait_for(lambda: now()[STALE_TURNS] > 1000, "calls to be counted")
            before = now()
            wait_for(lambda: now()[STALE_TURNS] > before[STALE_TURNS] + 10000, "more to be counted")
            # But for the ends of connections that were there before, both ways, and what a program was about to tell.
            self.assertLessEqual(now()[EVENTS], before[EVENTS] + 2 * CONNECTIONS)
        finally:
            os.kill(agent.child.pid, signal.SIGCONT)
        wait_for(lambda: now()[EVENTS] > before[EVENTS] + 1000, "it to go on")
        requests = self.end()
        books = self.account(agent, requests)
        self.assertGreater(self.missed(agent)["agent_stopped"], 11000)
        self.check_lossy(agent, books)

    def test_agent_starved(self):
        agent = self.agent(sampled=0.5)
        self.begin()
        try:
            for _ in range(60):  # runs a tenth of the time
                os.kill(agent.child.pid, signal.SIGSTOP)
                time.sleep(0.045)
                os.kill(agent.child.pid, signal.SIGCONT)
                time.sleep(0.005)
        finally:
            os.kill(agent.child.pid, signal.SIGCONT)
        requests = self.end()
        books = self.account(agent, requests)
        self.assertGreater(self.missed(agent)["ring_full"], 0)
        self.check_lossy(agent, books)

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
                agent = self.agent(ROOMY + "shutdown_timeout: 100ms\n"
                                   f"otel_traces_export: {{endpoint: 'http://127.0.0.1:{port}', protocol: http/json}}\n", traces=False)
                self.begin(REQUESTS)
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


if __name__ == "__main__":
    unittest.main(verbosity=2)
