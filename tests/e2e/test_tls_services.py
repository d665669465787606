#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Services that are not to notice: under a list of the system calls that systemd allows services, or a filter like Chromium's,
with the kernel's limit on perf events raised, and five hundred processes of one image."""
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from bpf_objects import held, map_of
from filters import FILTERED, PASS, TRAPPED
from harness import Agent, Child, free_port, server_is, wait_for
from namespaces import sandboxed
from privileges import FOUR, as_user, public_copy
from talk import service_folder
from test_tls_attach import function_library, get, is_probed, user_probes, workers
from tls import certificate, expect_nothing_of_others, key, nginx_tls

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
    def check(self, server, port, count=5, processes=1, **options):
        with Agent(services=[{"open_ports": str(port)}], **options) as agent:
            wait_for(lambda: agent.metric_sum("waggle_tls_processes") >= processes, "its library to be read")
            self.assertEqual({(is_multi, is_return) for is_multi, is_return, _ in user_probes(agent.child.pid)}, {(True, False)})
            for number in range(count):
                get(port, f"/checked/{number}")
            spans = agent.expect_spans(count, lambda s: server_is(s, port) and s["url.path"].startswith("/checked/"))
            self.assertEqual({(s["url.scheme"], s["tls.protocol.version"]) for s in spans}, {("https", "1.3")})
        agent.expect_no_more()
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

    def test_a_filter_like_chromiums_is_strict(self):
        for calls, expected in ((PASS, 0), (TRAPPED, -signal.SIGSYS)):
            for name, call in calls.items():
                with self.subTest(name):
                    self.assertEqual(subprocess.run([FILTERED, *call.split()]).returncode, expected)

    def test_under_a_filter_like_chromiums(self):
        """A server whose trapped calls end it, and its worker: both live on."""
        server, port = nginx_tls(start=lambda argv, env: Child([FILTERED, *argv], env=env))
        try:
            before = workers(server)
            self.check(server, port, processes=2)
            self.assertEqual(workers(server), before)
        finally:
            server.stop()

    def test_with_a_handler_of_trapped_calls(self):
        """As Chromium's processes have one. It is never called, until a call is made that the filter does not allow."""
        port = free_port()
        argv = [FILTERED, PYTHON, service_folder("tls/filtered.py"), str(port), certificate(), key()]
        server = Child(argv, env={"HANDLES": ""})
        try:
            self.check(server.wait_port(port), port)
            self.assertEqual(get(port, "/")[1], b"trapped 0")
            get(port, "/outside")
            wait_for(lambda: get(port, "/")[1] == b"trapped 1", "the handler to be called")
        finally:
            server.stop()

    def test_with_perf_events_forbidden(self):
        """By another user, since root may have them at any time."""
        with open(PARANOID) as file:
            before = file.read()
        server, port = nginx_tls()
        try:
            with open(PARANOID, "w") as file:
                file.write("4")
            self.check(server, port, command=[*as_user(FOUR), public_copy()])
        finally:
            with open(PARANOID, "w") as file:
                file.write(before)
            server.stop()

    def test_with_a_root_of_its_own(self):
        """By an agent that may not ask the kernel where a mapping leads to. A service that was begun in another root has its files
        there; one that has changed its root since has them in the one before."""
        with tempfile.TemporaryDirectory(prefix="waggle-root-") as folder:
            os.chmod(folder, 0o755)
            root = os.path.join(folder, "root")
            within, port = nginx_tls(start=lambda argv, env: sandboxed(["chroot", root, *argv], mounts=f"mkdir {root}; mount --rbind / {root};"))
            later_port = free_port()
            later = Child([PYTHON, service_folder("tls/rooted.py"), str(later_port), certificate(), key(), folder])
            try:
                for server, of in ((within, port), (later.wait_port(later_port), later_port)):
                    with self.subTest(of == port):
                        self.check(server, of, command=[*as_user(FOUR), public_copy()])
            finally:
                within.stop()
                later.stop()


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
    """Of an image and a library of their own, so that nobody else on this host maps these files."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="waggle-swarm-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.program = shutil.copy(os.path.realpath(PYTHON), os.path.join(self.folder, "swarm"))
        shutil.copy(function_library(), os.path.join(self.folder, "libssl.so.3"))
        self.server, self.port = nginx_tls()
        self.addCleanup(self.server.stop)

    def start(self, script, *arguments, program=None):
        child = Child([program or self.program, service_folder("tls/" + script), *map(str, arguments)],
                      env={"PYTHONHOME": "/usr", "LD_LIBRARY_PATH": self.folder}, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(child.stop)
        return child

    def swarm(self, script, count):
        child = self.start(script, count, self.port, certificate())
        self.assertEqual(child.process.stdout.readline(), b"ready\n")
        return child

    def tell(self, child, line="go\n"):
        child.process.stdin.write(line.encode())
        child.process.stdin.flush()

    def agent(self, **options):
        return Agent(services=[{"exe_path": re.escape(self.program)}], **options)

    def links(self, agent):
        return len(held("link", agent.child.pid))

    def test_five_hundred_processes_of_one_image(self):
        swarm = self.swarm("swarm.py", PROCESSES)
        with self.agent() as agent:
            wait_for(lambda: agent.metric_sum("waggle_tls_processes") == PROCESSES + 1, "all of them to be read", 120)
            # One for all of them is left, beside those of the socket hooks.
            wait_for(lambda: self.links(agent) < PROCESSES / 5, "one link to be in the place of all", 120)
            self.tell(swarm)
            self.assertEqual(swarm.process.stdout.readline(), b"done\n")
            spans = agent.expect_spans(PROCESSES, lambda s: s.kind == "client")
            self.assertEqual({s["url.full"] for s in spans},
                             {f"https://127.0.0.1:{self.port}/call/{number}" for number in range(PROCESSES)})
            self.assertEqual(agent.metric_sum("waggle_requests_missed_total"), 0)
            self.assertEqual(agent.metric_sum("waggle_tls_attach_failed_total"), 0)
            # One image and what it maps, however many processes do.
            self.assertLess(agent.metric_sum("waggle_tls_files_examined_total"), 100)
            self.assertGreater(agent.metric_sum("waggle_tls_files_examined_total"), 0)
            # Less than a second where nothing else is at work; links of their own would take half a minute.
            begun = time.monotonic()
            self.assertEqual(agent.stop(), 0)
            self.assertLess(time.monotonic() - begun, 10)
            agent.expect_no_more()
        with open(f"/proc/{swarm.pid}/task/{swarm.pid}/children") as file:
            children = [int(pid) for pid in file.read().split()]
        self.assertEqual(len(children), PROCESSES)
        wait_for(lambda: not any(is_probed(pid) for pid in children[::50]), "the probes to be gone")

    def test_more_processes_than_may_have_probes_of_their_own(self):
        stranger = self.start("blocking_client.py", program=PYTHON)  # … so that there is not one link for all
        self.tell(stranger, f"{self.port} {certificate()} /stranger/1\n")
        swarm = self.swarm("swarm.py", 20)
        with self.agent(config="ebpf: {tls_own_links: 5}\n") as agent:
            line = r"process \d+: TLS through \S+ cannot be read: 5 processes of this file have probes of their own; ebpf.tls_own_links"
            wait_for(lambda: re.search(line, agent.child.output()), "it to be said")
            wait_for(lambda: agent.metric_sum("waggle_tls_attach_failed_total") == 21 - 5, "the others to be counted")
            self.tell(swarm)
            self.assertEqual(swarm.process.stdout.readline(), b"done\n")
            wait_for(lambda: len(agent.spans(lambda s: s.kind == "client"))
                     + agent.metric_sum("waggle_turns_lost_total", cause="encrypted") == 20, "every call to be a span or counted")
            self.assertLessEqual(len(agent.spans(lambda s: s.kind == "client")), 5)

    def test_one_link_and_back_while_all_of_them_call(self):
        """One link as long as nobody else maps the file; a process that is not selected gets each its own back, and is left alone."""
        few, more = 10, 12
        first = self.swarm("steady.py", few)
        with self.agent() as agent:
            wait_for(lambda: agent.metric_sum("waggle_tls_processes") == few + 1, "the first ones to be read")
            others = self.links(agent) - (few + 1)
            self.tell(first)
            agent_saw = lambda pid: any(f"/steady/{pid}/" in s["url.full"] for s in agent.spans())
            second = self.swarm("steady.py", more)
            wait_for(lambda: agent.metric_sum("waggle_tls_processes") == few + more + 2, "the others to be read")
            wait_for(lambda: self.links(agent) == others + 1, "one link to be in the place of all")
            self.assertEqual(user_probes(agent.child.pid), [(True, False, 0)])
            self.tell(second)
            with open(f"/proc/{second.pid}/task/{second.pid}/children") as file:
                children = [int(pid) for pid in file.read().split()]
            wait_for(lambda: all(agent_saw(pid) for pid in children), "spans by the one link")
            stranger = self.start("blocking_client.py", program=PYTHON)
            self.tell(stranger, f"{self.port} {certificate()} /stranger/1\n")
            wait_for(lambda: self.links(agent) == others + few + more + 2, "each to have its own again")
            self.assertFalse(is_probed(stranger.pid))
            # It ran into the one link, whose program has counted that. In the first place stands the agent's own number.
            calls = {entry["key"]: entry["value"] for entry in map_of(agent.child.pid, "tls_strangers")}
            self.assertEqual(calls.pop(0), agent.child.pid)
            self.assertGreater(sum(calls.values()), 0)
            self.tell(stranger, f"{self.port} {certificate()} /stranger/2\n")
            stranger.process.stdin.close()
            self.assertEqual(stranger.process.wait(20), 0)
            wanted = set()
            for child in (first, second):
                out, _ = child.process.communicate(b"\n", timeout=60)
                for pid, calls in (line.split() for line in out.decode().splitlines()):
                    self.assertGreater(int(calls), 0)
                    wanted |= {f"https://127.0.0.1:{self.port}/steady/{pid}/{number}" for number in range(int(calls))}
            spans = agent.expect_spans(len(wanted), lambda s: s.kind == "client")
            self.assertEqual({s["url.full"] for s in spans}, wanted)
            self.assertEqual(agent.metric_sum("waggle_requests_missed_total"), 0)
            expect_nothing_of_others(agent)
        agent.expect_no_more()


if __name__ == "__main__":
    unittest.main()
