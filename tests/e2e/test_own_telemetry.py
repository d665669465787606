#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A service that sends OpenTelemetry data itself is left out of what it sends, unless that is switched off."""
import os
import sys
import unittest

from harness import Agent, Child, free_port, request, wait_for
from services import nginx

SERVICE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../services/python/own_exporter.py")


class OwnTelemetry(unittest.TestCase):
    def setUp(self):
        self.back_end, self.back_end_port = nginx(
            "location /refusing { return 503; } location / { return 200 'taken'; }")
        self.port = free_port()
        self.service = Child([sys.executable, SERVICE, str(self.port), str(self.back_end_port)]).wait_port(self.port)

    def tearDown(self):
        self.service.stop()
        self.back_end.stop()

    def agent(self, config=""):
        return Agent(config=f"discovery:\n  services: [{{open_ports: {self.port}}}]\n{config}")

    def ask(self, path):
        request(self.port, path=path)

    def counted(self, agent):
        return agent.metric_sum("http_server_request_duration_seconds_count")

    def test_its_traces_are_left_to_it(self):
        with self.agent() as agent:
            self.ask("/call/before")
            self.ask("/export/refusing/v1/traces")
            spans = agent.expect_spans(4)
            self.assertEqual(sorted((s.kind, s["url.path"]) for s in spans),
                             [("client", "/before"), ("client", "/refusing/v1/traces"),
                              ("server", "/call/before"), ("server", "/export/refusing/v1/traces")])
            self.ask("/export/otlp/v1/traces")
            self.ask("/call/after")
            wait_for(lambda: self.counted(agent) == 4, "four requests in the metrics")
            wait_for(lambda: agent.metric_sum("waggle_export_skipped_total", signal="spans") >= 3, "spans to be skipped")
            # The server's span of the request that made it export may have gone out first.
            late = [s["url.path"] for s in agent.spans()][4:]
            self.assertIn(late, ([], ["/export/otlp/v1/traces"]))

    def test_its_metrics_are_left_to_it(self):
        with self.agent() as agent:
            self.ask("/call/before")
            agent.expect_spans(2)
            wait_for(lambda: self.counted(agent) == 1, "a request in the metrics")
            self.ask("/export/v1/metrics")
            agent.expect_spans(4)
            self.ask("/call/after")
            agent.expect_spans(6)
            self.assertLessEqual(self.counted(agent), 2)
            self.assertEqual(agent.metric_sum("http_server_request_duration_seconds_count", http_route="/call/after"), 0)

    def test_can_be_switched_off(self):
        with self.agent("  exclude_otel_instrumented_services: false\n") as agent:
            self.ask("/export/v1/traces")
            self.ask("/call/after")
            agent.expect_spans(4)


if __name__ == "__main__":
    unittest.main()
