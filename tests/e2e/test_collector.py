#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The real OpenTelemetry Collector takes what the agent sends: by each protocol, compressed or not, over TLS,
configured by the standard variables or by Beyla's file. Exact spans and counts arrive."""
import itertools
import unittest

from backends import Certificates, Collector
from harness import Agent, attributes, request, server_is, wait_for
from services import nginx

PROTOCOLS = ("grpc", "http/protobuf", "http/json")


def points(sink, name):
    """(resource, data, point) of each point of the metric, in the order of arrival."""
    with sink.lock:
        groups = list(sink.metrics)
    return [(attributes(group["resource"]), metric, point)
            for group in groups for scope in group["scopeMetrics"] for metric in scope["metrics"] if metric["name"] == name
            for kind in ("histogram", "exponentialHistogram", "sum", "gauge") if kind in metric
            for point in metric[kind]["dataPoints"]]


def duration_points(sink, **resource):
    return [(data, point) for owner, data, point in points(sink, "http.server.request.duration")
            if resource.items() <= owner.items()]


class ToCollector(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server, cls.port = nginx("location = /ok { return 200 'hello'; } location = /broken { return 500; }")
        cls.certificates = Certificates()

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def agent(self, config="", env=None, arguments=()):
        return Agent(*arguments, services=[{"open_ports": str(self.port)}], config=config, env=env, traces=False)

    def drive(self, good=5, bad=2):
        for path, times in (("/ok", good), ("/broken", bad)):
            for _ in range(times):
                request(self.port, path=path)

    def check(self, collector, good=5, bad=2):
        """What drive() did is there, once, as spans and as counts."""
        sink, total = collector.sink, good + bad
        spans = lambda: [s for s in list(sink.spans) if server_is(s, self.port)]
        wait_for(lambda: len(spans()) >= total, f"{total} spans, {len(spans())} are there")
        count = lambda: {p_attributes["http.response.status_code"]: int(p["count"])
                         for _, p in duration_points(sink) for p_attributes in [attributes(p)]}
        wait_for(lambda: count() == {200: good, 500: bad}, "the counts")
        self.assertEqual(len(spans()), total)
        self.assertEqual(sorted(s["url.path"] for s in spans()), ["/broken"] * bad + ["/ok"] * good)
        self.assertEqual({s.service for s in spans()}, {"nginx"})
        self.assertEqual(len({s.span_id for s in spans()}), total)
        self.assertEqual([s.is_error for s in spans() if s["http.response.status_code"] == 500], [True] * bad)

    def test_protocols_and_compression(self):
        for protocol, compression in itertools.product(PROTOCOLS, ("none", "gzip")):
            with self.subTest(f"{protocol} {compression}"), Collector() as collector:
                env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint(protocol), "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
                       "OTEL_EXPORTER_OTLP_COMPRESSION": compression, "OTEL_METRIC_EXPORT_INTERVAL": "300"}
                with self.agent(env=env):
                    self.drive()
                    self.check(collector)

    def test_tls(self):
        files = self.certificates
        tls = f"{{cert_file: {files['server.pem']}, key_file: {files['server.key']}, client_ca_file: {files['ca.pem']}}}"
        for protocol in PROTOCOLS:
            with self.subTest(protocol), Collector(tls=tls) as collector:
                env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint(protocol, "https"),
                       "OTEL_EXPORTER_OTLP_PROTOCOL": protocol, "OTEL_METRIC_EXPORT_INTERVAL": "300",
                       "OTEL_EXPORTER_OTLP_CERTIFICATE": files["ca.pem"],
                       "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": files["client.pem"],
                       "OTEL_EXPORTER_OTLP_CLIENT_KEY": files["client.key"]}
                with self.agent(env=env):
                    self.drive()
                    self.check(collector)

    def test_certificates_are_checked_unless_told_otherwise(self):
        files = self.certificates
        tls = f"{{cert_file: {files['server.pem']}, key_file: {files['server.key']}}}"
        for protocol in PROTOCOLS:
            with self.subTest(protocol), Collector(tls=tls) as collector:
                target = f"{{endpoint: '{collector.endpoint(protocol, 'https')}', protocol: {protocol}"
                with self.agent(f"otel_traces_export: {target}, backoff_initial_interval: 100ms}}\nshutdown_timeout: 500ms\n") as agent:
                    self.drive(1, 0)
                    wait_for(lambda: agent.metric_sum("waggle_export_retries_total", signal="spans") >= 1, "a failed try")
                    self.assertEqual(collector.sink.spans, [])
                config = f"otel_traces_export: {target}, insecure_skip_verify: true}}\n" \
                         f"otel_metrics_export: {target}, insecure_skip_verify: true, interval: 300ms}}\n"
                with self.agent(config):
                    self.drive()
                    self.check(collector)

    def test_nothing_is_lost_while_it_is_away(self):
        for protocol in PROTOCOLS:
            with self.subTest(protocol), Collector() as collector:
                config = (f"otel_traces_export: {{endpoint: '{collector.endpoint(protocol)}', protocol: {protocol}, "
                          "backoff_initial_interval: 100ms, backoff_max_interval: 200ms}\n")
                # What it has taken without saying so before its end comes again.
                taken = lambda: len({s.span_id for s in collector.sink.spans})
                with self.agent(config) as agent:
                    self.drive(3, 0)
                    wait_for(lambda: taken() == 3, "3 spans")
                    collector.end()
                    self.drive(5, 0)
                    wait_for(lambda: agent.metric_sum("waggle_export_retries_total", signal="spans") >= 1, "a failed try")
                    collector.start()
                    wait_for(lambda: taken() == 8, "the others")
                    self.drive(1, 0)
                    wait_for(lambda: taken() == 9, "one more")
                    # The Collector hands on before it answers.
                    wait_for(lambda: agent.metric_sum("waggle_export_sent_total", signal="spans") == 9, "the last answer")
                    self.assertEqual(agent.metric_sum("waggle_export_dropped_total", signal="spans"), 0)

    def test_beylas_file(self):
        """Beyla's keys and its profile: names, buckets and the rest are Beyla's then."""
        with Collector() as collector:
            config = f"""
otel_traces_export: {{endpoint: '{collector.endpoint("http")}', protocol: http/protobuf}}
otel_metrics_export: {{endpoint: '{collector.endpoint("grpc")}', protocol: grpc, interval: 300ms}}
"""
            with self.agent(config, env={"BEYLA_LOG_LEVEL": "info"}):
                self.drive()
                self.check(collector)
            (data, point), *_ = duration_points(collector.sink)
            self.assertEqual(data["unit"], "s")
            self.assertEqual(point["explicitBounds"][0], 0)
            self.assertEqual({"http.request.method", "http.response.status_code", "http.route", "server.address", "server.port"},
                             set(attributes(point)))

    def test_standard_variables_of_one_signal(self):
        """A signal's own endpoint is used as it is; none switches a signal off; attributes name the resource."""
        with Collector() as collector:
            base = collector.endpoint("http")
            env = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": base + "/v1/traces", "OTEL_EXPORTER_OTLP_ENDPOINT": base,
                   "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", "OTEL_METRICS_EXPORTER": "none",
                   "OTEL_BSP_SCHEDULE_DELAY": "700", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "2",
                   "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=trial"}
            with self.agent(env=env):
                self.drive(3, 0)
                sink = collector.sink
                wait_for(lambda: len(sink.spans) >= 3, "3 spans")
            self.assertEqual({s.resource["deployment.environment"] for s in sink.spans}, {"trial"})
            self.assertEqual(sink.metrics, [])

    def test_temporality(self):
        for preference in ("cumulative", "delta"):
            with self.subTest(preference), Collector() as collector:
                env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint("http"), "OTEL_METRIC_EXPORT_INTERVAL": "200",
                       "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", "OTEL_TRACES_EXPORTER": "none",
                       "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": preference}
                seen = lambda: [int(p["count"]) for _, p in duration_points(collector.sink)]
                with self.agent(env=env):
                    self.drive(3, 0)
                    wait_for(lambda: sum(seen()) >= 3, "the first three")
                    self.drive(4, 0)
                    total = (lambda: sum(seen())) if preference == "delta" else (lambda: max(seen()))
                    wait_for(lambda: total() >= 7, "all seven")
                self.assertEqual(total(), 7)
                code = {"delta": 1, "cumulative": 2}[preference]
                self.assertEqual({d["histogram"]["aggregationTemporality"] for d, _ in duration_points(collector.sink)}, {code})
                starts = {p["startTimeUnixNano"] for _, p in duration_points(collector.sink)}
                self.assertEqual(len(starts) == 1, preference == "cumulative")

    def test_exponential_histograms(self):
        with Collector() as collector:
            env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint("grpc"), "OTEL_METRIC_EXPORT_INTERVAL": "200",
                   "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
                   "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": "base2_exponential_bucket_histogram"}
            with self.agent(env=env):
                self.drive(6, 0)
                wait_for(lambda: any(int(p["count"]) == 6 for _, p in duration_points(collector.sink)), "the count")
            data, point = duration_points(collector.sink)[-1]
            self.assertIn("exponentialHistogram", data)
            self.assertEqual(sum(map(int, point["positive"]["bucketCounts"])) + int(point.get("zeroCount", 0)), 6)
            # Exemplars lead from a metric to one of its traces.
            wait_for(lambda: len(collector.sink.spans) >= 6, "the spans")
            exemplars = {e["traceId"] for _, p in duration_points(collector.sink) for e in p.get("exemplars", [])}
            self.assertTrue(exemplars and exemplars <= {s.trace_id for s in collector.sink.spans})


if __name__ == "__main__":
    unittest.main(verbosity=2)
