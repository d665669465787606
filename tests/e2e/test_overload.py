#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The agent stays inside cpu_limit by doing less step by step, says what it does, and comes back when it can."""
import http.client
import random
import unittest

from artefacts import go_program
from harness import Child, free_port, request, wait_for
from test_budget import DURATION, BudgetTest, Load


class ProcessorTest(BudgetTest):
    REQUESTS = 600000
    EACH = 150  # requests in each step

    def test_steps(self):
        """Under load it does less, step by step, until requests are only counted; each is accounted for; then it comes back."""
        port = free_port()
        server = Child([go_program(), str(port)]).wait_port(port)
        self.addCleanup(server.stop)
        load = Load(go_program(), "load")
        self.addCleanup(load.child.stop)
        agent = self.agent([server], "cpu_limit: 0.1\nmemory_limit: 1GiB\nebpf: {ring_bytes: 134217728}\n")
        load.begin(f"http://127.0.0.1:{port}/numbered/x 16 {self.REQUESTS}")
        wait_for(lambda: agent.metric_sum("waggle_overload_step") == 3, "requests to be only counted", 60)
        log = agent.child.output()
        for line in ("at most 512 bytes", "one trace in ten", "counted and timed in the kernel only"):
            self.assertEqual(log.count(line), 1)
        load.end()
        books = {}

        def balanced():
            books.update(exported=agent.metric_sum("waggle_requests_exported_total"),
                         missed=agent.metric_sum("waggle_requests_missed_total"),
                         counted=agent.metric_sum("waggle_requests_counted_total"),
                         timed=agent.metric_sum("waggle_counted_request_duration_seconds_count", server_port=str(port)),
                         unanswered=agent.metric_sum("waggle_requests_counted_unanswered_total"),
                         holes=agent.metric_sum("waggle_turns_lost_total", cause="hole"))
            # Go reads the first byte of some requests by itself; the first turn of the change may be told in part.
            in_part = self.REQUESTS - books["exported"] - books["missed"] - books["counted"]
            return 0 <= in_part <= books["holes"] and books["timed"] + books["unanswered"] == books["counted"] > 0
        try:
            wait_for(balanced, "the books to balance")
        except AssertionError as error:
            raise AssertionError(f"{error}: {books}\n{agent.child.output()[-2000:]}") from None
        self.assertLessEqual(books["unanswered"], 16)
        seconds = agent.metric_sum("waggle_counted_request_duration_seconds_sum", server_port=str(port))
        self.assertGreater(seconds, 0)
        self.assertGreater(agent.metric_sum("waggle_probe_timed_runs_total"), 0)
        # Scrapes cost as well: none while it is waited for.
        wait_for(lambda: "everything is done again" in agent.child.output(), "everything to be done again", 400)
        self.assertEqual(agent.metric_sum("waggle_overload_step"), 0)
        before = agent.metric_sum(DURATION)
        load(f"http://127.0.0.1:{port}/numbered/x 4 100")
        wait_for(lambda: agent.metric_sum(DURATION) == before + 100, "requests to be seen again")

    def ask_in_each_step(self, agent, ports):
        """{step: {number: trace id}} of requests that are relayed from the one server to the other, until they are only counted; and how
        many there were, with those that were asked while a step was taken. A quarter has trace ids that are sampled, the rest any."""
        step_now = lambda: agent.metric_sum("waggle_overload_step")
        connection = http.client.HTTPConnection("127.0.0.1", ports[0], timeout=20)
        self.addCleanup(connection.close)
        asked, step, number = {0: {}, 1: {}, 2: {}}, 0, 0
        while step < 3:
            piece = {}
            for _ in range(10):
                piece[number] = f"{random.getrandbits(64):016x}{random.getrandbits(64) >> (5 if number % 4 == 0 else 0):016x}"
                headers = {"traceparent": f"00-{piece[number]}-00f067aa0ba902b7-01", "X-Long": "x" * 600, "User-Agent": "behind/1"}
                path = f"/relay?to=http://127.0.0.1:{ports[1]}/numbered/x/{number}"
                request(ports[0], path=path, headers=headers, connection=connection)
                number += 1
            before, step = step, step_now()
            if step == before:
                asked[step].update(piece)
                if len(asked[step]) >= self.EACH:
                    step = wait_for(lambda: max(step_now(), before) - before, "the next step") + before
        return asked, number

    def test_what_each_step_leaves_out(self):
        """Whole at first; then what stands behind 512 bytes of a head is unknown; then one trace in ten comes, of both ends or of
        neither, and metrics have all of them."""
        ports = [free_port(), free_port()]
        servers = [Child([go_program(), str(port)]).wait_port(port) for port in ports]
        for server in servers:
            self.addCleanup(server.stop)
        agent = self.agent(servers, "cpu_limit: 0.001\n")
        asked, count = self.ask_in_each_step(agent, ports)
        ended = lambda end: agent.metric_sum("waggle_requests_ended_total", end=end)
        books = {}

        def balanced():
            books.update(exported=agent.metric_sum("waggle_requests_exported_total"),
                         counted=agent.metric_sum("waggle_requests_counted_total"), missed=agent.metric_sum("waggle_requests_missed_total"),
                         holes=agent.metric_sum("waggle_turns_lost_total", cause="hole"),
                         in_metrics=agent.metric_sum(DURATION) + agent.metric_sum("http_client_request_duration_seconds_count"),
                         as_spans=ended("exported"), sampled_out=ended("sampled_out"), came=len(agent.spans()))
            # Each is served twice and called once; the first turn of the change to counting may be told in part.
            in_part = 3 * count - books["exported"] - books["counted"] - books["missed"]
            return (0 <= in_part <= books["holes"] and books["in_metrics"] == books["exported"] and
                    books["as_spans"] + books["sampled_out"] == books["exported"] and books["came"] == books["as_spans"])
        try:
            wait_for(balanced, "the books to balance")
        except AssertionError as error:
            raise AssertionError(f"{error}: {count} {books}\n{agent.child.output()[-2000:]}") from None
        self.assertGreater(books["sampled_out"], 0)
        number_of = lambda span, key: int((span[key] or "/-1").rsplit("/", 1)[1])
        relayed = {number_of(s, "url.query"): s for s in agent.spans(lambda s: s.kind == "server" and s["server.port"] == ports[0])}
        calls = {number_of(s, "url.full"): s for s in agent.spans(lambda s: s.kind == "client")}
        answers = {number_of(s, "url.path"): s for s in agent.spans(lambda s: s.kind == "server" and s["server.port"] == ports[1])}
        is_sampled = lambda trace: int(trace[16:], 16) >> 1 < int(0.1 * (1 << 63))
        for step, of in asked.items():
            self.assertGreater(len(of), 0, step)
            came = {number for number in of if number in relayed}
            for number in came:
                self.assertEqual(relayed[number].trace_id, of[number])
                self.assertEqual(relayed[number]["user_agent.original"], None if step else "behind/1", relayed[number])
            sampled = {number for number, trace in of.items() if is_sampled(trace)}
            of_calls, of_answers = ({number: ends[number].trace_id for number in of if number in ends} for ends in (calls, answers))
            if step == 1:  # traces are thinned when they leave: of the last ones some were already
                self.assertLessEqual(sampled, came)
                self.assertGreater(len(came), len(of) / 2)
                continue
            self.assertEqual(came, sampled if step else set(of))
            self.assertEqual(of_calls, of_answers)
            self.assertEqual(len(of_calls), sum(map(is_sampled, of_calls.values())) if step else len(of))


if __name__ == "__main__":
    unittest.main(verbosity=2)
