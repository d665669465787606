#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Services that are not to notice: under a list of the system calls that systemd allows services, with the kernel's limit on
perf events raised, and five hundred processes of one image."""
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from harness import Agent, Child, free_port, server_is, wait_for
from talk import service_folder
from test_tls_attach import get, is_probed
from tls import certificate, key, nginx_tls

PYTHON = "/usr/bin/python3"
PARANOID = "/proc/sys/kernel/perf_event_paranoid"
PROCESSES = 500


def allowed_calls(group="@system-service"):
    """Numbers of the system calls in systemd's group, and those in the groups that it names."""
    with open("/usr/include/x86_64-linux-gnu/asm/unistd_64.h") as file:
        numbers = dict(re.findall(r"#define __NR_(\w+) (\d+)", file.read()))
    names, groups, seen = set(), [group], set()
    while groups:
        group = groups.pop()
        if group in seen:
            continue
        seen.add(group)
        listed = subprocess.run(["systemd-analyze", "syscall-filter", group], check=True, capture_output=True, text=True).stdout
        words = [line.strip() for line in listed.splitlines() if line.startswith("    ") and "#" not in line]
        groups += [word for word in words if word.startswith("@")]
        names |= {word for word in words if not word.startswith("@")}
    return sorted(int(numbers[name]) for name in names if name in numbers)


class Services(unittest.TestCase):
    def check(self, server, port, count=5):
        with Agent(services=[{"open_ports": str(port)}]) as agent:
            wait_for(lambda: agent.metric_sum("waggle_tls_processes") >= 1, "its library to be read")
            for number in range(count):
                get(port, f"/checked/{number}")
            agent.expect_spans(count, lambda s: server_is(s, port) and s["url.path"].startswith("/checked/"))
        self.assertEqual(get(port, "/after")[0], 200)
        self.assertIsNone(server.process.poll(), server.output())

    def test_under_a_list_of_allowed_system_calls(self):
        allowed = {"ALLOWED": ",".join(map(str, allowed_calls()))}
        self.assertEqual(subprocess.run([PYTHON, service_folder("tls/filtered.py"), "die"], env={**os.environ, **allowed}).returncode,
                         -31)
        port = free_port()
        server = Child([PYTHON, service_folder("tls/filtered.py"), str(port), certificate(), key()], env=allowed).wait_port(port)
        try:
            self.check(server, port)
        finally:
            server.stop()

    def test_with_perf_events_forbidden(self):
        with open(PARANOID) as file:
            before = file.read()
        server, port = nginx_tls()
        try:
            with open(PARANOID, "w") as file:
                file.write("4")
            self.check(server, port)
        finally:
            with open(PARANOID, "w") as file:
                file.write(before)
            server.stop()


class Remembered(unittest.TestCase):
    def test_the_next_start_reads_no_file_again(self):
        server, port = nginx_tls()
        with tempfile.TemporaryDirectory(prefix="waggle-cache-") as folder:
            os.chmod(folder, 0o700)
            try:
                for is_first in (True, False):
                    with Agent(services=[{"open_ports": str(port)}], env={"CACHE_DIRECTORY": folder}) as agent:
                        wait_for(lambda: agent.metric_sum("waggle_tls_processes") == 2, "nginx to be read")
                        path = f"/{is_first}"
                        get(port, path)
                        agent.expect_spans(1, lambda s: server_is(s, port) and s["url.path"] == path)
                        counts = [agent.metric_sum(f"waggle_tls_files_{name}_total") for name in ("examined", "remembered")]
                        self.assertEqual([count > 0 for count in counts], [is_first, not is_first], counts)
                modes = {os.stat(os.path.join(folder, name)).st_mode & 0o777 for name in os.listdir(folder)}
                self.assertEqual(modes, {0o600})
            finally:
                server.stop()


class Swarm(unittest.TestCase):
    def test_five_hundred_processes_of_one_image(self):
        folder = tempfile.mkdtemp(prefix="waggle-swarm-")
        program = shutil.copy(os.path.realpath(PYTHON), os.path.join(folder, "swarm"))
        server, port = nginx_tls()
        swarm = Child([program, service_folder("tls/swarm.py"), str(PROCESSES), str(port), certificate()],
                      env={"PYTHONHOME": "/usr"}, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            self.assertEqual(swarm.process.stdout.readline(), b"ready\n")
            with Agent(services=[{"exe_path": re.escape(program)}]) as agent:
                wait_for(lambda: agent.metric_sum("waggle_tls_processes") == PROCESSES + 1, "all of them to be read", 120)
                swarm.process.stdin.write(b"go\n")
                swarm.process.stdin.flush()
                self.assertEqual(swarm.process.stdout.readline(), b"done\n")
                spans = agent.expect_spans(PROCESSES, lambda s: s.kind == "client")
                self.assertEqual({s["url.full"] for s in spans}, {f"https://127.0.0.1:{port}/call/{number}" for number in range(PROCESSES)})
                self.assertEqual(agent.metric_sum("waggle_requests_missed_total"), 0)
                self.assertEqual(agent.metric_sum("waggle_tls_attach_failed_total"), 0)
                # One image and what it maps, however many processes do.
                self.assertLess(agent.metric_sum("waggle_tls_files_examined_total"), 100)
                self.assertGreater(agent.metric_sum("waggle_tls_files_examined_total"), 0)
            with open(f"/proc/{swarm.pid}/task/{swarm.pid}/children") as file:
                children = [int(pid) for pid in file.read().split()]
            self.assertEqual(len(children), PROCESSES)
            wait_for(lambda: not any(is_probed(pid) for pid in children[::50]), "the probes to be gone", 120)
        finally:
            swarm.stop()
            server.stop()
            shutil.rmtree(folder)


if __name__ == "__main__":
    unittest.main()
