#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""gRPC-Web, whose trailers stand in the body: over HTTP/1.1 and HTTP/2 between Connect's client and server, and in base64 between
browsers' client and sonora."""
import os
import unittest

from artefacts import from_index
from databases import PYTHON, DatabaseTest, node_packages
from harness import Child, free_port, server_is, subset

SERVICES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../services")
PROGRAM = os.path.join(SERVICES, "node/grpc_web.mjs")
# Method, code, is it an error of the server's, of the client's.
CALLS = [("Echo", "OK", False, False), ("Echo", "OK", False, False), ("Missing", "NOT_FOUND", False, True), ("Broken", "INTERNAL", True, True)]


class GrpcWeb(DatabaseTest):
    def check(self, serve, call, env, version, calls):
        """`serve` and `call` make commands for a port."""
        port = free_port()
        server = Child(serve(str(port)), env=env).wait_port(port)
        self.addCleanup(server.stop)
        served = self.watch(server)
        called = self.run_client(*call(str(port)), env=env)
        for agent, is_client in ((served, False), (called, True)):
            found = agent.expect_spans(len(calls), lambda s: s["rpc.system.name"])
            wanted = [(f"depot.Board/{method}", code, fails_client if is_client else fails_server)
                      for method, code, fails_server, fails_client in calls]
            self.assertEqual([(s.name, s["rpc.response.status_code"], s.is_error) for s in found], wanted)
            for span in found:
                subset(span, rpc__system__name="grpc", rpc__method=span.name, network__protocol__version=version, server__port=port,
                       waggle__unknown=None, waggle__incomplete=None, http__request__method=None)
                self.assertEqual(span.kind, "client" if is_client else "server")
                self.assertTrue(is_client or server_is(span, port))
                self.assertNotIn("secret", str(span.attributes))
            name = f"rpc_{'client' if is_client else 'server'}_call_duration_seconds_count"
            self.assertEqual(agent.metric_sum(name, rpc_system_name="grpc"), len(calls))

    def connect(self, version):
        env = {"NODE_PATH": node_packages("connect", "@bufbuild/protobuf@1.10.0", "@connectrpc/connect@1.6.1", "@connectrpc/connect-node@1.6.1")}
        self.check(lambda port: ["node", PROGRAM, "serve", port, version], lambda port: ["node", PROGRAM, "call", port, version], env,
                   version, CALLS)

    def test_http1(self):
        self.connect("1.1")

    def test_http2(self):
        self.connect("2")


    def test_text(self):
        env = {"NODE_PATH": node_packages("grpc-web", "grpc-web@1.5.0", "xhr2@0.2.1"),
               "PYTHONPATH": os.pathsep.join((from_index("hypercorn==0.18.0"), from_index("sonora==0.2.3"), os.path.join(SERVICES, "python")))}
        calls = [*CALLS, ("Refused", "UNAVAILABLE", True, True)]
        methods = ",".join(method for method, *_ in calls)
        self.check(lambda port: [PYTHON, "-m", "hypercorn", "--bind", f"127.0.0.1:{port}", "wsgi:grpc_web_text:app"],
                   lambda port: ["node", os.path.join(SERVICES, "node/grpc_web_text.js"), methods, port], env, "1.1", calls)


if __name__ == "__main__":
    unittest.main(verbosity=2)
