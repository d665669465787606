#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Back ends that are slow, down, or answer rubbish: nothing is lost that is not counted, capture goes on, and memory
stays bounded. Series: the limit, expiry. Printers."""
import json
import re
import socket
import sys
import threading
import unittest

from backends import Backend
from harness import Agent, Child, free_port, request, wait_for
from services import nginx

ECHO = """
import socket, sys
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    connection, _ = server.accept()
    with connection:
        while data := connection.recv(65536):
            connection.sendall(data)
"""
FAST = "backoff_initial_interval: 50ms, backoff_max_interval: 100ms"


class Garbage:
    """A port that answers every connection with the same bytes and closes it."""

    def __init__(self, answer):
        self.answer, self.calls = answer, 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]

    def serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection:
                self.calls += 1
                try:
                    connection.settimeout(2)
                    connection.recv(1024)
                    connection.sendall(self.answer)
                except OSError:
                    pass

    def __enter__(self):
        threading.Thread(target=self.serve, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


class Backends(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server, cls.port = nginx("location / { return 200 'hello'; } location /broken { return 500; }", workers=2)

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def agent(self, port=None, more=FAST, config="", arguments=(), **options):
        config += "shutdown_timeout: 500ms\n"  # few of these back ends would ever take the rest
        if port:
            config += (f"otel_traces_export: {{endpoint: 'http://127.0.0.1:{port}/v1/traces', protocol: http/json, "
                       f"batch_timeout: 20ms, {more}}}\n")
        return Agent(*arguments, services=[{"open_ports": str(self.port)}], config=config, traces=False, **options)

    def drive(self, times, path="/"):
        for _ in range(times):
            request(self.port, path=path)

    def wait_seen(self, agent, count):
        """Prometheus is another reader: it counts whatever happens to the traces."""
        wait_for(lambda: agent.metric_sum("http_server_request_duration_seconds_count") >= count, f"{count} requests")
        self.assertEqual(agent.metric_sum("http_server_request_duration_seconds_count"), count)

    def accounts(self, agent):
        """Where every request seen has ended. Asserts that the books are balanced."""
        books = {}

        def balanced():
            metrics = agent.metrics()
            total = lambda name, **labels: sum(v for (n, have), v in metrics.items() if n == name and labels.items() <= set(have))
            books.update(seen=total("waggle_requests_seen_total"), sent=total("waggle_export_sent_total", signal="spans"),
                         queued=total("waggle_export_queued", signal="spans"),
                         filtered=total("waggle_spans_filtered_total"),
                         skipped=total("waggle_export_skipped_total", signal="spans"),
                         lost=total("waggle_export_dropped_total", signal="spans") + total("waggle_spans_lost_total"))
            for (name, labels), value in metrics.items():
                if name == "waggle_export_dropped_total" and ("signal", "spans") in labels and value:
                    books[dict(labels)["cause"]] = value
            ends = sum(books[k] for k in ("sent", "queued", "filtered", "skipped", "lost"))
            return books["seen"] > 0 and books["seen"] == ends
        try:
            wait_for(balanced, "seen = sent + queued + filtered + skipped + lost")
        except AssertionError as error:
            raise AssertionError(f"{error}: {books}") from None
        return books

    def test_everything_arrives_at_a_good_one(self):
        with Backend() as backend, self.agent(backend.port, FAST + ", headers: {x-tenant: blue}") as agent:
            self.drive(20)
            self.wait_seen(agent, 20)
            wait_for(lambda: len(backend.spans.spans) == 20, "20 spans")
            books = self.accounts(agent)
            self.assertEqual((books["seen"], books["sent"], books["lost"]), (20, 20, 0))
            self.assertEqual({r[2]["x-tenant"] for r in backend.traces()}, {"blue"})

    def test_down_and_back_again(self):
        port = free_port()
        with self.agent(port) as agent:
            self.drive(10)
            self.wait_seen(agent, 10)
            wait_for(lambda: agent.metric_sum("waggle_export_retries_total") >= 2, "tries")
            with Backend(port=port) as backend:
                wait_for(lambda: len(backend.spans.spans) == 10, "what was kept")
                books = self.accounts(agent)
                self.assertEqual((books["sent"], books["lost"]), (10, 0))

    def test_given_up_after_a_time(self):
        with self.agent(free_port(), FAST + ", backoff_max_elapsed_time: 300ms") as agent:
            self.drive(10)
            self.wait_seen(agent, 10)
            wait_for(lambda: self.accounts(agent).get("export_failed") == 10, "the loss")

    def test_the_queue_is_bounded(self):
        with self.agent(free_port(), FAST + ", max_queue_size: 20, max_export_batch_size: 10") as agent:
            self.drive(200)
            self.wait_seen(agent, 200)
            wait_for(lambda: self.accounts(agent)["seen"] == 200, "all")
            books = self.accounts(agent)
            self.assertLessEqual(books["queued"], 20 + 10)  # a batch is on its way
            self.assertEqual(books["queue_full"], 200 - books["queued"])

    def test_retry_after_is_kept_to(self):
        for status in (429, 503):
            # The first attempt is refused for a second: without the header it would come again after 50 ms.
            refuse = lambda n, path: (status, {"Retry-After": "1"}, b"") if n == 0 else (200, {}, b"{}")
            with self.subTest(status), Backend(refuse) as backend, self.agent(backend.port) as agent:
                self.drive(1)
                wait_for(lambda: len(backend.spans.spans) == 1, "the span")
                self.drive(4)
                wait_for(lambda: len(backend.spans.spans) == 5, "the others")
                first, second, *_ = backend.traces()
                self.assertGreaterEqual(second[0] - first[0], 0.95)
                self.assertEqual(self.accounts(agent)["sent"], 5)

    def test_refused_for_good(self):
        with Backend(lambda *_: (400, {}, b"no")) as backend, self.agent(backend.port) as agent:
            self.drive(5)
            wait_for(lambda: self.accounts(agent).get("export_failed") == 5, "the loss")
            self.assertEqual(agent.metric_sum("waggle_export_retries_total"), 0)
            self.assertIn("HTTP status 400", agent.child.output())

    def test_rubbish(self):
        """Answers that are none: closed without a word, a body that is no JSON, a status that is none."""
        rubbish = [None, (200, {}, b"\x00\xff<html>"), (999, {}, b"")]
        for answer in rubbish:
            with self.subTest(answer), Backend(lambda n, path: answer if n == 0 else (200, {}, b"{}")) as backend, \
                    self.agent(backend.port) as agent:
                self.drive(1)
                wait_for(lambda: backend.traces(), "the first answer")
                self.drive(5)
                wait_for(lambda: self.accounts(agent)["seen"] == 6 and not self.accounts(agent)["queued"], "all")
                books = self.accounts(agent)
                self.assertEqual(books["sent"] + books["lost"], 6)
                self.assertEqual(len(backend.spans.spans), books["sent"])

    def test_rubbish_on_the_wire(self):
        """Whatever speaks there is no OTLP: closed at once, or bytes that are no HTTP."""
        for protocol in ("grpc", "http/protobuf", "http/json"):
            for bytes_back in (b"", b"\x00\xff\x00" * 100, b"220 mail.example ESMTP\r\n"):
                with self.subTest(protocol=protocol, bytes_back=bytes_back[:8]), Garbage(bytes_back) as garbage:
                    config = (f"otel_traces_export: {{endpoint: 'http://127.0.0.1:{garbage.port}', protocol: {protocol}, "
                              f"batch_timeout: 20ms, {FAST}}}\n")
                    with self.agent(config=config) as agent:
                        self.drive(4)
                        self.wait_seen(agent, 4)
                        wait_for(lambda: garbage.calls >= 2, "another try")
                        books = self.accounts(agent)
                        self.assertEqual((books["queued"] + books["lost"], books["sent"]), (4, 0))

    def test_partial_success(self):
        answer = (200, {}, json.dumps({"partialSuccess": {"rejectedSpans": "1", "errorMessage": "too old"}}).encode())
        with Backend(lambda *_: answer) as backend, self.agent(backend.port, FAST) as agent:
            self.drive(10)
            self.wait_seen(agent, 10)
            wait_for(lambda: not self.accounts(agent)["queued"], "all")
            books = self.accounts(agent)
            self.assertEqual(books["rejected"], len(backend.traces()))
            self.assertEqual(books["sent"] + books["rejected"], 10)

    def test_slow(self):
        """A back end that sits on its answers delays nobody: the services, the metrics and the scrape go on."""
        go_on = threading.Event()

        def slow(number, path):
            go_on.wait(30)
            return 200, {}, b"{}"
        with Backend(slow) as backend, self.agent(backend.port, FAST + ", max_queue_size: 50") as agent:
            self.drive(300)
            self.wait_seen(agent, 300)
            books = self.accounts(agent)
            self.assertEqual(books["sent"], 0)
            self.assertGreater(books["queue_full"], 0)
            go_on.set()
            wait_for(lambda: not self.accounts(agent)["queued"], "the rest")
            self.assertEqual(self.accounts(agent)["sent"], len(backend.spans.spans))

    def test_sampled_and_filtered_requests_are_counted(self):
        config = "filter: {application: {url_path: {not_match: '/secret*'}}}\nroutes: {ignored_patterns: [/health], ignore_mode: traces}\n"
        with Backend() as backend, self.agent(backend.port, config=config) as agent:
            self.drive(3, "/secret/x")
            self.drive(4, "/health")
            self.drive(5, "/")
            wait_for(lambda: self.accounts(agent)["seen"] == 12 and not self.accounts(agent)["queued"], "all")
            books = self.accounts(agent)
            self.assertEqual((books["filtered"], books["skipped"], books["sent"]), (3, 4, 5))
        with Backend() as backend, self.agent(backend.port, FAST + ", sampler: {name: always_off}") as agent:
            self.drive(6)
            wait_for(lambda: self.accounts(agent)["skipped"] == 6, "all")
            self.assertEqual(backend.traces(), [])

    def test_traffic_that_nobody_can_read_is_shown(self):
        port = free_port()
        echo = Child([sys.executable, "-c", ECHO, str(port)]).wait_port(port)
        self.addCleanup(echo.stop)
        with Agent(services=[{"open_ports": str(port), "name": "murmur"}], traces=False) as agent:
            with socket.create_connection(("127.0.0.1", port), timeout=10) as talk:
                for _ in range(3):
                    talk.sendall(b"\x01" * 2000)
                    left = 2000
                    while left:
                        left -= len(talk.recv(left))
            name = "waggle_undecoded_size_bytes_total"
            wait_for(lambda: agent.metric_sum(name, service_name="murmur") >= 2000, "the bytes to be counted")
            self.assertEqual(agent.metric_sum(name), agent.metric_sum(name, service_name="murmur"))
            self.assertEqual(agent.metric_sum("waggle_requests_seen_total"), 0)

    def test_series_limit_keeps_sums(self):
        with self.agent(config="series_limit: 3\nroutes: {unmatched: path}\n") as agent:
            for i in range(40):
                request(self.port, path=f"/page{i}")
            self.wait_seen(agent, 40)
            lines = [line for line in agent.get("/metrics").splitlines() if line.startswith("http_server_request_duration_seconds_count")]
            overflow = [line for line in lines if 'otel_metric_overflow="true"' in line]
            self.assertEqual(len(overflow), 1, lines)
            self.assertEqual(len(lines), 4)
            self.assertEqual(float(overflow[0].split()[-1]), 37)

    def test_expired_series_begin_anew(self):
        with Backend() as backend:
            config = (f"otel_metrics_export: {{endpoint: 'http://127.0.0.1:{backend.port}/v1/metrics', protocol: http/json, "
                      "interval: 100ms, ttl: 1s}\n")
            with self.agent(config=config):
                def points():
                    with backend.spans.lock:
                        groups = list(backend.spans.metrics)
                    return [[p for g in batch for s in g["scopeMetrics"] for m in s["metrics"]
                             if m["name"] == "http.server.request.duration" for p in m["histogram"]["dataPoints"]]
                            for batch in [[g] for g in groups]]
                last = lambda: ([p for batch in points() for p in batch] or [None])[-1]
                self.drive(3)
                wait_for(lambda: last() and last()["count"] == "3", "three")
                before = last()
                agent_groups = lambda: len(backend.requests)
                seen = agent_groups()
                # Gone: pushes go on without it.
                wait_for(lambda: agent_groups() > seen + 5 and not self.recent(backend, 3), "the series to expire")
                self.drive(2)
                wait_for(lambda: last()["count"] == "2", "two")
                self.assertGreater(int(last()["startTimeUnixNano"]), int(before["timeUnixNano"]))

    @staticmethod
    def recent(backend, pushes):
        """Does one of the last pushes have the metric? A push is one group per resource: nginx's only comes with it."""
        with backend.spans.lock:
            names = [m["name"] for g in backend.spans.metrics[-pushes:] for s in g["scopeMetrics"] for m in s["metrics"]]
        return "http.server.request.duration" in names

    def test_printers(self):
        for printer in ("text", "json", "json_indent", "counter"):
            with self.subTest(printer):
                agent = self.agent(arguments=("--print", printer))
                self.drive(3, "/a?b=c")
                self.drive(1, "/broken")
                self.wait_seen(agent, 4)
                self.assertEqual(agent.stop(), 0)
                output = agent.child.output()
                if printer == "text":
                    self.assertEqual(len(re.findall(r"\(\S+\[\S+\]\) HTTP 200 GET /a ", output)), 3, output)
                    self.assertEqual(len(re.findall(r"\) HTTP 500 GET /broken .* svc=\[nginx generic\]", output)), 1, output)
                elif printer == "counter":
                    self.assertIn("Processed 4 requests", output)
                else:
                    found, decoder = [], json.JSONDecoder()
                    text = "\n".join(line for line in output.splitlines() if not re.match(r"\[20\d\d-|^==", line))
                    while text.strip():
                        batch, end = decoder.raw_decode(text.lstrip())
                        found += batch
                        text = text.lstrip()[end:]
                    self.assertEqual([s["attributes"]["status"] for s in found], ["200"] * 3 + ["500"])
                    self.assertEqual({s["kind"] for s in found}, {"SPAN_KIND_SERVER"})
                agent.sink.stop()


if __name__ == "__main__":
    unittest.main(verbosity=2)
