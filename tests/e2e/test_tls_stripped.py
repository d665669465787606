#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""TLS libraries that are linked into programs without symbols: found by their code, believed when what goes by is as long as
the socket's records, and only then; a program of which nothing is found is left alone."""
import os
import re
import shutil
import ssl
import subprocess
import tempfile
import unittest
import zipfile

from artefacts import curl_cffi, java_netty, run, static_tls, static_tls_1_1, static_tls_command
from harness import Agent, Child, free_port, server_is, subset, wait_for
from talk import service_folder
from test_explain import explain
from test_tls_attach import get
from test_tls_memory import PYTHON, asyncio_client
from tls import CONNECTIONS, REQUESTS, certificate, drive, key, nginx_tls

OLD, NEW = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
OFF = "ebpf: {disable: [tls_fingerprint]}\n"


def serve(is_stripped=True, program=None):
    port = free_port()
    return Child([program or static_tls(is_stripped), "serve", str(port), certificate(), key()]).wait_port(port), port


def stripped_node(folder):
    """Node keeps dynamic symbols for add-ons, the library's among them: here these have other names."""
    program = folder + "/node"
    subprocess.run(["strip", "-o", program, shutil.which("node")], check=True)
    sections = subprocess.run(["readelf", "-SW", program], check=True, capture_output=True, text=True).stdout
    at, size = (int(x, 16) for x in re.search(r" \.dynstr +STRTAB +\w+ (\w+) (\w+)", sections).groups())
    with open(program, "r+b") as file:
        file.seek(at)
        names = file.read(size)
        file.seek(at)
        file.write(names.replace(b"SSL_", b"XYZ_"))
    return program


PADDING = """.section .rodata.padding, "a"
.space 256 << 20
.section .text.padding, "ax"
.space 256 << 20, 0x90
.section .note.GNU-stack
"""


def large_program(folder):
    """The same program with half a gigabyte more of data and code."""
    with open(folder + "/padding.S", "w") as file:
        file.write(PADDING)
    product = folder + "/serve"
    run([["gcc", "-c", folder + "/padding.S", "-o", folder + "/padding.o"], static_tls_command(product, ["-s", folder + "/padding.o"])])
    return product


def peak_of(pid):
    """The most memory that it has had, in bytes."""
    with open(f"/proc/{pid}/status") as file:
        return int(re.search(r"VmHWM:\s+(\d+)", file.read())[1]) << 10


def cpu_of(pid):
    """Seconds."""
    with open(f"/proc/{pid}/stat") as file:
        return sum(map(int, file.read().rpartition(")")[2].split()[11:13])) / os.sysconf("SC_CLK_TCK")


def read_by_code(agent, processes=1):
    wait_for(lambda: agent.metric_sum("waggle_tls_fingerprints_total") == processes, "the library to be found")


class Pages(unittest.TestCase):
    def get_pages(self, agent, port):
        """Ten of them from a server that answers with "hello", each on a connection of its own, and their spans."""
        versions = {f"/page/{number}": ("1.2", OLD) if number > 5 else ("1.3", NEW) for number in range(10)}
        for path, (_, version) in versions.items():
            self.assertEqual(get(port, path, maximum_version=version)[0], 200)
        spans = agent.expect_spans(len(versions), lambda s: server_is(s, port))
        self.assertEqual([s["url.path"] for s in spans], list(versions))
        for span in spans:
            subset(span, http__response__status_code=200, http__response__body__size=5, network__protocol__version="1.1",
                   url__scheme="https", tls__protocol__version=versions[span["url.path"]][0], waggle__incomplete=None)


class Static(Pages):
    def check_server(self, is_stripped, program=None):
        """What every second connection's server looks at by SSL_peek before it reads counts once."""
        server, port = serve(is_stripped, program)
        try:
            with Agent(services=[{"pids": [server.pid]}]) as agent:
                wait_for(lambda: agent.metric_sum("waggle_tls_processes") == 1, "the library to be read")
                self.assertEqual(agent.metric_sum("waggle_tls_fingerprints_total"), is_stripped)
                self.get_pages(agent, port)
                self.assertEqual(agent.metric_sum("waggle_tls_unbound_total"), 0)
                self.assertEqual(agent.metric_sum("waggle_turns_lost_total"), 0)
            agent.expect_no_more()
            self.assertEqual(get(port, "/after")[0], 200)
            self.assertIsNone(server.process.poll())
        finally:
            server.stop()

    def test_server(self):
        self.check_server(is_stripped=True)

    def test_server_with_symbols(self):
        self.check_server(is_stripped=False)

    def test_server_with_openssl_1_1(self):
        """Its functions say their numbers when they report errors."""
        self.check_server(is_stripped=True, program=static_tls_1_1())

    def test_half_a_gigabyte(self):
        """Read a piece at a time: it is found soon enough, and costs no memory."""
        with tempfile.TemporaryDirectory(prefix="waggle-large-") as folder:
            program = large_program(folder)
            self.assertGreater(os.stat(program).st_size, 500 << 20)
            own = shutil.copy(static_tls(), folder + "/small")  # others on this host may run the same program
            small, _ = serve(program=own)
            self.addCleanup(small.stop)
            # Sanitizers keep what is given back for a while.
            with Agent(services=[{"exe_path": f"^({own}|{program})$"}],
                       env={"ASAN_OPTIONS": "detect_leaks=0:quarantine_size_mb=1"}) as agent:
                wait_for(lambda: agent.metric_sum("waggle_tls_processes") == 1, "the small one to be read")
                before = peak_of(agent.child.pid)
                used = cpu_of(agent.child.pid)
                server, port = serve(program=program)
                self.addCleanup(server.stop)
                others, _ = serve(program=own)
                self.addCleanup(others.stop)
                # Nobody waits for it.
                wait_for(lambda: agent.metric_sum("waggle_tls_processes") >= 2, "another one to be read")
                self.assertNotIn(program, agent.child.output())
                wait_for(lambda: agent.metric_sum("waggle_tls_processes") == 3, "the large one to be read", 120)
                self.assertLess(cpu_of(agent.child.pid) - used, 20)  # some seconds
                self.assertLess(peak_of(agent.child.pid) - before, 20 << 20)
                get(port, "/page")
                span, = agent.expect_spans(1, lambda s: server_is(s, port))
                self.assertEqual((span["url.path"], span["http.response.status_code"]), ("/page", 200))

    def test_client(self):
        self.check_client(static_tls())

    def test_client_with_openssl_1_1(self):
        """By the _ex forms, which have no numbers of their own."""
        self.check_client(static_tls_1_1())

    def check_client(self, program):
        server, port = nginx_tls()
        client = Child([program, "call", str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            with Agent(services=[{"pids": [client.pid]}]) as agent:
                read_by_code(agent)
                for number in range(5):
                    client.process.stdin.write(f"/call/{number}\n".encode())
                    client.process.stdin.flush()
                    self.assertEqual(client.process.stdout.readline(), b"answered\n")
                spans = agent.expect_spans(5, lambda s: s.kind == "client")
                self.assertEqual([s["url.full"].partition("/call")[2] for s in spans], [f"/{n}" for n in range(5)])
                self.assertEqual([s["http.response.status_code"] for s in spans], [200] * 5)
            agent.expect_no_more()
        finally:
            client.stop()
            server.stop()

    def test_switched_off_it_is_counted_as_encrypted(self):
        server, port = serve()
        try:
            with Agent(services=[{"pids": [server.pid]}], config=OFF) as agent:
                get(port, "/x")
                wait_for(lambda: agent.metric_sum("waggle_turns_lost_total", cause="encrypted") == 1, "one encrypted connection")
                self.assertEqual(agent.metric_sum("waggle_tls_processes"), 0)
                self.assertEqual(agent.spans(), [])
        finally:
            server.stop()

    def test_explain(self):
        server, _ = serve()
        try:
            _, lines = explain(server.pid)
            self.assertTrue(any(re.fullmatch(r"TLS: read through /.* \(openssl by fingerprint\)", line) for line in lines), lines)
            _, lines = explain(server.pid, config=OFF)
            self.assertTrue(any("no library is loaded that can be read" in line for line in lines), lines)
        finally:
            server.stop()


class Node(unittest.TestCase):
    def test_every_connection_has_its_own_spans(self):
        """On memory BIOs: whose socket it is, only the records' lengths tell."""
        with tempfile.TemporaryDirectory(prefix="waggle-stripped-") as folder:
            program = stripped_node(folder)
            port = free_port()
            server = Child([program, service_folder("tls/server.mjs"), str(port), certificate(), key()]).wait_port(port)
            client = asyncio_client()
            try:
                with Agent(services=[{"pids": [server.pid]}]) as agent:
                    read_by_code(agent)
                    ports = drive(client, port)
                    spans = agent.expect_spans(CONNECTIONS * REQUESTS, lambda s: server_is(s, port))
                    for span in spans:
                        self.assertEqual(span["network.peer.port"], ports[span["url.path"].split("/")[2]], span)
                        self.assertEqual((span["url.scheme"], span["http.response.status_code"]), ("https", 200))
                    self.assertEqual(len({s["url.path"] for s in spans}), CONNECTIONS * REQUESTS)
                agent.expect_no_more()
            finally:
                client.stop()
                server.stop()


# SSL_write's "mov $REASON,%edx; mov $LINE,%r8d" for a length that is wrong.
BAD_LENGTH = re.compile(rb"\xba\x6f\0\0\0(?=\x41\xb8..\0\0)", re.DOTALL)


def curl_cffi_in(folder, is_stripped=True, is_known=True):
    """The package in the folder, whose library has BoringSSL in it, as it is or without symbols. What is not known gives another
    reason for an error that does not happen."""
    package = curl_cffi()
    for name in os.listdir(package):
        os.symlink(os.path.join(package, name), os.path.join(folder, name))
    if not is_stripped:
        return folder
    own = os.path.join(folder, "curl_cffi")
    os.unlink(own)
    shutil.copytree(os.path.join(package, "curl_cffi"), own)
    library = os.path.join(own, "_wrapper.abi3.so")
    subprocess.run(["strip", library], check=True)
    if not is_known:
        with open(library, "r+b") as file:
            changed = BAD_LENGTH.sub(b"\xba\x70\0\0\0", file.read())
            file.seek(0)
            file.write(changed)
    return folder


def netty(folder, is_stripped):
    """A server of Java on Netty, whose library is BoringSSL with its symbols, or stripped."""
    classes, archive = java_netty()
    if is_stripped:
        own = os.path.join(folder, "library.jar")
        with zipfile.ZipFile(archive) as source, zipfile.ZipFile(own, "w") as target:
            for name in source.namelist():
                if name.endswith(".so"):
                    run([["strip", source.extract(name, folder)]])
                    target.write(os.path.join(folder, name), name)
                else:
                    target.writestr(name, source.read(name))
        archive = own
    port = free_port()
    return Child(["java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", f"{classes}:{archive}", "Counter", str(port), certificate(), key()]
                 ).wait_port(port), port


class Boringssl(Pages):
    def client(self, **options):
        folder = tempfile.mkdtemp(prefix="waggle-boringssl-")
        self.addCleanup(shutil.rmtree, folder)
        client = Child([PYTHON, service_folder("tls/curl_cffi_client.py")], stdin=subprocess.PIPE,
                       env={"PYTHONPATH": curl_cffi_in(folder, **options)})
        self.addCleanup(client.stop)
        wait_for(lambda: self.library(client), "the library to be loaded")
        return client

    @staticmethod
    def library(client):
        with open(f"/proc/{client.pid}/maps") as file:
            return re.search(r"/\S*/_wrapper.abi3.so", file.read())

    def servers(self):
        """The version of TLS by port."""
        servers = {}
        for version, name in (("1.3", "TLSv1.3"), ("1.2", "TLSv1.2")):
            server, port = nginx_tls(versions=name)
            self.addCleanup(server.stop)
            servers[port] = version
        return servers

    @staticmethod
    def call(client, ports):
        calls = [(port, f"/call/{number}") for port in ports for number in range(5)]
        client.process.stdin.write("".join(f"{port} {certificate()} {path}\n" for port, path in calls).encode())
        client.process.stdin.flush()
        return calls

    def check(self, is_stripped):
        client = self.client(is_stripped=is_stripped)
        servers = self.servers()
        with Agent(services=[{"pids": [client.pid]}]) as agent:
            wait_for(lambda: re.search(r"reading TLS through \S*/_wrapper.abi3.so", agent.child.output()), "the library to be read")
            self.assertEqual(agent.metric_sum("waggle_tls_fingerprints_total"), is_stripped)
            calls = self.call(client, servers)
            spans = agent.expect_spans(len(calls))
            self.assertEqual([s["url.full"] for s in spans], [f"https://127.0.0.1:{port}{path}" for port, path in calls])
            for span, (port, _) in zip(spans, calls):
                self.assertEqual(span.kind, "client")
                subset(span, http__response__status_code=200, http__response__body__size=5, network__protocol__version="1.1",
                       server__port=port, tls__protocol__version=servers[port], waggle__incomplete=None)
            self.assertEqual(agent.metric_sum("waggle_turns_lost_total"), 0)
            self.assertEqual(agent.metric_sum("waggle_tls_unbound_total"), 0)
        agent.expect_no_more()

    def test_client(self):
        self.check(is_stripped=True)

    def test_client_with_symbols(self):
        self.check(is_stripped=False)

    def test_what_is_not_as_known_is_counted_as_encrypted(self):
        client = self.client(is_known=False)
        with Agent(services=[{"pids": [client.pid]}]) as agent:
            wait_for(lambda: "can be SSL_write" in agent.child.output(), "it to be said")
            self.call(client, self.servers())
            wait_for(lambda: agent.metric_sum("waggle_turns_lost_total", cause="encrypted") == 2, "two encrypted connections")
            self.assertEqual(agent.spans(), [])

    def test_explain(self):
        for is_known, says in ((True, "read through /.* \\(boringssl by fingerprint\\)"),
                               (False, "/.* \\(boringssl by fingerprint\\) cannot be read: .* more than one, can be SSL_write")):
            client = self.client(is_known=is_known)
            _, lines = explain(client.pid, config=f"discovery: {{services: [{{pids: [{client.pid}]}}]}}\n")
            self.assertTrue(any(re.fullmatch("TLS: " + says, line) for line in lines), lines)

    def check_server(self, is_stripped):
        """Netty unpacks its library and deletes the file when it is loaded; it gives it memory."""
        folder = tempfile.mkdtemp(prefix="waggle-boringssl-")
        self.addCleanup(shutil.rmtree, folder)
        server, port = netty(folder, is_stripped)
        self.addCleanup(server.stop)
        with Agent(services=[{"pids": [server.pid]}]) as agent:
            wait_for(lambda: agent.metric_sum("waggle_tls_processes") == 1, "the library to be read")
            self.assertEqual(agent.metric_sum("waggle_tls_fingerprints_total"), is_stripped)
            self.get_pages(agent, port)
            self.assertEqual(agent.metric_sum("waggle_turns_lost_total"), 0)
        agent.expect_no_more()

    def test_server(self):
        self.check_server(is_stripped=True)

    def test_server_with_symbols(self):
        self.check_server(is_stripped=False)


if __name__ == "__main__":
    unittest.main()
