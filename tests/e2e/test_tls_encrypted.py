#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What cannot be read (Java's own TLS): no span is made up, it is said to be encrypted, and what its handshakes show in the
clear is told by connection."""
import http.client
import ssl
import subprocess
import unittest

from artefacts import java_class
from harness import Agent, Child, free_port, request, server_is, wait_for
from test_explain import explain
from tls import certificate, client_context, keys_for_java, nginx_tls

CONNECTIONS = 3


def java(*arguments, **how):
    return Child(["java", "-Xmx64m", "-cp", java_class("Safe.java", "Safe"), "Safe", *arguments], **how)


def sums(agent, name, **labels):
    return agent.metric_sum("waggle_tls_" + name, **labels)


class JavaServer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.port = free_port()
        cls.server = java("serve", str(cls.port), keys_for_java()).wait_port(cls.port)

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def test_connections_are_told_and_no_span(self):
        with Agent(services=[{"pids": [self.server.pid]}]) as agent:
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                for _ in range(CONNECTIONS):
                    context = client_context(minimum_version=version, maximum_version=version)
                    connection = http.client.HTTPSConnection("localhost", self.port, timeout=20, context=context)
                    request(self.port, path="/secret", connection=connection)
                    connection.close()
            for version in ("1.2", "1.3"):
                facts = {"waggle_role": "server", "server_address": "127.0.0.1", "server_port": str(self.port),
                         "tls_protocol_version": version, "tls_resumed": "false"}
                wait_for(lambda: sums(agent, "connections_total", **facts) == CONNECTIONS, f"the connections of {version}")
                wait_for(lambda: sums(agent, "connection_duration_seconds_count", **facts) == CONNECTIONS, "their ends")
                self.assertEqual(sums(agent, "handshake_duration_seconds_count", **facts), CONNECTIONS)
                self.assertGreater(sums(agent, "handshake_duration_seconds_sum", **facts), 0)
                self.assertLess(sums(agent, "handshake_duration_seconds_sum", **facts),
                                sums(agent, "connection_duration_seconds_sum", **facts))
                # A certificate goes one way.
                self.assertGreater(sums(agent, "connection_sent_bytes_total", **facts), CONNECTIONS * 800)
                self.assertGreater(sums(agent, "connection_received_bytes_total", **facts), CONNECTIONS * 200)
            wait_for(lambda: agent.metric_sum("waggle_turns_lost_total", cause="encrypted") == 2 * CONNECTIONS, "the books")
            self.assertEqual(agent.metric_sum("waggle_undecoded_connections_total", process_pid=str(self.server.pid)), 2 * CONNECTIONS)
            self.assertEqual(agent.spans(), [])
            self.assertEqual(agent.metric_sum("traces_spanmetrics_calls_total"), 0)

    def test_it_is_said(self):
        _, lines = explain(self.server.pid)
        self.assertTrue(any("TLS: no library is loaded that can be read" in line for line in lines), lines)


class JavaClient(unittest.TestCase):
    def test_connections_are_told_and_the_servers_end_is_read(self):
        server, port = nginx_tls()
        client = java("call", certificate(), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            with Agent(services=[{"pids": [client.pid]}, {"open_ports": str(port)}]) as agent:
                wait_for(lambda: agent.metric_sum("waggle_tls_processes") == 2, "nginx to be read")
                for i in range(CONNECTIONS):
                    client.process.stdin.write(f"https://localhost:{port}/{i}\n".encode())
                    client.process.stdin.flush()
                    client.process.stdout.readline()
                client.process.stdin.close()
                # Java does not say a name without a dot: the address is all there is.
                facts = {"waggle_role": "client", "server_address": "127.0.0.1", "server_port": str(port), "tls_protocol_version": "1.3"}
                wait_for(lambda: sums(agent, "connections_total", **facts) == CONNECTIONS, "the client's connections")
                for span in agent.expect_spans(CONNECTIONS, lambda s: server_is(s, port)):
                    self.assertEqual((span["tls.protocol.name"], span["tls.protocol.version"], span["tls.client.server_name"]),
                                     ("tls", "1.3", None))
                    self.assertTrue(span["tls.cipher"].startswith("TLS_"))
                    self.assertIn(span["tls.resumed"], (True, False))
            agent.expect_no_more()
        finally:
            client.stop()
            server.stop()


if __name__ == "__main__":
    unittest.main()
