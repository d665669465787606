#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Positions and order that are hard to tell: each exchange is seen once at each end, whole and joined, and nothing
is made up from bodies, which are full of text that looks like requests and responses. The program runs in a network
namespace of its own, for the sake of the settings that it needs."""
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from harness import ROOT, Agent, Child, wait_for  # noqa: E402

ORDER = os.path.join(os.environ.get("WAGGLE_BUILD", os.path.join(ROOT, "build/dev")), "tests/kernel/order")
START = f"ip link set lo up && echo 3 > /proc/sys/net/ipv4/tcp_fastopen && exec {ORDER}"
SIZES = 500  # of the answers in crowds, by number


class Order(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.agent = Agent(services=[{"exe_path": "/order$"}])
        cls.child = Child(["unshare", "--net", "sh", "-c", START], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert cls.line() == "ready", cls.child.output()
        wait_for(lambda: cls.agent.metric_sum("waggle_processes_watched") == 1, "the program to be watched")
        cls.number = 0

    @classmethod
    def tearDownClass(cls):
        cls.child.stop()
        cls.agent.stop()
        cls.agent.sink.stop()

    @classmethod
    def line(cls):
        return cls.child.process.stdout.readline().decode().strip()

    def run_case(self, case, count, request, response):
        """The tag of COUNT exchanges that are done."""
        type(self).number += 1
        tag = f"t{self.number}"
        self.child.process.stdin.write(f"{case} {count} {request} {response} {tag}\n".encode())
        self.child.process.stdin.flush()
        self.assertEqual(self.line(), "done")
        return tag

    def exchange(self, case, count=4, request=3000, response=20000, deadline=30):
        """(server spans, client spans), by number."""
        seen = {s.span_id for s in self.agent.spans()}
        tag = self.run_case(case, count, request, response)
        is_ours = lambda s: (s["url.path"] or "").startswith(f"/{tag}/")  # noqa: E731
        spans = self.agent.expect_spans(2 * count, is_ours, deadline)
        self.assertEqual(self.agent.spans(lambda s: s.span_id not in seen and not is_ours(s)), [])
        return tuple(sorted((s for s in spans if s.kind == kind), key=number_of) for kind in ("server", "client"))

    def check(self, case, count=4, request=3000, response=20000, is_joined=True, has_ends=True, has_send_times=True, incomplete=(None,)):
        """has_send_times: a hook tells when a send began; else its time is when the call returned."""
        servers, clients = self.exchange(case, count, request, response)
        for spans in (servers, clients):
            self.assertEqual([number_of(s) for s in spans], list(range(count)))
            for span in spans:
                self.assertEqual((span["http.request.method"], span["http.response.status_code"],
                                  span["http.request.body.size"], span["http.response.body.size"]),
                                 ("POST", 200, request, response), span)
                self.assertIn(span["waggle.incomplete"], incomplete, span)
                self.assertGreaterEqual(span.end, span.start)
            for before, after in zip(spans, spans[1:]):
                if not has_ends:
                    break
                self.assertLessEqual(before.end, after.start)
        for server, client in zip(servers, clients):
            if has_send_times:
                self.assertLessEqual(client.start, server.start)
            if has_ends and has_send_times:
                self.assertGreaterEqual(client.end, server.end)
            if is_joined:
                self.assertEqual((server.trace_id, server.parent), (client.trace_id, client.span_id))
        return servers, clients

    def test_plain(self):
        self.check("plain")

    def test_looks_before_it_reads(self):
        self.check("peek")

    def test_own_packets_from_the_error_queue(self):
        self.check("stamps")

    def test_zerocopy(self):
        self.check("zerocopy", request=300000, response=300000)

    def test_urgent_byte(self):
        """It is among the bytes that were sent but not among those received, so the ends' positions differ by it."""
        self.check("urgent", is_joined=False)

    def test_urgent_byte_inline(self):
        self.check("urgent_inline")

    def test_spliced_in(self):
        """Nothing tells when the bytes were taken: only the next ones show that they were. The sizes are known."""
        self.check("splice_in", request=100000, response=300000, has_ends=False, incomplete=(None, "not_captured"))

    def test_spliced_out(self):
        self.check("splice_out", request=100000, response=300000)

    def test_partial_sends(self):
        self.check("partial", request=1000000, response=1000000)

    def test_more(self):
        self.check("more")

    def test_cork(self):
        self.check("cork")

    def test_several_messages_a_call(self):
        self.check("several")

    def test_waits_for_all(self):
        self.check("waitall", request=300000, response=300000)

    def test_discarded(self):
        self.check("discard", request=100000, response=300000)

    def test_reads_of_nothing(self):
        self.check("nothing")

    def test_mptcp(self):
        for case in ("mptcp", "mptcp_peek", "mptcp_nothing"):
            self.check(case, is_joined=False, has_send_times=False)

    def test_mptcp_with_tcp(self):
        self.check("mptcp_listener")
        self.check("mptcp_client", is_joined=False, has_send_times=False)

    def test_end_read_with_the_data(self):
        self.check("fin_with_data", count=9)

    def test_says_no_more_before_the_answer(self):
        self.check("fin_after_data", count=301)  # the end may overtake what has just been read

    def test_descriptors(self):
        """Copies and children: whoever moves the bytes, it is one connection."""
        self.check("descriptors", count=8)

    def test_fast_open(self):
        self.check("fast_open", request=300)

    def test_numbers_that_wrap(self):
        self.check("wrap", count=180, request=100, response=300)

    def test_more_bytes_than_numbers(self):
        self.check("endless", count=2, request=100, response=2500000000)

    def test_answered_early(self):
        """A send that blocks until long after the answer has come: check() compares the times of both ends. The
        server's span has left before the call is known, so it cannot be joined."""
        for _ in range(3):
            self.check("early", count=3, request=8 << 20, response=100, is_joined=False)

    def check_crowd(self, case, is_each_counted=True):
        """Several threads on one socket: an exchange may be lost, and is counted; none is ever wrong. The
        answer's size proves that it is this request's."""
        count = 3000
        losses = ("waggle_turns_lost_total", "waggle_events_lost_total")
        before = sum(map(self.agent.metric_sum, losses))
        tag = self.run_case(case, count, 0, 0)

        def spans(kind):
            return self.agent.spans(lambda s: (s["url.path"] or "").startswith(f"/{tag}/") and s.kind == kind)

        def missing(kind):
            return count - sum(s["waggle.incomplete"] is None for s in spans(kind))

        def is_told():
            lost = sum(map(self.agent.metric_sum, losses)) - before
            gone = missing("server") + missing("client")
            is_counted = gone <= lost if is_each_counted else gone == 0 or lost > 0
            return self.agent.metric_sum("waggle_exchanges_open") == 0 and is_counted

        wait_for(is_told, "every exchange to be exported or counted", 60)
        for kind in ("server", "client"):
            found = sorted(spans(kind), key=number_of)
            self.assertLess(missing(kind), count)
            self.assertEqual(len({number_of(s) for s in found}), len(found),
                             [s for s, after in zip(found, found[1:]) if number_of(s) == number_of(after)])
            for span in found:
                if span["waggle.incomplete"] is None:
                    self.assertEqual((span["http.response.status_code"], span["http.response.body.size"]),
                                     (200, number_of(span) % SIZES), span)

    def test_several_writers(self):
        self.check_crowd("writers")

    def test_several_readers(self):
        """Known to lose most of it, of which not all is counted."""
        self.check_crowd("readers", is_each_counted=False)


def number_of(span):
    return int(span["url.path"].split("/")[2])


if __name__ == "__main__":
    unittest.main(verbosity=2)
