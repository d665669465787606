#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""HTTPS clients of a watched server: their own spans, and the server's joined to them without any header. They wait
for their input, so that the agent knows them before they speak."""
import re
import subprocess
import unittest

from artefacts import WHEELS, curl_cffi, dotnet_environment, dotnet_program, from_index
from harness import Agent, Child, free_port, subset, wait_for
from talk import service_folder
from test_tls_attach import workers
from tls import Tunnels, certificate, listens, nginx_tls

PYTHON = "/usr/bin/python3"
PATHS = [f"/item/{number}" for number in range(5)]


def lines(ports):
    return "".join(f"{port} {certificate()} {path}\n" for port in ports for path in PATHS)


def curl_config(ports, protocol="http2"):
    return "next\n".join(f'{protocol}\nurl = "https://127.0.0.1:{port}{path}"\noutput = "/dev/null"\nsilent\ncacert = "{certificate()}"\n'
                         for port in ports for path in PATHS)


def addresses(ports):
    return "".join(f"https://127.0.0.1:{port}{path}\n" for port in ports for path in PATHS)


CLIENTS = {
    "curl": (["curl", "-K", "-"], lambda ports: curl_config(ports, "http1.1")),
    "curl_http2": (["curl", "-K", "-"], curl_config),
    "wget": (["wget", "-q", "--ca-certificate", certificate(), "-O", "/dev/null", "-i", "-"], addresses),
    "http.client": ([PYTHON, service_folder("tls/blocking_client.py")], lines),
    "requests": ([PYTHON, service_folder("tls/requests_client.py")], lines),
    "curl_cffi": ([PYTHON, service_folder("tls/curl_cffi_client.py")], lines),
    "both": ([PYTHON, service_folder("tls/two_libraries.py")], lines),
    "aiohttp": ([PYTHON, service_folder("tls/aiohttp_client.py")], lines),
    "tunnel": ([PYTHON, service_folder("tls/aiohttp_client.py")], lines),
    "php": (["php", service_folder("tls/client.php")], lines),
    "ruby": (["ruby", service_folder("tls/client.rb")], lines),
    "fetch": (["node", service_folder("tls/fetch.mjs")], lines),
    "mbedtls": ([PYTHON, service_folder("tls/mbedtls_client.py")], lines),
    "wolfssl": ([PYTHON, service_folder("tls/wolfssl_client.py")], lines),
    "dotnet": ([*dotnet_program("Caller.cs")], lines),
    "curl_gnutls": ([PYTHON, service_folder("tls/curl_gnutls_client.py")], lines),
}
# Where several are loaded: a part of the path of those that are used.
LIBRARIES = {"curl_gnutls": ["libgnutls"], "curl_cffi": ["curl_cffi"], "both": ["curl_cffi", "libssl"]}
# Its library is loaded with the first import.
CURL_CFFI = {"PYTHONPATH": curl_cffi()}
AIOHTTP = {"PYTHONPATH": from_index("aiohttp==3.9.5", WHEELS)}
ENVIRONMENT = {"curl_cffi": CURL_CFFI, "both": CURL_CFFI,
               "aiohttp": AIOHTTP,
               "dotnet": dotnet_environment(),
               "fetch": {"NODE_EXTRA_CA_CERTS": certificate()}}


class TlsClients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        locations = "location / { return 200 'hello'; }"
        cls.old = free_port()  # where TLS 1.2 is all there is
        cls.server, cls.port = nginx_tls(locations, options="http2",
                                         http=f"server {{ {listens(cls.old, 'http2', versions='TLSv1.2')} {locations} }}")
        cls.versions = {cls.port: "1.3", cls.old: "1.2"}
        cls.proxy = Tunnels()
        cls.addClassCleanup(cls.proxy.stop)
        environment = {**ENVIRONMENT, "tunnel": {**AIOHTTP, "HTTPS_PROXY": f"http://127.0.0.1:{cls.proxy.port}"}}
        cls.children = {name: Child(argv, stdin=subprocess.PIPE, env=environment.get(name)) for name, (argv, _) in CLIENTS.items()}
        # Every process is named.
        cls.agent = Agent(services=[{"open_ports": f"{cls.port},{cls.old}"}, {"pids": [child.pid for child in cls.children.values()]}],
                          config="log_level: DEBUG\n")
        for pid in workers(cls.server):
            wait_for(lambda: f"process {pid}: reading TLS" in cls.agent.child.output(), "nginx to be read")

    @classmethod
    def tearDownClass(cls):
        cls.agent.stop()
        cls.agent.sink.stop()
        for child in (*cls.children.values(), cls.server):
            child.stop()
        # Nothing of what went by is in the log, however much else is.
        log = cls.agent.child.output()
        for payload in ("/item/", "hello"):
            assert payload not in log, log
        cls.agent.expect_no_more()

    def expect(self, name, count):
        """The spans of one client's calls."""
        child = self.children[name]
        for library in LIBRARIES.get(name, [""]):
            own = rf"process {child.pid}: reading TLS through \S*{library}"
            wait_for(lambda: re.search(own, self.agent.child.output()), "its library to be read")
        seen = {span.span_id for span in self.agent.spans()}
        child.process.stdin.write(CLIENTS[name][1](self.versions).encode())
        child.process.stdin.close()
        return self.agent.expect_spans(count, lambda s: s.span_id not in seen)

    def check(self, name, version="1.1", newest="1.3"):
        spans = self.expect(name, 2 * 2 * len(PATHS))
        clients = {s["url.full"]: s for s in spans if s.kind == "client"}
        servers = [s for s in spans if s.kind == "server"]
        self.assertEqual(set(clients), {f"https://127.0.0.1:{port}{path}" for port in self.versions for path in PATHS})
        self.assertEqual(sorted((s["server.port"], s["url.path"]) for s in servers),
                         sorted((port, path) for port in self.versions for path in PATHS))
        for server in servers:
            port = server["server.port"]
            client = clients[f"https://127.0.0.1:{port}{server['url.path']}"]
            self.assertEqual((server.parent, server.trace_id), (client.span_id, client.trace_id))
            subset(client, http__response__status_code=200, http__response__body__size=5, url__scheme="https",
                   server__address="127.0.0.1", server__port=port, tls__protocol__version=min(newest, self.versions[port]))
            if version:
                subset(client, network__protocol__version=version)
            self.assertLessEqual(client.start, server.start)
            self.assertGreaterEqual(client.end, server.end)

    def test_curl(self):
        self.check("curl")

    def test_curl_http2(self):
        self.check("curl_http2", version="2")

    def test_wget(self):
        """GnuTLS."""
        self.check("wget")

    def test_http_client(self):
        self.check("http.client")

    def test_curl_cffi(self):
        """BoringSSL, linked in with its symbols."""
        self.check("curl_cffi", version="2")

    def test_both_libraries(self):
        """In turns, in one process."""
        self.check("both", version=None)

    def test_requests(self):
        self.check("requests")

    def test_aiohttp(self):
        self.check("aiohttp")

    def test_tunnel(self):
        """By CONNECT: the proxy's answer is in the clear, what follows is read above TLS; a library on memory buffers."""
        spans = self.expect("tunnel", 2 * 3 * len(PATHS))  # a connection for each
        clients = [s for s in spans if s.kind == "client"]
        self.assertEqual([(s["http.request.method"], s["url.full"]) for s in clients],
                         [call for port in self.versions for path in PATHS
                          for call in (("CONNECT", None), ("GET", f"https://127.0.0.1:{port}{path}"))])
        for span in clients:
            subset(span, http__response__status_code=200, server__address="127.0.0.1", waggle__incomplete=None)
        self.assertEqual(self.agent.metric_sum("waggle_turns_lost_total"), 0, self.agent.losses())

    def test_php(self):
        self.check("php")

    def test_ruby(self):
        self.check("ruby")

    def test_fetch(self):
        self.check("fetch")

    def test_mbedtls(self):
        self.check("mbedtls", newest="1.2")

    def test_wolfssl(self):
        self.check("wolfssl")

    def test_curl_gnutls(self):
        """Debian's other libcurl."""
        self.check("curl_gnutls", version="2")

    def test_dotnet(self):
        """OpenSSL 1.1.1 on memory buffers, on a pool of threads."""
        self.check("dotnet")


if __name__ == "__main__":
    unittest.main()
