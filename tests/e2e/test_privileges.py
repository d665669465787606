#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/privileges.md row by row: the agent as another user with exactly these capabilities, what it still sees, what it says."""
import json
import os
import shutil
import signal
import subprocess
import unittest

from harness import Agent, Child, can_connect, free_port, request, wait_for
from privileges import FOUR, NOBODY, as_user, public_copy, public_file, public_folder

OTHER = 65533
PYTHON = "/usr/bin/python3"
WEB = """import http.server, sys
class Web(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Web).serve_forever()
"""
# On a UNIX socket, which no event tells of.
UNIX = """import os, socket, sys, time
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
time.sleep(3600)
"""
ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith(("BEYLA_", "WAGGLE_", "OTEL_"))} | {"ASAN_OPTIONS": "detect_leaks=0"}
RUNNING = "other users' running services, and their UNIX listeners: without "
NAMES = "other users' names for their services: without "
PROGRAMS = "other users' programs: without "
ENCRYPTED = "other users' encrypted requests: without CAP_SYS_PTRACE"
PORTS = "own ports that are kept for the privileged: without CAP_NET_BIND_SERVICE"

# Capabilities; which services are seen when they are selected by port; what they are called (None: depends on the
# kernel); what is said, and nothing else.
ROWS = (
    (("bpf", "perfmon"), {"own": "env-own", "newer": "web"},
     (RUNNING + "CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH", NAMES + "CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH", PROGRAMS + "CAP_SYS_PTRACE",
      ENCRYPTED)),
    (("bpf", "perfmon", "sys_ptrace"), {"own": "env-own", "newer": "web"},
     (RUNNING + "CAP_DAC_READ_SEARCH", NAMES + "CAP_DAC_READ_SEARCH")),
    # Newer kernels let CAP_PERFMON read what CAP_DAC_READ_SEARCH opens.
    (("bpf", "perfmon", "dac_read_search"), {"own": "env-own", "newer": None},
     (RUNNING + "CAP_SYS_PTRACE", NAMES + "CAP_SYS_PTRACE", PROGRAMS + "CAP_SYS_PTRACE", ENCRYPTED)),
    (FOUR, {"own": "env-own", "older": "env-older", "root": "env-root", "newer": "env-newer"}, ()),
)
HOPELESS = ((), ("bpf",), ("perfmon",), ("bpf", "sys_ptrace", "dac_read_search"), ("perfmon", "sys_ptrace", "dac_read_search", "net_admin"))


def run(capabilities, *arguments):
    return subprocess.run([*as_user(capabilities), Privileges.program, *arguments], env=ENVIRONMENT, capture_output=True, text=True,
                          timeout=60, stdin=subprocess.DEVNULL)


class Service:
    def __init__(self, name, uid):
        self.name, self.port = name, free_port()
        # OTEL_SERVICE_NAME must be in the server's own environment, and in no ancestor's.
        self.child = Child([*as_user((), uid), "env", f"OTEL_SERVICE_NAME=env-{name}", PYTHON, Privileges.web, str(self.port)])
        self.child.wait_port(self.port)


class Privileges(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.program = public_copy()
        cls.web = public_file("web.py", WEB)
        cls.unix = public_file("unix.py", UNIX)
        cls.older = [Service("own", NOBODY), Service("older", OTHER), Service("root", 0)]

    @classmethod
    def tearDownClass(cls):
        for service in cls.older:
            service.child.stop()
        shutil.rmtree(os.path.dirname(cls.program))

    def start(self, capabilities, ports, traces=True, wait=True, **more):
        agent = Agent(services=[{"open_ports": ",".join(map(str, ports))}], command=[*as_user(capabilities), self.program],
                      env=ENVIRONMENT, traces=traces, wait=wait, **more)
        self.addCleanup(agent.sink.stop)
        self.addCleanup(agent.stop)
        return agent

    def lost(self, agent):
        return [line.split("[warning] ")[1] for line in agent.child.output().splitlines() if ": without CAP_" in line]

    def test_rows(self):
        for capabilities, seen, said in ROWS:
            with self.subTest(capabilities):
                ports = {s.name: s.port for s in self.older}
                ports["newer"] = free_port()
                agent = self.start(capabilities, ports.values())
                lost = self.lost(agent)
                self.assertEqual(len(lost), len(said), lost)
                for text in said:
                    self.assertTrue([line for line in lost if line.startswith(text + " ")], f"{text} in {lost}")
                self.assertEqual("AmbientCapabilities=CAP_BPF CAP_PERFMON CAP_SYS_PTRACE CAP_DAC_READ_SEARCH;" in agent.child.output(),
                                 bool(said))
                newer = Child([*as_user((), OTHER), "env", "OTEL_SERVICE_NAME=env-newer", PYTHON, self.web, str(ports["newer"])])
                self.addCleanup(newer.stop)
                newer.wait_port(ports["newer"])
                # Known before it is asked: its first request may come before its name.
                watched = len(seen)
                wait_for(lambda: agent.metric_sum("waggle_processes_watched") == watched, f"{watched} processes")
                for name, port in ports.items():
                    request(port, path="/" + name)
                spans = agent.expect_spans(watched)
                self.assertEqual({s["url.path"][1:] for s in spans}, set(seen))
                for span in spans:
                    name = span["url.path"][1:]
                    self.assertEqual(span.kind, "server")
                    if seen[name]:
                        self.assertEqual(span.service, seen[name])
                    self.assertEqual(span.resource["process.pid"], str(self.pid_of(name, newer)), name)
                self.assertEqual(agent.metric_sum("http_server_request_duration_seconds_count"), watched)
                agent.child.process.send_signal(signal.SIGTERM)
                self.assertEqual(agent.child.process.wait(20), 0, agent.child.output())
                newer.stop()

    def pid_of(self, name, newer):
        return newer.pid if name == "newer" else next(s.child.pid for s in self.older if s.name == name)

    def test_a_program_is_found_with_ptrace_alone(self):
        """exe_path finds another user's running process with CAP_SYS_PTRACE, and not without."""
        older = self.older[1]
        for capabilities, is_found in ((("bpf", "perfmon"), False), (("bpf", "perfmon", "sys_ptrace"), True)):
            with self.subTest(capabilities):
                done = run(capabilities, "explain", str(older.child.pid), "--exe", "python3")
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual("traced: yes" in done.stdout, is_found, done.stdout)

    def test_unix_listeners_of_others(self):
        path = os.path.join(public_folder(), "shop.sock")
        os.chmod(os.path.dirname(path), 0o777)
        child = Child([*as_user((), OTHER), PYTHON, self.unix, path])
        self.addCleanup(child.stop)
        wait_for(lambda: os.path.exists(path), "the socket")
        for capabilities, is_found in (((*FOUR[:3],), False), (("bpf", "perfmon", "dac_read_search"), False), (FOUR, True)):
            with self.subTest(capabilities):
                done = run(capabilities, "explain", str(child.pid))
                self.assertEqual("traced: yes" in done.stdout, is_found, done.stdout)

    def test_nothing_works_without_both(self):
        """Then the agent ends, as it would for metrics alone, and says what it wants."""
        for capabilities in HOPELESS:
            for exporter in (("--print", "text"), ("--prometheus-port", str(free_port()))):
                with self.subTest(capabilities, exporter=exporter):
                    done = run(capabilities, "--open-port", "1", *exporter)
                    self.assertEqual(done.returncode, 1, done.stderr)
                    last = done.stderr.splitlines()[-1]
                    self.assertIn("no request is seen, neither for metrics nor for traces", last)
                    for name in ("bpf", "perfmon"):
                        self.assertEqual(f"CAP_{name.upper()}" in last.split(" missing. ")[0], name not in capabilities, last)
                    self.assertIn("AmbientCapabilities=CAP_BPF CAP_PERFMON CAP_SYS_PTRACE CAP_DAC_READ_SEARCH;", last)

    def test_everything_else_is_of_no_use(self):
        """All capabilities but the two, and CAP_SYS_ADMIN, which the kernel lets stand for them."""
        with open("/proc/self/status") as file:
            own = int(next(line.split()[1] for line in file if line.startswith("CapEff:")), 16)
        every = {f"cap_{n}" for n in range(64) if own >> n & 1}
        done = run(sorted(every - {"cap_39", "cap_38", "cap_21"}), "--open-port", "1", "--print", "text")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("CAP_BPF and CAP_PERFMON missing", done.stderr)

    def test_enforced(self):
        done = run(("bpf", "perfmon", "sys_ptrace"), "--open-port", "1", "--set", "enforce_sys_caps=true", "--print", "text")
        self.assertEqual(done.returncode, 1)
        self.assertIn("enforce_sys_caps is on, and these capabilities are missing: CAP_DAC_READ_SEARCH\n", done.stderr)

    def test_a_privileged_port_costs_that_port(self):
        service = self.older[0]
        low = next(port for port in range(1023, 600, -1) if not can_connect(port))
        for capabilities, is_served in ((FOUR, False), ((*FOUR, "net_bind_service"), True)):
            with self.subTest(capabilities):
                agent = self.start(capabilities, [service.port], config=f"health_port: {low}\n")
                self.assertEqual(can_connect(low), is_served)
                self.assertEqual([line[:len(PORTS)] for line in self.lost(agent)], [] if is_served else [PORTS])
                wait_for(lambda: agent.metric_sum("waggle_processes_watched") == 1, "the service")
                request(service.port, path="/low")
                agent.expect_spans(1)
                agent.stop()
        # There is nothing else that it could serve.
        done = run(FOUR, "--open-port", "1", "--prometheus-port", str(low))
        self.assertEqual(done.returncode, 1)
        self.assertIn("CAP_NET_BIND_SERVICE is needed for such a port", done.stderr)

    def test_in_a_pid_namespace_of_its_own(self):
        """Where the kernel's numbers must be asked for: no more is needed for that."""
        log = os.path.join(public_folder(), "log")
        port, prometheus = free_port(), free_port()
        user = " ".join(as_user((), NOBODY))
        agent = " ".join(as_user(("bpf", "perfmon"), NOBODY))
        script = (f"{user} {PYTHON} {self.web} {port} & "
                  f"until {PYTHON} -c 'import socket; socket.create_connection((\"127.0.0.1\", {port}))' 2>/dev/null; do :; done; "
                  f"exec {agent} {self.program} --open-port {port} --print text --prometheus-port {prometheus} > {log} 2>&1")
        open(log, "w").close()
        child = Child(["unshare", "--pid", "--fork", "--kill-child", "--mount", "--mount-proc", "sh", "-c", script], env=ENVIRONMENT)
        self.addCleanup(child.stop)
        wait_for(lambda: can_connect(prometheus) and can_connect(port), "both")

        def text():
            with open(log) as file:
                return file.read()
        wait_for(lambda: "watching 1 processes" in text(), "the service: " + text())
        request(port, path="/inside")
        wait_for(lambda: "/inside" in text(), "the span")

    def test_doctor_tells_scripts(self):
        for capabilities, status, missing in (((), 3, {"CAP_BPF", "CAP_PERFMON", "CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"}),
                                              (("bpf", "perfmon"), 1, {"CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"}), (FOUR, 0, set())):
            with self.subTest(capabilities):
                done = run(capabilities, "doctor", "--json")
                facts = json.loads(done.stdout)
                self.assertEqual(done.returncode, status)
                self.assertEqual(set(facts["missing_capabilities"]), missing)
                self.assertEqual((facts["can_capture"], facts["is_complete"]), (status != 3, status == 0))
                self.assertEqual({n for n, has in facts["capabilities"].items() if has}, {"CAP_" + c.upper() for c in capabilities})
                states = {f["name"]: f["state"] for f in facts["features"]}
                self.assertEqual(states["requests"], "missing" if status == 3 else "available")
                self.assertEqual(states["other users' programs"], "available" if status == 0 else "missing")
                self.assertEqual(states["own ports that are kept for the privileged"], "not wanted")
                for feature in facts["features"]:
                    self.assertTrue(feature["needs"] and feature["cost_of_absence"])
                self.assertIn(facts["cgroup"], ("v1", "v2", "hybrid", "none"))
                self.assertIn(str(NOBODY), facts["user"])
                text = run(capabilities, "doctor")
                self.assertEqual(text.returncode, status)
                for name in missing:
                    self.assertIn("missing: ", text.stdout)
                    self.assertIn(name, text.stdout)
                self.assertEqual("To grant all that is needed here: " in text.stdout, bool(missing))


if __name__ == "__main__":
    unittest.main(verbosity=2)
