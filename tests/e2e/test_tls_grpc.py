#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""gRPC over TLS: what is told of it is what is told without. Go's crypto/tls, and Node's and
C++'s libraries, which move HTTP/2 through memory."""
import functools
import unittest

import test_grpc
from test_grpc import cpp, go, node, python
from tls import certificate, key


def by_tls(start):
    return functools.partial(start, env={"CERTIFICATE": certificate(), "KEY": key()})


class GrpcOverTls(test_grpc.Talk):
    def check(self, agent, port):
        super().check(agent, port)
        agent.stop()
        agent.expect_no_more()

    def test_go(self):
        self.talk(by_tls(go), by_tls(go), libraries=2)

    def test_node(self):
        self.talk(by_tls(node), by_tls(node), libraries=2)

    def test_cpp(self):
        """Debian's gRPC, which has the system's OpenSSL and gives it memory."""
        self.talk(by_tls(cpp), by_tls(cpp), libraries=2)

    def test_python(self):
        """Whose grpc brings BoringSSL without its symbols, and gives it memory; Python's own library is loaded, too."""
        self.talk(by_tls(python), by_tls(python), libraries=2, counted_by="waggle_tls_fingerprints_total")


if __name__ == "__main__":
    unittest.main()
