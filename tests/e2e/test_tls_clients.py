#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""HTTPS clients of a watched server: their own spans, and the server's joined to them without any header. They wait
for their input, so that the agent knows them before they speak."""
import re
import subprocess
import unittest

from artefacts import from_index
from harness import Agent, Child, subset, wait_for
from talk import service_folder
from tls import certificate, nginx_tls

PYTHON = "/usr/bin/python3"
PATHS = [f"/item/{number}" for number in range(5)]


def lines(port):
    return "".join(f"{port} {certificate()} {path}\n" for path in PATHS)


def curl_config(port):
    return "next\n".join(f'url = "https://127.0.0.1:{port}{path}"\noutput = "/dev/null"\nsilent\ncacert = "{certificate()}"\n'
                         for path in PATHS)


def addresses(port):
    return "".join(f"https://127.0.0.1:{port}{path}\n" for path in PATHS)


CLIENTS = {
    "curl": (["curl", "-K", "-"], curl_config),
    "wget": (["wget", "-q", "--ca-certificate", certificate(), "-O", "/dev/null", "-i", "-"], addresses),
    "http.client": ([PYTHON, service_folder("tls/blocking_client.py")], lines),
    "requests": ([PYTHON, service_folder("tls/requests_client.py")], lines),
    "curl_cffi": ([PYTHON, service_folder("tls/curl_cffi_client.py")], lines),
    "aiohttp": ([PYTHON, service_folder("tls/aiohttp_client.py")], lines),
    "php": (["php", service_folder("tls/client.php")], lines),
    "ruby": (["ruby", service_folder("tls/client.rb")], lines),
    "fetch": (["node", service_folder("tls/fetch.mjs")], lines),
}
# Where Python's own is loaded as well: a part of the path.
LIBRARIES = {"curl_cffi": "curl_cffi"}
# Its library is loaded with the first import.
WHEELS = ["--only-binary=:all:", "--python-version", "3.11"]
ENVIRONMENT = {"curl_cffi": {"PYTHONPATH": from_index("curl_cffi==0.17.0", WHEELS)},
               "aiohttp": {"PYTHONPATH": from_index("aiohttp==3.9.5", WHEELS)},
               "fetch": {"NODE_EXTRA_CA_CERTS": certificate()}}


class TlsClients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server, cls.port = nginx_tls("location / { return 200 'hello'; }")
        cls.children = {name: Child(argv, stdin=subprocess.PIPE, env=ENVIRONMENT.get(name)) for name, (argv, _) in CLIENTS.items()}
        # Every process is named.
        cls.agent = Agent(services=[{"open_ports": str(cls.port)}, {"pids": [child.pid for child in cls.children.values()]}],
                          config="log_level: DEBUG\n")

    @classmethod
    def tearDownClass(cls):
        cls.agent.stop()
        cls.agent.sink.stop()
        for child in (*cls.children.values(), cls.server):
            child.stop()

    def check(self, name):
        child = self.children[name]
        own = rf"process {child.pid}: reading TLS through \S*{LIBRARIES.get(name, '')}"
        wait_for(lambda: re.search(own, self.agent.child.output()), "its library to be read")
        seen = {span.span_id for span in self.agent.spans()}
        child.process.stdin.write(CLIENTS[name][1](self.port).encode())
        child.process.stdin.close()
        spans = self.agent.expect_spans(2 * len(PATHS), lambda s: s.span_id not in seen)
        clients = {s["url.full"]: s for s in spans if s.kind == "client"}
        servers = [s for s in spans if s.kind == "server"]
        self.assertEqual(set(clients), {f"https://127.0.0.1:{self.port}{path}" for path in PATHS})
        for server in servers:
            client = clients[f"https://127.0.0.1:{self.port}{server['url.path']}"]
            self.assertEqual((server.parent, server.trace_id), (client.span_id, client.trace_id))
            subset(client, http__response__status_code=200, http__response__body__size=5, url__scheme="https",
                   server__address="127.0.0.1", server__port=self.port)
            self.assertLessEqual(client.start, server.start)
            self.assertGreaterEqual(client.end, server.end)

    def test_curl(self):
        self.check("curl")

    def test_wget(self):
        """GnuTLS."""
        self.check("wget")

    def test_http_client(self):
        self.check("http.client")

    def test_curl_cffi(self):
        """BoringSSL, linked in with its symbols."""
        self.check("curl_cffi")

    def test_requests(self):
        self.check("requests")

    def test_aiohttp(self):
        self.check("aiohttp")

    def test_php(self):
        self.check("php")

    def test_ruby(self):
        self.check("ruby")

    def test_fetch(self):
        self.check("fetch")


if __name__ == "__main__":
    unittest.main()
