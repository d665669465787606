#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Go's crypto/tls, in a program with symbols, without, and one that can be loaded anywhere: of 64 connections at once, whose
goroutines go from thread to thread, every span is its own connection's, at both ends."""
import http.client
import os
import shutil
import socket
import ssl
import subprocess
import unittest

from artefacts import go_tls
from harness import Agent, Child, free_port, request, server_is, subset, wait_for
from test_explain import explain
from test_tls_memory import talk_by_tls_1_2
from tls import CONNECTIONS, REQUESTS, certificate, client_context, drive, key, nginx_tls

STRIPPED = ("-ldflags", "-s -w")


def whole():
    return go_tls("vault")


def stripped():
    return go_tls("vault-stripped", *STRIPPED)


def anywhere():
    """Linked by C's linker, which puts C's code before Go's."""
    return go_tls("vault-anywhere", "-buildmode=pie", "-ldflags", "-s -w -linkmode external")


def serve(program):
    port = free_port()
    return Child([program, "serve", str(port), certificate(), key()]).wait_port(port), port


def call(program, protocol):
    return Child([program, "call", protocol], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


class GoTls(unittest.TestCase):
    def check_facts(self, spans, version, tls="1.3"):
        for span in spans:
            subset(span, url__scheme="https", http__response__status_code=200, http__response__body__size=5,
                   http__request__method="GET", network__protocol__version=version, tls__protocol__name="tls",
                   tls__protocol__version=tls, tls__client__server_name="localhost")

    def check_books(self, agent):
        agent.check_books()  # what is told a little later than the spans is told by then
        self.assertEqual(agent.metric_sum("waggle_tls_unbound_total"), 0)
        self.assertEqual(agent.metric_sum("waggle_turns_lost_total"), 0)
        self.assertEqual(agent.metric_sum("waggle_undecoded_connections_total"), 0)

    def check_server(self, program, protocol, version):
        server, port = serve(program)
        client = call(whole(), protocol)
        try:
            with Agent(services=[{"pids": [server.pid]}]) as agent:
                wait_for(lambda: agent.metric_sum("waggle_tls_processes") == 1, "the server to be read")
                ports = drive(client, port)
                spans = agent.expect_spans(CONNECTIONS * REQUESTS, lambda s: server_is(s, port))
                self.check_facts(spans, version)
                for span in spans:
                    self.assertEqual(span["network.peer.port"], ports[span["url.path"].split("/")[2]], span)
                self.assertEqual(len({s["url.path"] for s in spans}), CONNECTIONS * REQUESTS)
                talk_by_tls_1_2(agent, port)
                self.check_books(agent)
            agent.expect_no_more()
        finally:
            client.stop()
            server.stop()

    def test_server(self):
        self.check_server(whole(), "http/1.1", "1.1")

    def test_server_without_symbols(self):
        self.check_server(stripped(), "http/1.1", "1.1")

    def test_server_http2(self):
        self.check_server(stripped(), "h2", "2")

    def check_both_ends(self, start, client_program, protocol, version, tls="1.3"):
        server, port = start()
        client = call(client_program, protocol)
        try:
            with Agent(services=[{"pids": [client.pid]}, {"open_ports": str(port)}]) as agent:
                wait_for(lambda: agent.metric_sum("waggle_tls_processes") >= 2, "both to be read")
                ports = drive(client, port)
                servers = agent.expect_spans(CONNECTIONS * REQUESTS, lambda s: s.kind == "server")
                clients = agent.expect_spans(CONNECTIONS * REQUESTS, lambda s: s.kind == "client")
                self.check_facts(clients, version, tls)
                self.check_facts(servers, version, tls)
                by_id = {span.span_id: span for span in clients}
                for span in servers:
                    self.assertEqual(span["network.peer.port"], ports[span["url.path"].split("/")[2]])
                    caller = by_id.get(span.parent)
                    self.assertIsNotNone(caller, span)
                    self.assertEqual(caller["url.full"].split("/", 3)[3], span["url.path"][1:])
                    self.assertEqual(caller.trace_id, span.trace_id)
                    self.assertEqual((caller["server.address"], caller["server.port"]), ("localhost", port))
                self.check_books(agent)
            agent.expect_no_more()
        finally:
            client.stop()
            server.stop()

    def test_both_ends_loaded_anywhere(self):
        self.check_both_ends(lambda: serve(anywhere()), anywhere(), "http/1.1", "1.1")

    def test_both_ends_http2(self):
        self.check_both_ends(lambda: serve(stripped()), stripped(), "h2", "2")

    def test_client_of_another(self):
        self.check_both_ends(lambda: nginx_tls(versions="TLSv1.2"), stripped(), "http/1.1", "1.1", tls="1.2")

    def test_close_while_a_call_sends(self):
        server, port = serve(stripped())
        try:
            with Agent(services=[{"pids": [server.pid]}]) as agent:
                wait_for(lambda: agent.metric_sum("waggle_tls_processes") == 1, "the server to be read")
                with socket.create_connection(("127.0.0.1", port), timeout=20) as below, \
                        client_context().wrap_socket(below, server_hostname="localhost") as connection:
                    connection.sendall(b"GET /cut HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    self.assertTrue(connection.recv(100).startswith(b"HTTP/1.1 200 OK"))
                    connection.sendall(b"x")
                    with self.assertRaises((ssl.SSLError, OSError)):
                        while connection.recv(1 << 20):
                            pass
                        raise ConnectionResetError("ended")
                span, = agent.expect_spans(1, lambda s: server_is(s, port))
                subset(span, http__response__status_code=200, url__path="/cut", network__protocol__version="1.1",
                       waggle__incomplete="connection_closed")
                self.check_books(agent)
            agent.expect_no_more()
        finally:
            server.stop()

    def test_errors_and_bodies(self):
        server, port = serve(stripped())
        try:
            with Agent(services=[{"pids": [server.pid]}]) as agent:
                wait_for(lambda: agent.metric_sum("waggle_tls_processes") == 1, "the server to be read")
                connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=client_context())
                request(port, path="/broken", connection=connection)
                self.assertEqual(request(port, "POST", "/echo", body=b"b" * 300_000, connection=connection)[1], b"b" * 300_000)
                connection.close()
                broken, echo = agent.expect_spans(2, lambda s: server_is(s, port))
                self.assertEqual((broken["http.response.status_code"], broken.is_error), (500, True))
                self.assertEqual((echo["http.request.body.size"], echo["http.response.body.size"]), (300_000, 300_000))
                self.check_books(agent)
            agent.expect_no_more()
        finally:
            server.stop()

    def test_connections_older_than_the_agent(self):
        """Where a goroutine waits for the next request already, that one is not seen; from then on they are read."""
        server, port = serve(stripped())
        connections = [http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=client_context()) for _ in range(8)]
        try:
            for number, connection in enumerate(connections):
                request(port, path=f"/before/{number}", connection=connection)
            with Agent(services=[{"pids": [server.pid]}]) as agent:
                wait_for(lambda: agent.metric_sum("waggle_tls_processes") == 1, "the server to be read")
                for turn in range(4):
                    for number, connection in enumerate(connections):
                        request(port, path=f"/after/{number}/{turn}", connection=connection)
                spans = agent.expect_spans(24, lambda s: server_is(s, port) and not s["url.path"].endswith("/0"))
                for span in spans:
                    local = connections[int(span["url.path"].split("/")[2])].sock.getsockname()[1]
                    self.assertEqual(span["network.peer.port"], local)
        finally:
            for connection in connections:
                connection.close()
            server.stop()


class Unreadable(unittest.TestCase):
    """A program whose table of functions does not name them: counted and shown as encrypted, nothing guessed."""

    @classmethod
    def setUpClass(cls):
        cls.program = stripped() + "-unnamed"
        with open(stripped(), "rb") as file:
            text = file.read()
        with open(cls.program, "wb") as file:
            file.write(text.replace(b"\0crypto/tls.(*Conn).Read\0", b"\0crypto/tls.(*Conn).Rxxx\0"))
        shutil.copymode(stripped(), cls.program)

    @classmethod
    def tearDownClass(cls):
        os.unlink(cls.program)

    def test_a_server_is_counted(self):
        server, port = serve(self.program)
        try:
            with Agent(services=[{"pids": [server.pid]}]) as agent:
                connection = http.client.HTTPSConnection("localhost", port, timeout=20, context=client_context())
                request(port, path="/x", connection=connection)
                connection.close()
                wait_for(lambda: agent.metric_sum("waggle_turns_lost_total", cause="encrypted") == 1, "one encrypted connection")
                wait_for(lambda: agent.metric_sum("waggle_tls_handshake_duration_seconds_count", tls_protocol_version="1.3",
                                                  waggle_role="server", server_address="127.0.0.1") == 1, "its handshake")
                self.assertEqual(agent.metric_sum("waggle_tls_processes"), 0)
                self.assertEqual(agent.spans(), [])
        finally:
            server.stop()

    def test_a_clients_connections_are_told_by_the_name_that_it_asks_for(self):
        server, port = nginx_tls()
        client = call(self.program, "http/1.1")
        try:
            with Agent(services=[{"pids": [client.pid]}],
                       config="attributes: {select: {waggle.tls.connections: {include: ['*']}}}\n") as agent:
                drive(client, port, connections=3, requests=2)
                wait_for(lambda: agent.metric_sum("waggle_tls_connections_total", waggle_role="client", server_address="localhost",
                                                  server_port=str(port), tls_client_server_name="localhost",
                                                  tls_protocol_version="1.3", tls_resumed="false") == 3, "its connections")
                self.assertEqual(agent.spans(), [])
        finally:
            client.stop()
            server.stop()

    def test_explain_says_what_is_read(self):
        server, _ = serve(stripped())
        try:
            _, lines = explain(server.pid)
            self.assertTrue(any(line.startswith("TLS: read through ") and "(go)" in line for line in lines), lines)
        finally:
            server.stop()


if __name__ == "__main__":
    unittest.main()
