#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The command line: exit status, messages, doctor, explain, config check; and how the agent starts, reloads and ends."""
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request

from backends import Backend, Certificates
from harness import WAGGLE, Agent, Child, can_connect, free_port, request, server_is, wait_for
from privileges import public_copy
from services import nginx, python_http

ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith(("BEYLA_", "WAGGLE_", "OTEL_"))} | {"ASAN_OPTIONS": "detect_leaks=0"}


def waggle(*arguments, env=None):
    return subprocess.run([WAGGLE, *arguments], env=ENVIRONMENT | (env or {}), capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL)


def file_with(text, folder=None):
    path = os.path.join(folder or tempfile.mkdtemp(prefix="waggle-cli-"), "waggle.yaml")
    with open(path, "w") as file:
        file.write(text)
    return path


def status_of(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def scrape(port, path="/metrics"):
    return urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20).read().decode()


class Usage(unittest.TestCase):
    def check(self, done, status, *texts):
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        for text in texts:
            self.assertIn(text, done.stdout + done.stderr)

    def test_version_and_help(self):
        done = waggle("--version")
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, r"^waggle \d+\.\d+\.\d+\n$")
        done = waggle("--help")
        self.check(done, 0, "Usage: waggle [OPTIONS]", "Examples:", "doctor", "explain", "record", "replay", "config", "--open-port")
        for command in ("run", "doctor", "explain", "record", "replay", "config"):
            self.check(waggle(command, "--help"), 0, command)

    def test_usage_errors(self):
        for arguments in (("--no-such-flag",), ("no-such-command",), ("explain",), ("explain", "abc"), ("config",),
                          ("--set", "no-equals-sign"), ("record",)):
            with self.subTest(arguments):
                done = waggle(*arguments)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertTrue(done.stderr)

    def test_configuration_errors_name_place_and_cure(self):
        path = file_with("routes:\n  unmatched: heuristic\nebpf:\n  tick: quick\nprometheus_export:\n  port: 99999\nlog_level: loud\n")
        for arguments in (("run", "--config", path), ("--config", path), ("config", "check", path), ("doctor", "--config", path)):
            with self.subTest(arguments):
                done = waggle(*arguments)
                self.check(done, 2, path + ":4", "ebpf.tick", "500ms", path + ":6", "prometheus_export.port", "65535",
                           path + ":7", "log_level", "INFO")
        self.check(waggle("--config", "/no/such/file"), 2, "/no/such/file", "No such file")
        self.check(waggle("--config", file_with("a: [b")), 2, "waggle.yaml:1")
        self.check(waggle("--set", "ebpf.tick=soon"), 2, "--set", "ebpf.tick")
        self.check(waggle("run", env={"WAGGLE_BPF_TICK": "soon"}), 2, "WAGGLE_BPF_TICK", "ebpf.tick")

    def test_flags_stand_before_and_after_the_command(self):
        path = file_with("")
        for arguments in (("--set", "ebpf.tick=7ms", "--set", "ebpf.rings=3", "config", "check", path),
                          ("config", "check", path, "--set", "ebpf.tick=7ms", "--set", "ebpf.rings=3")):
            with self.subTest(arguments):
                done = waggle(*arguments)
                self.check(done, 0)
                self.assertRegex(done.stdout, r"tick: 7ms +# flag --set")
                self.assertRegex(done.stdout, r"rings: 3 +# flag --set")

    def test_unknown_keys_are_warnings(self):
        path = file_with("prometheus_exprot:\n  port: 9090\nebpf:\n  tik: 5ms\n")
        done = waggle("config", "check", path)
        self.check(done, 0, "waggle.yaml:1", "prometheus_export", "waggle.yaml:4", "tick")

    def test_run_time_errors(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            done = waggle("--prometheus-port", str(port), "--set", "prometheus_export.address=127.0.0.1", "--open-port", "1")
            self.check(done, 1, str(port), "in use")
        self.check(waggle("replay", "/no/such/file"), 1, "No such file")
        done = subprocess.run(["setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace", WAGGLE, "--open-port", "1"],
                              env=ENVIRONMENT | {"BEYLA_ENFORCE_SYS_CAPS": "true"}, capture_output=True, text=True, timeout=60)
        self.check(done, 255, "enforce_sys_caps", "CAP_SYS_PTRACE")

    def test_without_privileges(self):
        """Says what is missing, and ends with the status of a run-time failure."""
        done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", public_copy(),
                               "--open-port", "1", "--print", "text"], env=ENVIRONMENT, capture_output=True, text=True, timeout=60)
        self.check(done, 1, "CAP_BPF", "CAP_PERFMON")

    def test_beylas_exit_status(self):
        """Called as Beyla is, every failure is 255."""
        path = file_with("log_level: loud\n")
        self.check(waggle("-config", path), 255, path + ":1")
        self.check(waggle(env={"BEYLA_CONFIG_PATH": path}), 255, path + ":1")
        self.check(waggle(env={"BEYLA_OPEN_PORT": "eighty"}), 255, "BEYLA_OPEN_PORT")
        self.check(waggle("-config"), 255)
        self.check(waggle("run", "--config", path), 2)

    def test_config_check(self):
        path = file_with("open_port: 8080\notel_traces_export:\n  endpoint: http://user:word@localhost:4318\n")
        done = waggle("config", "check", path, env={"OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer abcdef"})
        self.check(done, 0)
        line = {text.split(":")[0].strip(): text for text in done.stdout.splitlines()}
        self.assertIn(f"{path}:1", line["open_port"])
        self.assertIn("# default", line["log_level"])
        for secret in ("abcdef", "word@"):
            self.assertNotIn(secret, done.stdout)
        # The file that is named is the one that is checked.
        other = file_with("open_port: 7070\n")
        self.check(waggle("config", "check", path, env={"WAGGLE_CONFIG_PATH": other}), 0, path + ":1")
        # What is printed is a configuration that says the same.
        again = waggle("config", "check", file_with(done.stdout))
        values = lambda text: [l.split(" # ")[0].rstrip() for l in text.splitlines() if "***" not in l]
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertEqual(values(again.stdout), values(done.stdout))

    def test_doctor(self):
        done = waggle("doctor")
        self.check(done, 0, "CAP_BPF", "Sensors", "sockets", "processes", "BTF")
        facts = json.loads(waggle("doctor", "--json").stdout)
        self.assertTrue(facts["can_capture"])
        self.assertTrue(facts["capabilities"]["CAP_BPF"])
        sensors = {s["name"]: s for s in facts["sensors"]}
        self.assertEqual(sensors["sockets"]["state"], "active")
        self.assertIn(sensors["sockets"]["hook"], done.stdout)

    def test_explain(self):
        server, port = nginx()
        self.addCleanup(server.stop)
        done = waggle("explain", str(server.pid), "--open-port", str(port))
        self.check(done, 0, "nginx", f"port {port}", "selected", "service: nginx", "traced: yes, by ")
        done = waggle("explain", str(server.pid), "--open-port", "1")
        self.check(done, 0, "not selected")
        self.assertNotIn("service:", done.stdout)
        self.check(waggle("explain", "999999999"), 1, "no process 999999999")


def attachments(pid):
    """How many programs a process has attached in the kernel: it holds a link for each."""
    found = 0
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            found += "bpf_link" in os.readlink(f"/proc/{pid}/fd/{name}")
        except OSError:  # closed meanwhile
            pass
    return found


class Running(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server, cls.port = nginx("location / { return 200 'hello'; }", workers=2)

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def start(self, *arguments, env=None, ready=None):
        child = Child([WAGGLE, *arguments], env={"ASAN_OPTIONS": "detect_leaks=0", **(env or {})})
        self.addCleanup(child.stop)
        if ready:
            wait_for(lambda: child.process.poll() is not None or status_of(ready, "/readyz") == 200, "readiness")
            self.assertIsNone(child.process.poll(), child.output())
        return child

    def end(self, child, sig=signal.SIGTERM, within=20):
        child.process.send_signal(sig)
        return child.process.wait(within)

    def test_defaults_only_without_selector_and_exporter(self):
        """Each for itself: without a selector every listener is watched, without an exporter there is :9464."""
        port = free_port()
        other, other_port = python_http(tempfile.mkdtemp(prefix="waggle-other-"))
        self.addCleanup(other.stop)

        def served(port):
            """By which services, once nginx is among them, which is asked last."""
            request(other_port)
            request(self.port)
            found = lambda: set(re.findall(r'^http_server_request_duration_seconds_count{.*\bjob="([^"]*)"', scrape(port), re.M))
            return wait_for(lambda: "nginx" in found() and found(), "nginx")

        child = self.start("--prometheus-port", str(port), ready=port)
        self.assertLessEqual({"nginx", "http.server"}, served(port))
        self.assertNotIn("listening on port 9464", child.output())
        self.assertEqual(self.end(child), 0)
        if status_of(9464, "/healthz"):
            self.fail("port 9464 of this host is taken")
        child = self.start(ready=9464)
        self.assertLessEqual({"nginx", "http.server"}, served(9464))
        self.assertEqual(self.end(child, signal.SIGINT), 0)
        child = self.start("--open-port", str(self.port), ready=9464)
        self.assertEqual(served(9464), {"nginx"})
        self.assertEqual(self.end(child), 0)
        # A printer is an exporter, too: no port.
        child = self.start("--open-port", str(self.port), "--print", "text")
        wait_for(lambda: "watching" in child.output(), "the start")
        self.assertNotIn("listening on", child.output())
        self.assertEqual(self.end(child), 0)

    def test_as_beyla(self):
        port = free_port()
        path = file_with(f"open_port: {self.port}\nprometheus_export:\n  port: {port}\n")
        for arguments, env in ((("-config", path), {}), ((), {"BEYLA_CONFIG_PATH": path}),
                               ((), {"BEYLA_OPEN_PORT": str(self.port), "BEYLA_PROMETHEUS_PORT": str(port)})):
            with self.subTest(arguments=arguments, env=env):
                child = self.start(*arguments, env=env, ready=port)
                request(self.port, path="/b")
                wait_for(lambda: 'http_server_request_duration_seconds_count' in scrape(port), "the metric")
                self.assertIn('service_name="nginx"', scrape(port))
                self.assertEqual(self.end(child), 0)

    def test_ready_only_once_attached(self):
        """systemd is told, by its socket, when and only when requests are seen; and of the end."""
        folder = tempfile.mkdtemp(prefix="waggle-notify-")
        for path in (os.path.join(folder, "notify"), f"@waggle-notify-{os.getpid()}"):
            with self.subTest(path):
                self.check_readiness(path)

    def check_readiness(self, path):
        port = free_port()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(path.replace("@", "\0"))
            notify.settimeout(30)
            child = self.start("--open-port", str(self.port), "--prometheus-port", str(port), env={"NOTIFY_SOCKET": path})
            # Alive before it is ready: attaching takes a moment.
            codes = set()
            wait_for(lambda: codes.add(status_of(port, "/readyz")) or 200 in codes, "readiness")
            self.assertEqual(status_of(port, "/healthz"), 200)
            self.assertIn("READY=1", notify.recv(1000).decode())
            request(self.port, path="/first")
            wait_for(lambda: "http_server_request_duration_seconds_count" in scrape(port), "the first request")
            child.process.send_signal(signal.SIGTERM)
            self.assertIn("STOPPING=1", notify.recv(1000).decode())
            self.assertEqual(child.process.wait(20), 0)

    def test_not_ready_before_it_is_attached(self):
        """It is asked while it is held where it listens already and has nothing in the kernel yet; loading that takes longer than
        an answer. A start that was held too late says nothing: another one."""
        def asked():
            port = free_port()
            child = self.start("--open-port", str(self.port), "--prometheus-port", str(port))
            wait_for(lambda: can_connect(port), "the port")
            child.process.send_signal(signal.SIGSTOP)
            with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
                connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
                is_early = not attachments(child.pid)
                child.process.send_signal(signal.SIGCONT)
                answer = connection.recv(1000)
            self.assertEqual(self.end(child), 0)
            return is_early and answer
        self.assertTrue(wait_for(asked, "a start that is held in time").startswith(b"HTTP/1.1 503 "))

    def test_own_health_port(self):
        port = free_port()
        child = self.start("--open-port", str(self.port), "--print", "text", "--set", f"health_port={port}", ready=port)
        self.assertEqual((status_of(port, "/healthz"), status_of(port, "/metrics")), (200, 404))
        self.assertEqual(self.end(child), 0)

    def test_internal_metrics_port(self):
        port, own = free_port(), free_port()
        child = self.start("--open-port", str(self.port), "--prometheus-port", str(port),
                           "--set", f"internal_metrics.prometheus.port={own}", ready=port)
        text = scrape(own, "/internal/metrics")
        self.assertIn("waggle_events_read_total", text)
        self.assertNotIn("http_server", text)
        self.assertEqual(self.end(child), 0)

    def test_a_stop_flushes(self):
        """What was seen until the signal is delivered, by either signal, without waiting for a batch to fill."""
        for sig in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(sig), Backend() as backend:
                config = f"otel_traces_export: {{endpoint: 'http://127.0.0.1:{backend.port}/v1/traces', protocol: http/json, batch_timeout: 60s}}\n"
                agent = Agent(services=[{"open_ports": str(self.port)}], config=config, traces=False)
                for _ in range(30):
                    request(self.port, path="/flush")
                wait_for(lambda: agent.metric_sum("http_server_request_duration_seconds_count") == 30, "30 requests")
                self.assertEqual(backend.spans.spans, [])
                self.assertEqual(agent.stop(sig), 0)
                self.assertEqual(len(backend.spans.spans), 30)
                self.assertIn("30 spans were sent, 0 were lost", agent.child.output())
                agent.sink.stop()

    def test_a_stop_ends_although_the_back_end_hangs(self):
        for sig in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(sig), socket.socket() as hole:  # accepts, and never answers
                hole.bind(("127.0.0.1", 0))
                hole.listen(16)
                config = (f"otel_traces_export: {{endpoint: 'http://127.0.0.1:{hole.getsockname()[1]}/v1/traces', protocol: http/json}}\n"
                          "shutdown_timeout: 1500ms\n")
                agent = Agent(services=[{"open_ports": str(self.port)}], config=config, traces=False)
                for _ in range(8):
                    request(self.port, path="/stuck")
                wait_for(lambda: agent.metric_sum("http_server_request_duration_seconds_count") == 8, "8 requests")
                self.assertTrue(attachments(agent.child.pid))
                began = time.monotonic()
                agent.child.process.send_signal(sig)
                # Detached at once, which shows as not ready any more, while it still tries to deliver.
                wait_for(lambda: not attachments(agent.child.pid), "its programs to be detached")
                detached = time.monotonic() - began
                self.assertEqual([status_of(agent.prometheus_port, path) for path in ("/readyz", "/healthz")], [503, 200])
                self.assertIsNone(agent.child.process.poll())
                self.assertEqual(agent.child.process.wait(20), 0)
                ended = time.monotonic() - began
                self.assertLess(detached, 1)
                self.assertTrue(1.5 <= ended < 3.5, ended)  # shutdown_timeout, and what ending takes
                self.assertIn("0 spans were sent, 8 were lost", agent.child.output())
                agent.stop()
                agent.sink.stop()

    def test_a_second_interrupt_does_not_wait(self):
        with socket.socket() as hole:
            hole.bind(("127.0.0.1", 0))
            hole.listen(16)
            config = (f"otel_traces_export: {{endpoint: 'http://127.0.0.1:{hole.getsockname()[1]}/v1/traces', protocol: http/json}}\n"
                      "shutdown_timeout: 10m\n")
            agent = Agent(services=[{"open_ports": str(self.port)}], config=config, traces=False)
            request(self.port, path="/stuck")
            wait_for(lambda: agent.metric_sum("http_server_request_duration_seconds_count") == 1, "the request")
            agent.child.process.send_signal(signal.SIGINT)
            wait_for(lambda: not attachments(agent.child.pid), "its programs to be detached")

            def ended():
                agent.child.process.send_signal(signal.SIGINT)
                return agent.child.process.poll() is not None
            wait_for(ended, "the end")
            self.assertEqual(agent.child.process.returncode, -signal.SIGINT)
            agent.stop()
            agent.sink.stop()

    def test_reload(self):
        folder = tempfile.mkdtemp(prefix="waggle-reload-")
        other, other_port = nginx("location / { return 200 'other'; }")
        self.addCleanup(other.stop)
        port = free_port()
        with Backend() as backend:
            text = (f"prometheus_export: {{port: {port}}}\n"
                    f"otel_traces_export: {{endpoint: 'http://127.0.0.1:{backend.port}/v1/traces', protocol: http/json, batch_timeout: 20ms}}\n")
            services = "discovery: {services: [{open_ports: '%s'}]}\n"
            path = file_with(text + services % self.port, folder)
            child = self.start("--config", path, ready=port)
            spans = lambda where: [s for s in list(backend.spans.spans) if where(s)]

            def route_of(port, path):
                request(port, path=path)
                found = lambda: spans(lambda s: s["url.path"] == path)
                return wait_for(found, path)[-1]["http.route"]

            def reloads(config, *texts):
                before = len(child.output())
                file_with(config, folder)
                child.process.send_signal(signal.SIGHUP)
                wait_for(lambda: all(t in child.output()[before:] for t in texts), f"{texts} in {child.output()[before:]}")

            self.assertEqual(route_of(self.port, "/orders/abc-one"), "/orders/abc-one")
            reloads(text + services % self.port + "routes: {patterns: ['/orders/{id}'], unmatched: path}\n", "reloaded: ", "routes.patterns")
            self.assertEqual(route_of(self.port, "/orders/abc-two"), "/orders/{id}")
            # Another service, and a filter.
            request(other_port, path="/unwatched")
            reloads(text + services % other_port + "filter: {application: {url_path: {not_match: '/hidden'}}}\n",
                    "discovery.services", "filter.application")
            seen = lambda: request(other_port, path="/watched") and spans(lambda s: server_is(s, other_port))
            wait_for(seen, "the other service")
            request(other_port, path="/hidden")
            route_of(other_port, "/visible")
            self.assertEqual(spans(lambda s: s["url.path"] in ("/hidden", "/unwatched")), [])
            # What needs a restart is named, and only that.
            reloads(text.replace(str(port), str(free_port())) + services % other_port + "ebpf: {tick: 10ms}\n",
                    "needs a restart: ebpf.tick, prometheus_export.port")
            self.assertEqual(status_of(port, "/healthz"), 200)
            # A bad file changes nothing.
            reloads("discovery: {services: [{open_ports: eighty}]}\n", "waggle.yaml:1", "stays as it was")
            reloads("filter: {application: {no_such: {match: x}}}\n", "no_such", "stays as it was")
            route_of(other_port, "/still-there")
            # As it was at the start: nothing needs a restart any more.
            before = len(child.output())
            reloads(text + services % other_port, "reloaded: ")
            self.assertNotIn("restart", child.output()[before:])
            self.assertEqual(self.end(child), 0)

    def test_reload_reads_certificates_anew(self):
        old, new = Certificates(), Certificates()
        with Backend() as backend:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(new["server.pem"], new["server.key"])
            backend.server.socket = context.wrap_socket(backend.server.socket, server_side=True)
            config = (f"otel_traces_export: {{endpoint: 'https://127.0.0.1:{backend.port}/v1/traces', protocol: http/json, "
                      f"batch_timeout: 20ms, backoff_initial_interval: 60s, certificate: '{old['ca.pem']}'}}\n")
            with Agent(services=[{"open_ports": str(self.port)}], config=config, traces=False) as agent:
                request(self.port, path="/sealed")
                wait_for(lambda: "certificate" in agent.child.output().lower(), "the refusal")
                self.assertEqual(backend.spans.spans, [])
                subprocess.run(["cp", new["ca.pem"], old["ca.pem"]], check=True)
                agent.child.process.send_signal(signal.SIGHUP)
                # At once, not after the minute of its next try.
                wait_for(lambda: [s["url.path"] for s in backend.spans.spans] == ["/sealed"], "the span")

    def test_lines_when_not_on_a_terminal(self):
        port = free_port()
        child = self.start("--open-port", str(self.port), "--prometheus-port", str(port), ready=port)

        def line():
            request(self.port, path="/x")
            return re.search(r"^nginx http server: [\d.]+ req/s, 0\.0% errors, p50 .*, p99 .*, \d+ in all$", child.output(), re.M)
        wait_for(line, "a line of the summary")
        self.assertNotIn("\x1b[", child.output())
        self.assertEqual(self.end(child), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
