#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""waggle explain PID: is it traced, by which sensors, under which name, and why or why not. What it says is what an agent
with the same configuration does."""
import os
import subprocess
import tempfile
import unittest

from harness import WAGGLE, Agent, Child, free_port, request
from services import nginx
from talk import service_folder


def explain(pid, *arguments, config=None, env=None):
    """(exit status, lines)"""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(config or "")
        file.flush()
        done = subprocess.run([WAGGLE, "explain", str(pid), *(["--config", file.name] if config else []), *arguments], capture_output=True,
                              text=True, timeout=60, env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0", **(env or {})})
    return done.returncode, done.stdout.splitlines() + done.stderr.splitlines()


class Explain(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.port = free_port()
        cls.orders = Child(["/usr/bin/python3", "orders.py", str(cls.port)], cwd=service_folder("python")).wait_port(cls.port)
        cls.nginx, cls.nginx_port = nginx()
        with open(f"/proc/{cls.nginx.pid}/task/{cls.nginx.pid}/children") as file:
            cls.worker = int(file.read().split()[0])

    @classmethod
    def tearDownClass(cls):
        cls.orders.stop()
        cls.nginx.stop()

    def holds(self, lines, *wanted):
        for line in wanted:
            self.assertIn(line, lines)

    def test_selected_by_default(self):
        status, lines = explain(self.orders.pid)
        self.assertEqual(status, 0, lines)
        self.holds(lines, f"process {self.orders.pid}: /usr/bin/python3 orders.py {self.port}", f"listens on port {self.port}",
                   f"selected: listens on port {self.port} (discovery.services[0])", "service: orders (from script orders.py)", "language: python")
        traced, = (line for line in lines if line.startswith("traced: "))
        self.assertRegex(traced, r"^traced: yes, by sockets \(\w+\), processes \(\w+\)")

    def test_what_it_says_is_what_happens(self):
        config = f"discovery:\n  services:\n    - open_ports: {self.port}\n      name: till\n"
        status, lines = explain(self.orders.pid, config=config)
        self.assertEqual(status, 0, lines)
        with Agent(config=config) as agent:
            request(self.port, path="/hello")
            span, = agent.expect_spans(1)
        self.holds(lines, f"service: {span.service} (from the selector's name)", f"instance: {span.resource['service.instance.id']}",
                   f"language: {span.resource['telemetry.sdk.language']}")

    def test_not_selected(self):
        status, lines = explain(self.orders.pid, "--open-port", "1")
        self.assertEqual(status, 0, lines)
        self.holds(lines, "not selected: no selector matches", "executable_name, open_port: does not select: listens on none of the ports",
                   "traced: no")
        self.assertFalse([line for line in lines if line.startswith("service:")])

    def test_excluded(self):
        config = f"discovery:\n  services: [{{open_ports: {self.port}}}]\n  exclude_services: [{{cmd_args: orders}}]\n"
        _, lines = explain(self.orders.pid, config=config)
        self.holds(lines, "excluded: command line matches orders (discovery.exclude_services[0])",
                   f"discovery.services[0]: selects: listens on port {self.port}", "traced: no")

    def test_worker(self):
        _, lines = explain(self.worker, "--open-port", str(self.nginx_port))
        self.holds(lines, "service: nginx (from executable)")
        instance, = (line for line in lines if line.startswith("instance: "))
        self.assertTrue(instance.endswith(f":{self.nginx.pid}"), lines)

    def test_child(self):
        config = f"discovery:\n  services: [{{pids: [{self.nginx.pid}]}}]\n"
        _, lines = explain(self.worker, config=config)
        self.holds(lines, f"selected: child of process {self.nginx.pid} (discovery.services[0])")

    def test_environment_is_read(self):
        _, lines = explain(self.nginx.pid, env={"BEYLA_EXECUTABLE_NAME": "nginx", "BEYLA_SERVICE_NAME": "edge"})
        self.holds(lines, "service: edge (from the selector's name)")

    def test_no_such_process(self):
        """A process that ended, a number that none can have, and what is no number."""
        gone = subprocess.Popen(["true"])
        gone.wait()
        status, lines = explain(gone.pid)
        self.assertEqual((status, lines), (1, [f"there is no process {gone.pid}"]))
        status, _ = explain("nginx")
        self.assertEqual(status, 2)

    def test_thread(self):
        """The number of a thread is not its process's."""
        program = "import threading, time; t = threading.Thread(target=time.sleep, args=(1000,), daemon=True); t.start(); print(t.native_id, flush=True); time.sleep(1000)"
        child = Child(["/usr/bin/python3", "-c", program], stdout=subprocess.PIPE)
        self.addCleanup(child.stop)
        thread = int(child.process.stdout.readline())
        child.process.stdout.close()
        status, lines = explain(thread)
        self.assertEqual((status, lines), (1, [f"{thread} is a thread of process {child.pid}"]))

    def test_zombie(self):
        child = subprocess.Popen(["true"])
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        status, lines = explain(child.pid)
        self.assertEqual((status, lines), (1, [f"process {child.pid} has ended"]))
        child.wait()


if __name__ == "__main__":
    unittest.main(verbosity=2)
