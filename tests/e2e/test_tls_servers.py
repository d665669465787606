#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""HTTPS servers with OpenSSL beneath: Apache, whose own filters stand between library and socket, with processes and
with threads, and Ruby's WEBrick; small answers and large ones on kept connections."""
import http.client
import os
import tempfile
import unittest

from harness import Agent, Child, free_port, request, server_is, subset, wait_for
from tls import apache_tls, certificate, client_context, key

BIG = 300_000
REQUESTS = 8
WEBRICK = """
require 'webrick'
require 'webrick/https'
port, certificate, key, folder = ARGV
WEBrick::HTTPServer.new(BindAddress: '127.0.0.1', Port: port.to_i, DocumentRoot: folder, AccessLog: [],
  Logger: WEBrick::Log.new(nil, 0), SSLEnable: true, SSLCertificate: OpenSSL::X509::Certificate.new(File.read(certificate)),
  SSLPrivateKey: OpenSSL::PKey.read(File.read(key))).start
"""


def files():
    folder = tempfile.mkdtemp(prefix="waggle-tls-files-")
    os.chmod(folder, 0o755)
    for name, size in (("small", 5), ("big", BIG)):
        with open(os.path.join(folder, name), "wb") as file:
            file.write(b"x" * size)
    return folder


def webrick():
    port = free_port()
    return Child(["ruby", "-e", WEBRICK, str(port), certificate(), key(), files()]).wait_port(port), port


class TlsServers(unittest.TestCase):
    def check(self, server, port, processes):
        try:
            with Agent(services=[{"open_ports": str(port)}]) as agent:
                wait_for(lambda: agent.metric_sum("waggle_tls_processes") >= processes, "its libraries to be read")
                for path, size in (("/small", 5), ("/big", BIG), ("/none", None)):
                    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=client_context())
                    for _ in range(REQUESTS):
                        status, _ = request(port, path=path, connection=connection)
                    connection.close()
                    for span in agent.expect_spans(REQUESTS, lambda s: server_is(s, port) and s["url.path"] == path):
                        subset(span, http__response__status_code=status, url__scheme="https", waggle__incomplete=None)
                        if size:
                            self.assertEqual(span["http.response.body.size"], size)
                self.assertEqual(agent.metric_sum("waggle_turns_lost_total"), 0)
                self.assertEqual(agent.metric_sum("waggle_tls_unbound_total"), 0)
            agent.expect_no_more()
        finally:
            server.stop()

    def test_apache_with_processes(self):
        self.check(*apache_tls(files(), "mpm_prefork"), 3)

    def test_apache_with_threads(self):
        self.check(*apache_tls(files(), "mpm_event"), 3)

    def test_webrick(self):
        self.check(*webrick(), 1)


if __name__ == "__main__":
    unittest.main()
