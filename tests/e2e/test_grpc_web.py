#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""gRPC-Web over HTTP/1.1 and HTTP/2 between Connect's client and server: whose trailers stand in the body."""
import os
import unittest

from databases import DatabaseTest, node_packages
from harness import Child, free_port, server_is, subset

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../services/node/grpc_web.mjs")
CALLS = [("Echo", "OK", False, False), ("Echo", "OK", False, False), ("Missing", "NOT_FOUND", False, True), ("Broken", "INTERNAL", True, True)]


class GrpcWeb(DatabaseTest):
    def check(self, version):
        env = {"NODE_PATH": node_packages("connect", "@bufbuild/protobuf@1.10.0", "@connectrpc/connect@1.6.1", "@connectrpc/connect-node@1.6.1")}
        port = free_port()
        server = Child(["node", PROGRAM, "serve", str(port), version], env=env).wait_port(port)
        self.addCleanup(server.stop)
        served = self.watch(server)
        called = self.run_client("node", PROGRAM, "call", str(port), version, env=env)
        for agent, is_client in ((served, False), (called, True)):
            found = agent.expect_spans(len(CALLS), lambda s: s["rpc.system.name"])
            wanted = [(f"depot.Board/{method}", code, fails_client if is_client else fails_server)
                      for method, code, fails_server, fails_client in CALLS]
            self.assertEqual([(s.name, s["rpc.response.status_code"], s.is_error) for s in found], wanted)
            for span in found:
                subset(span, rpc__system__name="grpc", rpc__method=span.name, network__protocol__version=version, server__port=port,
                       waggle__unknown=None, waggle__incomplete=None, http__request__method=None)
                self.assertEqual(span.kind, "client" if is_client else "server")
                self.assertTrue(is_client or server_is(span, port))
            name = f"rpc_{'client' if is_client else 'server'}_call_duration_seconds_count"
            self.assertEqual(agent.metric_sum(name, rpc_system_name="grpc"), len(CALLS))

    def test_http1(self):
        self.check("1.1")

    def test_http2(self):
        self.check("2")


if __name__ == "__main__":
    unittest.main(verbosity=2)
