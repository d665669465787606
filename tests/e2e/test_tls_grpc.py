#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""gRPC over TLS: what is told of it is what is told without. Go's crypto/tls, and Node's and
C++'s libraries, which move HTTP/2 through memory."""
import functools
import unittest

import test_grpc
from test_grpc import cpp, go, node, python
from harness import Agent, free_port, wait_for
from tls import certificate, key


def by_tls(start):
    return functools.partial(start, env={"CERTIFICATE": certificate(), "KEY": key()})


class GrpcOverTls(test_grpc.Talk):
    def test_go(self):
        self.talk(by_tls(go), by_tls(go), libraries=2)

    def test_node(self):
        self.talk(by_tls(node), by_tls(node), libraries=2)

    def test_cpp(self):
        """Debian's gRPC, which has the system's OpenSSL and gives it memory."""
        self.talk(by_tls(cpp), by_tls(cpp), libraries=2)

    def test_a_library_that_cannot_be_read(self):
        """Python's grpc brings BoringSSL without its symbols: its connection counts as encrypted, and no span is made up."""
        port = free_port()
        server = by_tls(python)("serve", str(port)).wait_port(port)
        client = by_tls(python)("call", str(port))
        try:
            self.assertEqual(client.process.stdout.readline(), b"ready\n", client.output())
            with Agent(services=[{"pids": [server.pid, client.pid]}]) as agent:
                self.go_on(client, b"begun\n")
                self.go_on(client, b"done\n")
                wait_for(lambda: agent.metric_sum("waggle_turns_lost_total", cause="encrypted") == 2, "both ends to count as encrypted")
                self.assertEqual(agent.spans(), [])
        finally:
            self.end(server, client)


if __name__ == "__main__":
    unittest.main()
