#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The real Prometheus scrapes the agent, in each format, and its API gives exact counts."""
import gzip
import json
import os
import subprocess
import tempfile
import unittest
import urllib.error
import urllib.parse
import urllib.request

from harness import Agent, Child, free_port, request, wait_for
from services import nginx

PROTOBUF = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
OPEN_METRICS = "application/openmetrics-text;version=1.0.0"


class Prometheus:
    """Scrapes one port every 200 ms. Which format it asks for follows from the features."""

    def __init__(self, port, features="", **scrape):
        self.port = free_port()
        self.folder = tempfile.mkdtemp(prefix="waggle-prometheus-")
        path = os.path.join(self.folder, "prometheus.yml")
        job = {"job_name": "agent", "honor_labels": True, "static_configs": [{"targets": [f"127.0.0.1:{port}"]}], **scrape}
        with open(path, "w") as file:
            json.dump({"global": {"scrape_interval": "200ms", "scrape_timeout": "200ms"}, "scrape_configs": [job]}, file)
        arguments = [f"--enable-feature={features}"] if features else []
        self.child = Child(["prometheus", f"--config.file={path}", f"--storage.tsdb.path={self.folder}/data",
                            f"--web.listen-address=127.0.0.1:{self.port}", *arguments]).wait_port(self.port)

    def ask(self, path, **query):
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            if error.code == 503:  # not ready yet
                return {}
            raise

    def query(self, text):
        """[(labels, value)] of an instant query."""
        return [(r["metric"], float(r["value"][1])) for r in self.ask("query", query=text).get("result", [])]

    def number(self, text):
        found = self.query(text)
        return found[0][1] if found else None

    def target(self):
        targets = self.ask("targets").get("activeTargets", [])
        return targets[0] if targets else {}

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind:
            print(self.target(), self.child.output()[-3000:])
        self.child.stop()


class Scrapes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server, cls.port = nginx("location = /ok { return 200 'hello'; } location = /broken { return 500; }")

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def agent(self, config="", **options):
        return Agent(services=[{"open_ports": str(self.port), "name": "shop", "namespace": "web"}], config=config, **options)

    def drive(self, good, bad=0):
        for path, times in (("/ok", good), ("/broken", bad)):
            for _ in range(times):
                request(self.port, path=path)

    def check_counts(self, prometheus, good, bad):
        count = "http_server_request_duration_seconds_count"
        wait_for(lambda: prometheus.number(f"sum({count})") == good + bad, "the count")
        by_status = {m["http_response_status_code"]: v for m, v in prometheus.query(count)}
        self.assertEqual(by_status, {"200": good, "500": bad})
        self.assertEqual({m["job"] for m, _ in prometheus.query(count)}, {"web/shop"})
        self.assertEqual(prometheus.number('sum(http_server_request_duration_seconds_count{error_type="500"})'), bad)
        self.assertEqual(prometheus.number("sum(http_server_response_body_size_bytes_sum{http_response_status_code='200'})"), 5 * good)
        target = prometheus.target()
        self.assertEqual((target["health"], target["lastError"]), ("up", ""))
        # target_info joins by job and instance, and says the rest.
        (labels, one), = prometheus.query('target_info{job="web/shop"}')
        self.assertEqual(one, 1)
        self.assertEqual(labels["os_type"], "linux")
        joined = prometheus.query(f'sum by (telemetry_sdk_language) ({count} * on (job, instance) group_left(telemetry_sdk_language) target_info)')
        self.assertEqual(joined[0][1], good + bad)

    def test_open_metrics(self):
        """What this Prometheus asks for by itself; with gzip, and exemplars."""
        with self.agent() as agent, Prometheus(agent.prometheus_port, "exemplar-storage") as prometheus:
            self.drive(7, 3)
            self.check_counts(prometheus, 7, 3)
            buckets = prometheus.query('sum by (le) (http_server_request_duration_seconds_bucket{http_response_status_code="200"})')
            self.assertEqual({m["le"]: v for m, v in buckets}["+Inf"], 7)
            found = lambda: prometheus.ask("query_exemplars", query="http_server_request_duration_seconds_bucket",
                                           start=0, end=4e9)
            wait_for(found, "exemplars")
            traces = {e["labels"]["trace_id"] for series in found() for e in series["exemplars"]}
            spans = agent.expect_spans(10)
            self.assertTrue(traces and traces <= {s.trace_id for s in spans})

    def test_protobuf_with_native_histograms(self):
        with self.agent() as agent, Prometheus(agent.prometheus_port, "native-histograms") as prometheus:
            self.drive(6, 2)
            wait_for(lambda: prometheus.number("histogram_count(sum(http_server_request_duration_seconds))") == 8, "the count")
            total = agent.metric_sum("http_server_request_duration_seconds_sum")
            self.assertAlmostEqual(prometheus.number("histogram_sum(sum(http_server_request_duration_seconds))"), total, places=9)
            half = prometheus.number("histogram_quantile(0.5, sum(http_server_request_duration_seconds))")
            self.assertTrue(0 < half < 1, half)
            self.assertEqual(prometheus.target()["lastError"], "")
            # Counters and gauges go the same way.
            wait_for(lambda: prometheus.number('sum(waggle_requests_seen_total)') == 8, "the agent's own counter")

    def test_without_native_histograms(self):
        with self.agent(env={"WAGGLE_PROMETHEUS_NATIVE_HISTOGRAMS": "false"}) as agent, \
                Prometheus(agent.prometheus_port, "native-histograms") as prometheus:
            self.drive(4, 1)
            self.check_counts(prometheus, 4, 1)

    def test_counters_grow_and_start_at_nothing(self):
        with self.agent() as agent, Prometheus(agent.prometheus_port) as prometheus:
            self.drive(2)
            count = "sum(http_server_request_duration_seconds_count)"
            wait_for(lambda: prometheus.number(count) == 2, "two")
            self.drive(3)
            wait_for(lambda: prometheus.number(count) == 5, "five")
            wait_for(lambda: prometheus.number(f"sum(increase(http_server_request_duration_seconds_count[1m]))"), "a rate")
            self.assertEqual(prometheus.number("resets(http_server_request_duration_seconds_count[1m])"), 0)

    def test_formats_by_negotiation(self):
        with self.agent() as agent:
            self.drive(3)
            agent.expect_spans(3)
            wait_for(lambda: agent.metric_sum("http_server_request_duration_seconds_count") == 3, "the count")
            for accept, kind in ((None, "text/plain"), ("text/plain;version=0.0.4", "text/plain"), (OPEN_METRICS, "application/openmetrics-text"),
                                 (PROTOBUF + ";q=0.9,text/plain;q=0.1", "application/vnd.google.protobuf"), ("image/png", "text/plain")):
                for encoding in ("identity", "gzip"):
                    with self.subTest(accept=accept, encoding=encoding):
                        headers = {"Accept-Encoding": encoding, **({"Accept": accept} if accept else {})}
                        ask = urllib.request.Request(f"http://127.0.0.1:{agent.prometheus_port}/metrics", headers=headers)
                        with urllib.request.urlopen(ask, timeout=5) as answer:
                            self.assertTrue(answer.headers["Content-Type"].startswith(kind), answer.headers["Content-Type"])
                            self.assertEqual(answer.headers["Content-Encoding"], None if encoding == "identity" else "gzip")
                            body = answer.read()
                        body = gzip.decompress(body) if encoding == "gzip" else body
                        self.assertIn(b"http_server_request_duration_seconds", body)
                        self.assertEqual(body.endswith(b"# EOF\n"), kind == "application/openmetrics-text")

    def test_promtool_finds_nothing_to_say(self):
        """Prometheus' own linter: names, units and help texts."""
        with self.agent() as agent:
            self.drive(2, 1)
            wait_for(lambda: agent.metric_sum("http_server_request_duration_seconds_count") == 3, "the count")
            done = subprocess.run(["promtool", "check", "metrics"], input=agent.get("/metrics"), capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))

    def test_beylas_profile(self):
        with self.agent(env={"BEYLA_LOG_LEVEL": "info"}) as agent, Prometheus(agent.prometheus_port) as prometheus:
            self.drive(5)
            wait_for(lambda: prometheus.number("sum(http_server_request_duration_seconds_count)") == 5, "the count")
            (labels, _), = prometheus.query("http_server_request_duration_seconds_count")
            self.assertEqual((labels["service_name"], labels["service_namespace"]), ("shop", "web"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
