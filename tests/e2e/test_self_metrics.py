#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the agent says of itself goes to a back end of OTLP as it goes to Prometheus: the same series, with units and temporality,
and the books add up there."""
import re
import unittest

from harness import Agent, Sink, attributes, request, wait_for
from services import nginx

DELTA, CUMULATIVE = 1, 2
REQUESTS = 20
SUFFIX = {"By": "_bytes", "s": "_seconds"}


def scraped(agent):
    """{family: (type, {label sets})} of a scrape, the agent's own only."""
    found = {}
    for line in agent.get("/metrics").splitlines():
        if kind := re.match(r"# TYPE (waggle_\w+) (\w+)", line):
            found[kind[1]] = (kind[2], set())
        elif sample := re.match(r"(waggle_\w+?)(?:\{(.*)\})? \S+$", line):
            labels = re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', sample[2] or "")
            found[sample[1]][1].add(frozenset(pair for pair in labels if pair[0] not in ("instance", "job")))
    return found


class Push:
    """The agent's own metrics of one export."""

    def __init__(self, group):
        self.resource = attributes(group["resource"])
        self.metrics = {m["name"]: m for s in group["scopeMetrics"] for m in s["metrics"] if m["name"].startswith("waggle.")}

    def points(self, name):
        metric = self.metrics.get(name, {})
        return metric.get("sum", metric.get("gauge", {})).get("dataPoints", [])

    def sum(self, name, **labels):
        return sum(int(p["asInt"]) for p in self.points(name) if labels.items() <= attributes(p).items())

    def family(self, name):
        """As Prometheus calls it, with its type and its label sets."""
        metric = self.metrics[name]
        kind = "counter" if "sum" in metric else "gauge"
        told = name.replace(".", "_") + SUFFIX.get(metric.get("unit", ""), "")
        labels = {frozenset((k.replace(".", "_"), str(v)) for k, v in attributes(p).items()) for p in self.points(name)}
        return told + "_total" * (kind == "counter"), (kind, labels)


class SelfMetricsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server, cls.port = nginx("location / { return 200 'hello'; }", workers=1)
        cls.addClassCleanup(cls.server.stop)

    def agent(self, more=""):
        sink = Sink()
        self.addCleanup(sink.stop)
        agent = Agent(services=[{"open_ports": str(self.port)}], sink=sink,
                      config=f"otel_metrics_export: {{endpoint: 'http://127.0.0.1:{sink.port}/v1/metrics', protocol: http/json, "
                             f"interval: 200ms{more}}}\n")
        self.addCleanup(agent.stop)
        return agent

    def pushes(self, agent):
        with agent.sink.lock:
            groups = list(agent.sink.metrics)
        return [Push(g) for g in groups if attributes(g["resource"])["service.name"] == "waggle"]

    def last(self, agent):
        pushes = self.pushes(agent)
        return pushes[-1] if pushes else None

    def settled(self, agent, count):
        """The first export in which that many requests were seen and have been sent to the back end. (Readers publish once a second.)"""
        def push():
            last = self.last(agent)
            sums = last and (last.sum("waggle.requests.seen", protocol="http"), last.sum("waggle.export.sent", signal="spans"))
            return last if sums == (count, count) else None
        return wait_for(push, f"{count} spans in the books")

    def drive(self, count):
        for _ in range(count):
            request(self.port)

    def test_the_books_add_up(self):
        agent = self.agent()
        self.drive(REQUESTS)
        push = self.settled(agent, REQUESTS)
        self.assertEqual(push.resource["telemetry.sdk.language"], "cpp")
        for protocol in {attributes(p)["protocol"] for p in push.points("waggle.requests.seen")}:
            ends = push.sum("waggle.requests.ended", protocol=protocol) + push.sum("waggle.requests.in_flight", protocol=protocol)
            self.assertEqual(push.sum("waggle.requests.seen", protocol=protocol), ends, protocol)
            self.assertEqual(push.sum("waggle.requests.unaccounted", protocol=protocol), 0, protocol)
        self.assertEqual(push.sum("waggle.requests.seen", protocol="http"), REQUESTS)
        self.assertEqual(push.sum("waggle.requests.ended", protocol="http", end="exported"), REQUESTS)
        self.assertEqual(push.sum("waggle.requests.missed"), 0)

    def test_units_and_temporality(self):
        agent = self.agent()
        self.drive(1)
        first = self.settled(agent, 1)
        self.drive(REQUESTS)
        second = self.settled(agent, 1 + REQUESTS)
        for push in (first, second):
            for name, metric in push.metrics.items():
                self.assertTrue(metric["description"], name)
                if "sum" in metric:
                    self.assertTrue(metric["sum"]["isMonotonic"], name)
                    self.assertEqual(metric["sum"]["aggregationTemporality"], CUMULATIVE, name)
        # Cumulative: from the same moment, and more each time.
        starts = {p["startTimeUnixNano"] for push in (first, second) for name in push.metrics for p in push.points(name)
                  if "sum" in push.metrics[name]}
        self.assertEqual(len(starts), 1, starts)
        self.assertEqual(second.metrics["waggle.memory.usage"]["unit"], "By")
        self.assertEqual(second.metrics["waggle.probe.timed.duration"]["unit"], "s")
        self.assertNotIn("unit", {k: v for k, v in second.metrics["waggle.requests.seen"].items() if v})

    def test_deltas(self):
        """Where the back end wants them: what came since the push before, and all of them together are the truth."""
        agent = self.agent(", temporality: delta")
        self.drive(REQUESTS)

        def sent():
            return sum(push.sum("waggle.export.sent", signal="spans") for push in self.pushes(agent))
        wait_for(lambda: sent() >= REQUESTS, "the first requests")
        self.drive(REQUESTS)
        wait_for(lambda: sent() >= 2 * REQUESTS, "the others")
        self.assertEqual(sent(), 2 * REQUESTS)
        pushes = self.pushes(agent)
        self.assertEqual({metric["sum"]["aggregationTemporality"] for push in pushes for metric in push.metrics.values() if "sum" in metric},
                         {DELTA})
        for before, after in zip(pushes, pushes[1:]):
            (point,) = after.points("waggle.events.read")
            (last,) = before.points("waggle.events.read")
            self.assertEqual(point["startTimeUnixNano"], last["timeUnixNano"])

    def test_the_same_as_prometheus_has(self):
        agent = self.agent()
        self.drive(REQUESTS)
        self.settled(agent, REQUESTS)

        def same():
            # What begins meanwhile comes with the next ones.
            push, told = self.last(agent), scraped(agent)
            pushed = dict(push.family(name) for name in push.metrics)
            return pushed if pushed == told else None
        try:
            pushed = wait_for(same, "both to tell of the same")
        except AssertionError:
            push, told = self.last(agent), scraped(agent)
            self.assertEqual(dict(push.family(name) for name in push.metrics), told)
            raise
        for family in ("waggle_requests_seen_total", "waggle_requests_ended_total", "waggle_requests_missed_total",
                       "waggle_requests_in_flight", "waggle_requests_unaccounted", "waggle_turns_lost_total",
                       "waggle_capture_lost_bytes_total", "waggle_capture_gap_bytes_total", "waggle_export_dropped_total",
                       "waggle_export_unaccounted", "waggle_memory_usage_bytes", "waggle_overload_step"):
            self.assertIn(family, pushed)


if __name__ == "__main__":
    unittest.main(verbosity=2)
