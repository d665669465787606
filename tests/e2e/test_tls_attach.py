#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Where probes are and where they are not: libraries that come late or are deleted, processes that begin later, kernels
with the older kind of probe; never at a function's return."""
import ctypes
import http.client
import os
import random
import re
import resource
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
import unittest

from artefacts import static_tls
from bpf_objects import held
from harness import WAGGLE, Agent, Child, free_port, request, server_is, wait_for
from privileges import FOUR, NOBODY, as_user, public_copy, public_file, public_folder
from talk import service_folder
from tls import certificate, client_context, key, nginx_tls

PYTHON = "/usr/bin/python3"
BREAKPOINT = 0xCC
YOUNG = 2.5  # seconds; a little more than how long a new process is looked at again and again


def get(port, path, **options):
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=client_context(**options))
    try:
        return request(port, path=path, connection=connection)
    finally:
        connection.close()


def workers(nginx):
    with open(f"/proc/{nginx.pid}/task/{nginx.pid}/children") as file:
        return [int(pid) for pid in file.read().split()]


def function_bytes(pid, symbol="SSL_read", size=96):
    """The machine code of the function as the process has it, and as its file has it."""
    with open(f"/proc/{pid}/maps") as maps:
        lines = [line.split() for line in maps if "/libssl.so" in line]
    base = int(lines[0][0].split("-")[0], 16)
    library = lines[0][5]
    table = subprocess.run(["nm", "-D", "--defined-only", library], check=True, capture_output=True, text=True).stdout
    address = int(re.search(rf"^(\w+) T {symbol}@", table, re.M)[1], 16)
    with open(f"/proc/{pid}/mem", "rb") as memory, open(library, "rb") as file:
        memory.seek(base + address)
        file.seek(address)
        return memory.read(size), file.read(size)


def is_probed(pid):
    there, original = function_bytes(pid)
    return there != original and BREAKPOINT in there


SYS_BPF, GET_LINK, GET_INFO = 321, 30, 15
PERF_EVENT, UPROBE_MULTI = 7, 12  # kinds of links
UPROBE, URETPROBE = 1, 2  # kinds of perf events


def bpf(command, attributes):
    call = ctypes.CDLL(None, use_errno=True).syscall
    own = ctypes.create_string_buffer(attributes, len(attributes))  # it writes into it
    result = call(ctypes.c_long(SYS_BPF), ctypes.c_long(command), own, ctypes.c_long(len(attributes)))
    if result < 0:
        raise OSError(ctypes.get_errno(), f"bpf({command})")
    return result


def link_info(number):
    """bpf_link_info, which bpftool does not tell of every kind; None when the link is gone."""
    try:
        link = bpf(GET_LINK, struct.pack("II", number, 0))
    except FileNotFoundError:
        return None
    try:
        info = ctypes.create_string_buffer(128)
        bpf(GET_INFO, struct.pack("IIQ", link, len(info), ctypes.addressof(info)))
        return info.raw
    finally:
        os.close(link)


def user_probes(pid):
    """Of each link of that process to a place in other programs: whether it is by uprobe_multi, whether it is at a return, and the
    process that it is in (0 for all of them, or where that is not told)."""
    found = []
    for number in held("link", pid):
        info = link_info(number)
        kind, = struct.unpack_from("I", info) if info else (None,)
        if kind == UPROBE_MULTI:
            places, flags, target = struct.unpack_from("III", info, 52)
            assert places > 0
            found.append((True, bool(flags & 1), target))
        elif kind == PERF_EVENT:
            event, = struct.unpack_from("I", info, 16)
            if event in (UPROBE, URETPROBE):
                found.append((False, event == URETPROBE, 0))
    return found


def discovery_turns(agent):
    """How often the thread that looks for processes has waited."""
    tasks = f"/proc/{agent.child.pid}/task"
    for task in os.listdir(tasks):
        try:
            with open(f"{tasks}/{task}/status") as file:
                status = file.read()
        except OSError:  # it has ended meanwhile
            continue
        if "\nName:\tdiscovery\n" in "\n" + status:
            return int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", status, re.M)[1])
    raise AssertionError("no thread of the agent is called discovery")


class Attach(unittest.TestCase):
    def check_spans(self, agent, port, count=5):
        for i in range(count):
            get(port, f"/checked/{i}")
        agent.expect_spans(count, lambda s: server_is(s, port) and s["url.path"].startswith("/checked/"))

    def test_servers_that_begin_while_the_agent_has_no_descriptors(self):
        """As far as some of what it takes to read one goes, each time a little further; afterwards all of them are read."""
        ports = [free_port() for _ in range(5)]
        servers = []
        with Agent(services=[{"open_ports": ",".join(map(str, ports))}]) as agent:
            limits = resource.prlimit(agent.child.pid, resource.RLIMIT_NOFILE)
            try:
                for spare, port in enumerate(ports):
                    held = {int(number) for number in os.listdir(f"/proc/{agent.child.pid}/fd")}
                    free = [number for number in range(len(held) + spare + 1) if number not in held]
                    resource.prlimit(agent.child.pid, resource.RLIMIT_NOFILE, (free[spare], limits[1]))
                    servers.append(nginx_tls(port=port, workers=1)[0])
                    turns = discovery_turns(agent)
                    wait_for(lambda turns=turns: discovery_turns(agent) > turns + 20, "the agent to have looked for the server")
                resource.prlimit(agent.child.pid, resource.RLIMIT_NOFILE, limits)
                for server in servers:
                    for pid in (server.pid, *workers(server)):
                        wait_for(lambda pid=pid: is_probed(pid), f"probes in {pid}")
                wait_for(lambda: agent.metric_sum("waggle_tls_processes") == 2 * len(ports), "all of them to be counted")
                for port in ports:
                    self.check_spans(agent, port)
                agent.stop()
                agent.expect_no_more()
            finally:
                for server in servers:
                    server.stop()

    def test_a_server_that_begins_after_the_agent(self):
        port = free_port()
        with Agent(services=[{"open_ports": str(port)}]) as agent:
            server, _ = nginx_tls(port=port, workers=2)
            try:
                wait_for(lambda: agent.metric_sum("waggle_tls_processes") == 3, "nginx and its workers to be read")
                self.check_spans(agent, port)
                # A worker that is made in place of one that died is read as well.
                before = workers(server)
                os.kill(before[0], signal.SIGKILL)
                os.kill(before[1], signal.SIGKILL)
                wait_for(lambda: len(workers(server)) == 2 and not set(workers(server)) & set(before), "new workers")
                wait_for(lambda: all(is_probed(pid) for pid in workers(server)), "probes in the new workers")
                get(port, "/second")
                agent.expect_spans(1, lambda s: s["url.path"] == "/second")
                agent.stop()
                agent.expect_no_more()
            finally:
                server.stop()

    def test_a_library_that_is_loaded_late(self):
        port = free_port()
        server = Child([PYTHON, service_folder("tls/late.py"), str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            server.wait_port(port)
            with Agent(services=[{"open_ports": str(port)}]) as agent:
                watched_since = time.monotonic()
                wait_for(lambda: time.monotonic() - watched_since > YOUNG, "the process to be no longer new")
                self.assertEqual(agent.metric_sum("waggle_tls_processes"), 0)
                server.process.stdin.write(f"{certificate()} {key()}\n".encode())
                server.process.stdin.flush()
                self.assertEqual(server.process.stdout.readline(), b"ready\n")
                get(port, "/first")  # by this the agent sees that the process speaks TLS
                wait_for(lambda: agent.metric_sum("waggle_tls_processes") == 1, "its library to be read")
                self.check_spans(agent, port)
        finally:
            server.stop()

    def test_a_library_that_was_deleted(self):
        folder = tempfile.mkdtemp(prefix="waggle-libssl-")
        port = free_port()
        original = function_library()
        shutil.copy(original, os.path.join(folder, "libssl.so.3"))
        server = Child([PYTHON, "-m", "uvicorn", "asgi:app", "--port", str(port), "--ssl-certfile", certificate(), "--ssl-keyfile",
                        key(), "--log-level", "warning"], cwd=service_folder("tls"), env={"LD_LIBRARY_PATH": folder}).wait_port(port)
        try:
            with open(f"/proc/{server.pid}/maps") as maps:
                self.assertIn(folder + "/libssl.so.3", maps.read())
            shutil.rmtree(folder)
            with Agent(services=[{"open_ports": str(port)}]) as agent:
                wait_for(lambda: agent.metric_sum("waggle_tls_processes") == 1, "its library to be read")
                self.check_spans(agent, port)
            agent.expect_no_more()
        finally:
            server.stop()

    def test_files_that_were_replaced(self):
        """With no more than the package's capabilities: a program itself, and a library that another process is read through."""
        folder = public_folder()
        library, program = os.path.join(folder, "libssl.so.3"), os.path.join(folder, "server")

        def replace(path, by):
            shutil.copy(by, path + ".new")
            os.rename(path + ".new", path)

        replace(library, function_library())
        replace(program, static_tls())
        port = free_port()
        static = Child([program, "serve", str(port), certificate(), key()]).wait_port(port)
        server, nginx_port = nginx_tls(env={"LD_LIBRARY_PATH": folder})
        try:
            with open(f"/proc/{server.pid}/maps") as maps:
                self.assertIn(library, maps.read())
            replace(program, static_tls())
            with Agent(services=[{"open_ports": f"{port},{nginx_port}"}], command=[*as_user(FOUR), public_copy()]) as agent:
                wait_for(lambda: agent.metric_sum("waggle_tls_processes") == 3, "both servers and nginx's worker to be read")
                replace(library, function_library())
                before = set(workers(server))
                os.kill(server.pid, signal.SIGHUP)
                wait_for(lambda: workers(server) and not before & set(workers(server)), "nginx's new worker")
                wait_for(lambda: get(nginx_port, "/new") and agent.spans(lambda s: s["url.path"] == "/new"), "it to be read")
                for at in (port, nginx_port):
                    self.check_spans(agent, at)
        finally:
            server.stop()
            static.stop()

    def test_programs_that_have_ended_before_they_could_be_read(self):
        """That is no failure, and nobody is to be told of it."""
        with Agent(services=[{"exe_path": "/curl$"}], config="log_level: DEBUG\n") as agent, socket.create_server(("127.0.0.1", 0)) as nobody:
            gone = re.compile(r"process \d+: gone before TLS through \S+ could be read")
            url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
            program = os.path.join(public_folder(), "curl")
            deadline = time.monotonic() + 180  # on a busy host it takes many
            while not gone.search(agent.child.output()):
                self.assertLess(time.monotonic(), deadline, "none of them has ended in time")
                # Another file each time: what one has loaded is expected of the next, which is then read from its first moment.
                shutil.copy(shutil.which("curl"), program)
                with subprocess.Popen([program, "-s", url]) as waits:
                    time.sleep(random.uniform(0, 0.06))  # any moment of its start, however long it takes here
                    waits.kill()
                os.unlink(program)
            self.assertNotIn("cannot be read", agent.child.output())
            self.assertEqual(agent.metric_sum("waggle_tls_attach_failed_total"), 0)

    def test_doctor_says_how_long_a_stop_takes(self):
        doctor = subprocess.run([WAGGLE, "doctor"], capture_output=True, text=True, env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}).stdout
        self.assertRegex(doctor, r"tls +\w+ +by uprobe_multi\n +a stop takes less than a second; .* 5 s with 256")

    def test_probes_by_perf_events(self):
        """As before kernel 6.6: threads and workers alike, and gone at the end."""
        server, port = nginx_tls(workers=2)
        try:
            with Agent(services=[{"open_ports": str(port)}], config="ebpf: {disable: [uprobe_multi]}\n") as agent:
                self.assertIn("tls: by uprobe\n", re.sub(r".*\] ", "", agent.child.output()))
                doctor = subprocess.run([WAGGLE, "doctor", "--set", "ebpf.disable=uprobe_multi"], capture_output=True, text=True,
                                        env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}).stdout
                self.assertRegex(doctor, r"CAP_SYS_ADMIN: a stop takes about 80 ms for every \d+ probes")
                wait_for(lambda: agent.metric_sum("waggle_tls_processes") == 3, "nginx and its workers to be read")
                self.assertEqual(set(user_probes(agent.child.pid)), {(False, False, 0)})
                self.check_spans(agent, port)
            agent.expect_no_more()
            wait_for(lambda: not any(is_probed(pid) for pid in (server.pid, *workers(server))), "the probes to be gone")
        finally:
            server.stop()

    def test_under_a_filter_of_system_calls(self):
        """As services have it: the calls by which the kernel's return probes and its faster ones come back kill it. Newer kernels let
        these pass any filter: so the agent's links are looked at, too."""
        self.assertEqual(subprocess.run([PYTHON, service_folder("tls/filtered.py"), "die"]).returncode, -signal.SIGSYS)
        port = free_port()
        server = Child([PYTHON, service_folder("tls/filtered.py"), str(port), certificate(), key()]).wait_port(port)
        try:
            with Agent(services=[{"open_ports": str(port)}]) as agent:
                wait_for(lambda: agent.metric_sum("waggle_tls_processes") == 1, "its library to be read")
                self.assertEqual(set(user_probes(agent.child.pid)), {(True, False, server.pid)})
                self.check_spans(agent, port)
            agent.expect_no_more()
            self.assertEqual(get(port, "/after")[0], 200)
            self.assertIsNone(server.process.poll())
        finally:
            server.stop()

    def test_threads_other_than_the_first(self):
        """A blocking server with a thread for each connection."""
        port = free_port()
        code = ("import http.server, ssl, sys\n"
                "class H(http.server.BaseHTTPRequestHandler):\n"
                "    protocol_version = 'HTTP/1.1'\n"
                "    def do_GET(self):\n"
                "        self.send_response(200); self.send_header('Content-Length', '2'); self.end_headers(); self.wfile.write(b'hi')\n"
                "s = http.server.ThreadingHTTPServer(('127.0.0.1', int(sys.argv[1])), H)\n"
                "c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); c.load_cert_chain(sys.argv[2], sys.argv[3])\n"
                "s.socket = c.wrap_socket(s.socket, server_side=True)\ns.serve_forever()\n")
        server = Child([PYTHON, "-c", code, str(port), certificate(), key()]).wait_port(port)
        try:
            with Agent(services=[{"open_ports": str(port)}]) as agent:
                wait_for(lambda: agent.metric_sum("waggle_tls_processes") == 1, "its library to be read")
                self.check_spans(agent, port, 20)
            agent.expect_no_more()
        finally:
            server.stop()


def function_library():
    return os.path.realpath(subprocess.run([PYTHON, "-c", "import _ssl; print(next(l.split()[-1] for l in open('/proc/self/maps')"
                                            " if 'libssl.so' in l))"], check=True, capture_output=True, text=True).stdout.strip())


class OtherUsers(unittest.TestCase):
    def test_a_process_of_another_user_needs_ptrace(self):
        """The agent's own user's processes are read with CAP_BPF and CAP_PERFMON alone."""
        program = public_copy()
        app = public_file("asgi.py", open(service_folder("tls/asgi.py")).read())
        servers = {}
        for name, uid in (("own", NOBODY), ("other", NOBODY - 1)):
            port = free_port()
            argv = [PYTHON, "-m", "uvicorn", "asgi:app", "--port", str(port), "--ssl-certfile", certificate(), "--ssl-keyfile", key(),
                    "--log-level", "warning"]
            servers[name] = (Child([*as_user((), uid), *argv], cwd=os.path.dirname(app)).wait_port(port), port)
        try:
            for capabilities, seen in ((("bpf", "perfmon"), {"own"}), (("bpf", "perfmon", "sys_ptrace", "dac_read_search"), set(servers))):
                with self.subTest(capabilities), Agent(services=[{"pids": [child.pid for child, _ in servers.values()]}],
                                                       command=[*as_user(capabilities), program]) as agent:
                    wait_for(lambda: agent.metric_sum("waggle_tls_processes") == len(seen), f"{seen} to be read")
                    for name, (_, port) in servers.items():
                        get(port, "/" + name)
                    spans = agent.expect_spans(len(seen))
                    self.assertEqual({span["url.path"][1:] for span in spans}, seen)
                    wait_for(lambda: agent.metric_sum("waggle_turns_lost_total", cause="encrypted") == len(servers) - len(seen),
                             "the other one to be counted")
                    agent.stop()
                    agent.expect_no_more()
        finally:
            for child, _ in servers.values():
                child.stop()


if __name__ == "__main__":
    unittest.main()
