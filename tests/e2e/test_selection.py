#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Which processes are watched: by port, executable, command line and pid, with exclusions and children, by Waggle's
and by Beyla's configuration; and programs that start after the agent."""
import os
import shutil
import socket
import stat
import subprocess
import tempfile
import threading
import time
import unittest

from bpf_objects import map_of
from harness import DEADLINE, WAGGLE, Agent, Child, Sink, free_port, request, wait_for
from services import nginx, python_http
from talk import service_folder

PYTHON = "/usr/bin/python3"


def orders():
    port = free_port()
    return Child([PYTHON, "orders.py", str(port)], cwd=service_folder("python")).wait_port(port), port


class Selection(unittest.TestCase):
    """Three servers; each test says which of them an agent with its configuration must see."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="waggle-selection-")
        cls.orders, cls.orders_port = orders()
        cls.files, cls.files_port = python_http(cls.folder)
        cls.nginx, cls.nginx_port = nginx()
        # A collector as far as names go.
        cls.collector_port = free_port()
        collector = os.path.join(cls.folder, "otelcol-custom")
        shutil.copy("/bin/busybox", collector)
        os.chmod(collector, stat.S_IRWXU)
        cls.collector = Child(["bash", "-c", f"exec -a busybox {collector} httpd -f -p 127.0.0.1:{cls.collector_port} -h {cls.folder}"])
        cls.collector.wait_port(cls.collector_port)
        cls.ports = {"orders": cls.orders_port, "http.server": cls.files_port, "nginx": cls.nginx_port}

    @classmethod
    def tearDownClass(cls):
        for child in (cls.orders, cls.files, cls.nginx, cls.collector):
            child.stop()
        shutil.rmtree(cls.folder)

    def check(self, seen, agent):
        """The services in seen, and no other, have one span each: those that must not be seen are asked first."""
        with agent:
            if "collector" not in seen:
                request(self.collector_port)
            for name in sorted(self.ports, key=lambda name: name in seen):
                request(self.ports[name], path="/hello" if name == "orders" else "/")
            # Other servers of this host may be selected as well; they are nobody's business here.
            ours = {*self.ports.values(), self.collector_port}
            servers = lambda: agent.spans(lambda s: s.kind != "client" and s["server.port"] in ours)
            wait_for(lambda: len(servers()) >= len(seen), f"spans of {seen}, there are {agent.spans()}")
            wanted = {self.ports[name] for name in seen}
            self.assertEqual(sorted(s["server.port"] for s in servers()), sorted(wanted), agent.spans())
            return {s["server.port"]: s for s in servers()}

    def test_port(self):
        spans = self.check({"orders"}, Agent(services=[{"open_ports": str(self.orders_port)}]))
        self.assertEqual(spans[self.orders_port].service, "orders")

    def test_ports_and_ranges(self):
        ports = f"{self.files_port},{self.nginx_port}-{self.nginx_port}"
        self.check({"http.server", "nginx"}, Agent(services=[{"open_ports": ports}]))

    def test_executable_expression(self):
        self.check({"nginx"}, Agent(services=[{"exe_path": "/nginx$"}]))

    def test_executable_glob(self):
        self.check({"nginx"}, Agent(services=[{"exe_glob": "/usr/*bin/ngi?x"}]))

    def test_command_line_expression(self):
        self.check({"orders"}, Agent(services=[{"cmd_args": rf"orders\.py {self.orders_port}$"}]))

    def test_command_line_glob(self):
        self.check({"http.server"}, Agent(services=[{"cmd_glob": f"*-m http.server {self.files_port}*"}]))

    def test_pid(self):
        self.check({"orders"}, Agent(services=[{"pids": [self.orders.pid]}]))

    def test_where_pids_are_listed_nobody_else_is_looked_at(self):
        """Not even until user space has judged: what starts meanwhile costs nothing and is in no books."""
        with Agent(services=[{"pids": [self.orders.pid]}]) as agent:
            wait_for(lambda: agent.metric_sum("waggle_processes_watched") == 1, "its process to be watched")
            for _ in range(100):
                subprocess.run(["busybox", "wget", "-q", "-O", "/dev/null", f"http://127.0.0.1:{self.nginx_port}/"], check=True)
            request(self.orders_port, path="/hello")
            agent.expect_spans(1)
            # Those of one connection and one exchange.
            self.assertLess(agent.metric_sum("waggle_events_emitted_total"), 20)

    def test_all_conditions_of_an_entry(self):
        both = f"{self.orders_port},{self.files_port},{self.nginx_port}"
        self.check({"orders", "http.server"}, Agent(services=[{"exe_path": "python3", "open_ports": both}]))

    def test_any_listener_but_collectors_and_the_agent(self):
        """The default's selector. Whatever else listens on this host is not asked for anything here; the agent's own
        port is, all the time."""
        agent = Agent(services=[{"any_listener": True, "pids": [self.orders.pid, self.nginx.pid, self.files.pid, self.collector.pid]}])
        agent.get("/metrics")
        self.check({"orders", "http.server", "nginx"}, agent)

    def test_never_itself(self):
        with Agent(services=[{"exe_path": "/(waggle|nginx)$"}]) as agent:
            for _ in range(5):
                agent.get("/metrics")
            request(self.nginx_port)
            agent.expect_spans(1, lambda s: s["server.port"] == self.nginx_port)
            self.assertNotIn("/metrics", {s["url.path"] for s in agent.spans()})
            self.assertEqual({s.service for s in agent.spans()}, {"nginx"})

    def test_collectors_when_asked_for(self):
        config = f"discovery:\n  default_exclude_services: []\n  services: [{{open_ports: {self.collector_port}}}]\n"
        with Agent(config=config) as agent:
            request(self.collector_port)
            span, = agent.expect_spans(1)
            self.assertEqual(span.service, "otelcol-custom")

    def test_exclusions(self):
        config = ("discovery:\n"
                  f"  services: [{{open_ports: '{self.orders_port},{self.files_port},{self.nginx_port}'}}]\n"
                  "  exclude_services: [{exe_path: nginx}, {cmd_args: 'http\\.server'}]\n")
        self.check({"orders"}, Agent(config=config))

    def test_exclusion_by_port(self):
        config = (f"discovery:\n  services: [{{exe_path: 'python3|nginx'}}]\n  exclude_services: [{{open_ports: {self.orders_port}}}, "
                  f"{{cmd_glob: '*test_*'}}]\n")
        self.check({"http.server", "nginx"}, Agent(config=config))

    def test_beylas_variables(self):
        agent = Agent(env={"BEYLA_OPEN_PORT": str(self.orders_port), "BEYLA_SERVICE_NAME": "named", "BEYLA_SERVICE_NAMESPACE": "space"})
        span = self.check({"orders"}, agent)[self.orders_port]
        self.assertEqual((span.service, span.resource["service.namespace"]), ("named", "space"))

    def test_beylas_executable_name(self):
        self.check({"nginx"}, Agent(env={"BEYLA_EXECUTABLE_NAME": "nginx"}))

    def test_beylas_keys_are_anded(self):
        self.check({"orders"}, Agent(config=f"executable_name: python3\nopen_port: {self.orders_port},{self.nginx_port}\n"))

    def test_beylas_command_line(self):
        """As Beyla is called: the one flag with one dash, no subcommand."""
        sink = Sink()
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
            file.write(f"discovery:\n  services:\n    - open_ports: {self.orders_port}\n      name: till\n")
            file.flush()
            agent = Child([WAGGLE, "-config", file.name], env={
                "ASAN_OPTIONS": "detect_leaks=0", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"http://127.0.0.1:{sink.port}/v1/traces",
                "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json"})

            def seen():
                request(self.orders_port, path="/hello")
                return sink.spans
            wait_for(seen, "a span")
            self.assertEqual({s.service for s in sink.spans}, {"till"})
            self.assertEqual(agent.stop(), 0, agent.output())
        sink.stop()

    def test_flags(self):
        self.check({"orders"}, Agent("--open-port", str(self.orders_port)))
        self.check({"nginx"}, Agent("--exe", "nginx$", "--service-name", "edge"))

    def test_first_entry_that_matches_names(self):
        agent = Agent(services=[{"name": "other", "exe_path": "nothing"}, {"name": "first", "open_ports": str(self.orders_port)},
                                {"name": "second", "exe_path": "python3", "open_ports": f"{self.orders_port}"}])
        self.assertEqual(self.check({"orders"}, agent)[self.orders_port].service, "first")

    def test_filter_by_attribute(self):
        agent = Agent(services=[{"open_ports": f"{self.orders_port},{self.nginx_port}"}],
                      config="filter:\n  application:\n    service_name: {not_match: 'ngin*'}\n")
        self.check({"orders"}, agent)


class Children(unittest.TestCase):
    """A shell that starts a server: the server is watched when the shell's entry follows children."""

    def start(self):
        self.port = free_port()
        parent = Child(["bash", "-c", f"echo till; {PYTHON} orders.py {self.port}; true"], cwd=service_folder("python"))
        self.addCleanup(parent.stop)
        parent.wait_port(self.port)

    def test_follow(self):
        for is_first in (True, False):
            with self.subTest(agent_first=is_first):
                if not is_first:
                    self.start()
                with Agent(services=[{"cmd_args": "^bash -c echo till"}]) as agent:
                    if is_first:
                        self.start()
                    request(self.port, path="/hello")
                    span, = agent.expect_spans(1, lambda s: s.kind == "server")
                    self.assertEqual((span["server.port"], span.service), (self.port, "orders"))

    def test_do_not_follow(self):
        port = free_port()
        with Agent(services=[{"cmd_args": "^bash -c echo till", "children": False}, {"open_ports": str(port)}]) as agent:
            self.check_not_seen(agent, port)

    def test_exclusions_hold_for_children(self):
        port = free_port()
        config = (f"discovery:\n  services: [{{cmd_args: '^bash -c echo till'}}, {{open_ports: {port}}}]\n"
                  "  exclude_services: [{exe_path: python3}]\n")
        with Agent(config=config) as agent:
            self.check_not_seen(agent, port)

    def check_not_seen(self, agent, port):
        """The child is not watched; a server that is called after it on this port is."""
        self.start()
        request(self.port, path="/hello")
        server, _ = nginx(listen=f"listen 127.0.0.1:{port};", port=port)
        self.addCleanup(server.stop)
        request(port)
        agent.expect_spans(1)
        self.assertEqual({s["server.port"] for s in agent.spans()}, {port})


class Started(unittest.TestCase):
    """Programs that start after the agent are seen from their first byte."""

    def first_request(self, port):
        """The first connection that the server takes carries the first request."""
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=10) as caller:
                    caller.sendall(b"GET /first HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                    answer = b""
                    while piece := caller.recv(65536):
                        answer += piece
                    return answer
            except ConnectionRefusedError:
                continue
        raise AssertionError(f"nobody listens on {port}")

    def check(self, services, start, service, port):
        with Agent(services=services) as agent:
            answers = []
            caller = threading.Thread(target=lambda: answers.append(self.first_request(port)))
            caller.start()
            child = start()
            caller.join(DEADLINE)
            self.assertTrue(answers and answers[0].startswith(b"HTTP/1."), answers)
            span, = agent.expect_spans(1, lambda s: s.kind == "server")
            self.assertEqual((span["url.path"], span.service, span["waggle.incomplete"]), ("/first", service, None))
            self.assertEqual(agent.metric_sum("waggle_connections_unknown_total"), 0)
            child.stop()

    def http_server(self, port):
        return lambda: Child([PYTHON, "-m", "http.server", str(port), "--bind", "127.0.0.1"], cwd="/")

    def test_first_request_by_port(self):
        port = free_port()
        self.check([{"open_ports": str(port)}], self.http_server(port), "http.server", port)

    def test_first_request_by_port_without_children(self):
        port = free_port()
        self.check([{"open_ports": str(port), "children": False}], self.http_server(port), "http.server", port)

    def test_first_request_by_executable(self):
        port = free_port()
        self.check([{"exe_path": "python3", "cmd_args": f"http.server {port}"}], self.http_server(port), "http.server", port)

    def test_first_request_of_forked_workers(self):
        """nginx's workers are forked just after it begins to listen."""
        folder = tempfile.mkdtemp(prefix="waggle-started-")
        self.addCleanup(shutil.rmtree, folder)
        port = free_port()
        self.check([{"open_ports": str(port)}], lambda: nginx(listen=f"listen 127.0.0.1:{port};", folder=folder, workers=4, port=port)[0],
                   "nginx", port)

    def test_short_lives(self):
        """curl makes one call and is gone, in less than 50 ms mostly: all of them are seen."""
        server, port = nginx()
        self.addCleanup(server.stop)
        for selector in ({"exe_path": "/curl$"}, {"exe_path": "/curl$", "cmd_args": "Short"}):
            with self.subTest(selector=selector), Agent(services=[selector]) as agent:
                for turn in range(20):
                    subprocess.run(["curl", "-sS", "-H", "X: Short", f"http://127.0.0.1:{port}/short/{turn}"], check=True,
                                   capture_output=True, timeout=10)
                spans = agent.expect_spans(20, lambda s: s["server.port"] == port)
                self.assertEqual([s["url.path"] for s in spans], [f"/short/{turn}" for turn in range(20)])
                self.assertEqual({(s.kind, s.service) for s in spans}, {("client", "curl")})
                self.assertEqual(len({s.resource["service.instance.id"] for s in spans}), 20)

    def test_short_lives_that_are_not_wanted(self):
        """Whoever starts is looked at from its first byte on; what is not wanted leaves no trace."""
        server, port = nginx()
        self.addCleanup(server.stop)
        with Agent(services=[{"exe_path": "/curl$", "cmd_args": "Wanted"}]) as agent:
            for turn in range(8):
                url = f"http://127.0.0.1:{port}/wanted/{turn}"
                for other in (["busybox", "wget", "-q", "-O", "/dev/null", url], ["curl", "-sS", "-H", "X: No", url]):
                    subprocess.run(other, check=True, capture_output=True, timeout=10)
                subprocess.run(["curl", "-sS", "-H", "X: Wanted", url], check=True, capture_output=True, timeout=10)
            spans = agent.expect_spans(8)
            self.assertEqual([s["url.path"] for s in spans], [f"/wanted/{turn}" for turn in range(8)])
            self.assertEqual({s.service for s in spans}, {"curl"})
            services = {dict(labels).get("job") for (name, labels), _ in agent.metrics().items() if name.startswith("http_client")}
            self.assertEqual(services, {"curl"})

    def test_who_is_watched_is_counted_in_the_kernel(self):
        """By slots of process numbers, so that calls of others end at once: one too few would be a process that is missed."""
        server, port = nginx(workers=4)
        self.addCleanup(server.stop)
        script = "import os\nfor _ in range(50):\n    if os.fork() == 0:\n        os._exit(0)\n    os.wait()\n"
        with Agent(services=[{"exe_path": "nginx"}, {"cmd_args": "os.fork"}]) as agent:
            for turn in range(20):  # unwanted ones, which are taken for a moment, and wanted ones that end
                subprocess.run(["true"], check=True)
                subprocess.run(["busybox", "true"], check=True)
            subprocess.run([PYTHON, "-c", script], check=True)
            def counted():
                slots = map_of(agent.child.pid, "state")[0]["value"]["target_slots"]
                tgids = [entry["key"] for entry in map_of(agent.child.pid, "targets")]
                wanted = [0] * len(slots)
                for tgid in tgids:
                    wanted[tgid % len(slots)] += 1
                return len(tgids) >= 5 and slots == wanted
            wait_for(counted, "the slots to hold as many as there are targets")

    def test_short_lived_children(self):
        """Forked by a watched process, without a program of their own."""
        server, port = nginx()
        self.addCleanup(server.stop)
        script = ("import os, sys, urllib.request\n"
                  "sys.stdin.readline()\n"
                  "for turn in range(10):\n"
                  "    if os.fork() == 0:\n"
                  f"        urllib.request.urlopen('http://127.0.0.1:{port}/child/%d' % turn).read()\n"
                  "        os._exit(0)\n"
                  "    os.wait()\n")
        with Agent(services=[{"cmd_args": "child/%d"}]) as agent:
            parent = Child([PYTHON, "-c", script], stdin=subprocess.PIPE, cwd=tempfile.gettempdir())
            self.addCleanup(parent.stop)
            parent.process.stdin.write(b"\n")
            parent.process.stdin.close()
            self.assertEqual(parent.process.wait(DEADLINE), 0, parent.output())
            spans = agent.expect_spans(10)
            self.assertEqual([s["url.path"] for s in spans], [f"/child/{turn}" for turn in range(10)])
            self.assertEqual(len({s.resource["service.instance.id"] for s in spans}), 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
