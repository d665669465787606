#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Spans do not depend on how the handshake went: sessions that are resumed, early data (0-RTT), certificates of clients, a
renegotiation that is refused."""
import os
import socket
import ssl
import subprocess
import tempfile
import unittest

from harness import Agent, server_is, subset, wait_for
from tls import certificate, client_context, issued, key, nginx_tls


def openssl(port, *options, text):
    """What openssl's client got after it had sent this."""
    argv = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", certificate(), *options]
    return subprocess.run(argv, input=text, capture_output=True, text=True, timeout=30).stdout


def get(path):
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


class Handshakes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="waggle-tls-sessions-")
        cls.server, cls.port = nginx_tls("""
            ssl_early_data on; ssl_session_cache shared:one:1m;
            ssl_client_certificate %s; ssl_verify_client optional;
            location / { return 200 '$ssl_client_verify'; }
            location /early { return 200 '$ssl_early_data'; }""" % certificate())
        cls.agent = Agent(services=[{"open_ports": str(cls.port)}])
        wait_for(lambda: cls.agent.metric_sum("waggle_tls_processes") >= 2, "nginx to be read")

    @classmethod
    def tearDownClass(cls):
        cls.agent.stop()
        cls.agent.sink.stop()
        cls.server.stop()
        cls.folder.cleanup()
        cls.agent.expect_no_more()

    def span(self, path, **expected):
        found, = self.agent.expect_spans(1, lambda s: server_is(s, self.port) and s["url.path"] == path)
        subset(found, http__request__method="GET", http__response__status_code=200, url__scheme="https",
               server__address="127.0.0.1", client__address="127.0.0.1", **expected)
        self.assertEqual(self.agent.metric_sum("waggle_tls_unbound_total"), 0)
        self.assertEqual(self.agent.metric_sum("waggle_turns_lost_total"), 0)

    def session(self, name, version):
        """A file with a session that can be resumed."""
        path = os.path.join(self.folder.name, name)
        self.assertIn("NONE", openssl(self.port, version, "-ign_eof", "-sess_out", path, text=get("/" + name)))
        self.span("/" + name, tls__resumed=False)
        return path

    def test_resumption(self):
        for version in ("-tls1_2", "-tls1_3"):
            session = self.session("full" + version, version)
            answer = openssl(self.port, version, "-ign_eof", "-sess_in", session, text=get("/resumed" + version))
            self.assertIn("Reused", answer)
            self.span("/resumed" + version, tls__resumed=True, http__response__body__size=4)

    def test_early_data(self):
        session = self.session("before-early", "-tls1_3")
        early = os.path.join(self.folder.name, "early-request")
        with open(early, "w") as file:
            file.write(get("/early"))
        answer = openssl(self.port, "-tls1_3", "-ign_eof", "-sess_in", session, "-early_data", early, text="")
        self.assertIn("Early data was accepted", answer)
        self.span("/early", tls__resumed=True)

    def test_a_clients_certificate(self):
        context = client_context()
        context.load_cert_chain(issued("client"), key())
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context.minimum_version = context.maximum_version = version
            path = f"/certified/{version.name}"
            with context.wrap_socket(socket.create_connection(("127.0.0.1", self.port), 10), server_hostname="localhost") as connection:
                connection.sendall(get(path).encode())
                answer = b""
                while part := connection.recv(4096):
                    answer += part
            self.assertTrue(answer.endswith(b"SUCCESS"), answer)
            self.span(path, http__response__body__size=7)

    def test_a_renegotiation_that_is_refused(self):
        argv = ["openssl", "s_client", "-connect", f"127.0.0.1:{self.port}", "-CAfile", certificate(), "-tls1_2"]
        client = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0)
        try:
            client.stdin.write(get("/before").replace("Connection: close\r\n", "").encode())
            seen = b""
            while not seen.endswith(b"NONE"):
                part = client.stdout.read(4096)
                self.assertTrue(part, seen)
                seen += part
            client.stdin.write(b"R\n")
            client.wait(20)
            self.assertIn(b"RENEGOTIATING", client.stdout.read())
        finally:
            client.kill()
            client.wait()
            client.stdin.close()
            client.stdout.close()
        self.span("/before", http__response__body__size=4)
        self.assertIn("NONE", openssl(self.port, "-tls1_2", "-ign_eof", text=get("/after")))
        self.span("/after")


if __name__ == "__main__":
    unittest.main()
