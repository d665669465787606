#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plaintext that goes through no socket, as of a session within a process: it is counted, and nobody's span."""
import subprocess
import unittest

from harness import Agent, Child, wait_for
from tls import certificate, key

# Two sessions that give their ciphertext to each other. Each line is one exchange.
PROGRAM = """
import ssl, sys
key, certificate = sys.argv[1:]
of_server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
of_server.load_cert_chain(certificate, key)
of_client = ssl.create_default_context(cafile=certificate)
to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
server = of_server.wrap_bio(to_server, to_client, server_side=True)
client = of_client.wrap_bio(to_client, to_server, server_hostname="localhost")
sys.stdin.readline()
for _ in range(2):
    for end in (client, server):
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            pass
for line in sys.stdin:
    client.write(b"GET /unbound HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n")
    assert server.read(65536).startswith(b"GET /unbound")
    server.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 5\\r\\n\\r\\nhello")
    assert client.read(65536).endswith(b"hello")
    print("done", flush=True)
"""


class Unbound(unittest.TestCase):
    def test_what_goes_through_no_socket_is_counted(self):
        program = Child(["/usr/bin/python3", "-c", PROGRAM, key(), certificate()], stdin=subprocess.PIPE)
        self.addCleanup(program.stop)
        with Agent(services=[{"pids": [program.pid]}]) as agent:
            wait_for(lambda: agent.metric_sum("waggle_tls_processes") == 1, "it to be read")
            program.process.stdin.write(b"begin\ngo\ngo\n")
            program.process.stdin.flush()
            wait_for(lambda: program.output().count("done") == 2, "it to talk")
            # Four calls of either session, each with plaintext.
            calls = lambda: agent.metric_sum("waggle_tls_unbound_total", cause="no_socket")  # noqa: E731
            wait_for(lambda: calls() >= 8, f"eight calls to be counted, of which there are {calls()}")
            self.assertEqual(calls(), 8)
            self.assertEqual(agent.metric_sum("waggle_tls_unbound_size_bytes_total", cause="no_socket"), 2 * 2 * (34 + 43))
            self.assertEqual(agent.metric_sum("waggle_tls_unbound_total", cause="no_room"), 0)
        agent.expect_no_more()
        self.assertEqual(agent.spans(), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
