#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The agent's OTLP/gRPC exporter against gRPC's C core: method, headers, deadline, and RetryInfo is kept to."""
import json
import os
import subprocess
import unittest

from artefacts import from_index
from harness import Agent, Child, free_port, request, wait_for
from services import nginx

BACKEND = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../services/python/grpc_backend.py")


class GrpcBackend(unittest.TestCase):
    def test_headers_and_retry_info(self):
        server, port = nginx("location / { return 200 'hello'; }")
        self.addCleanup(server.stop)
        backend_port = free_port()
        backend = Child(["/usr/bin/python3", BACKEND, str(backend_port)], stdout=subprocess.PIPE,
                        env={"PYTHONPATH": from_index("grpcio==1.85.3")})
        self.addCleanup(backend.process.stdout.close)
        self.addCleanup(backend.stop)
        backend.wait_port(backend_port)
        env = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"http://127.0.0.1:{backend_port}",
               "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc",
               "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "7000",
               "OTEL_EXPORTER_OTLP_HEADERS": "Authorization=Basic%20YTpi,x-scope=common",
               "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "X-Scope=shop"}
        with Agent(services=[{"open_ports": str(port)}], env=env, traces=False) as agent:
            request(port)
            first = json.loads(backend.process.stdout.readline())
            second = json.loads(backend.process.stdout.readline())
        for call in (first, second):
            self.assertEqual(call["method"], "/opentelemetry.proto.collector.trace.v1.TraceService/Export")
            self.assertEqual(call["metadata"].get("x-scope"), "shop")
            self.assertEqual(call["metadata"].get("authorization"), "Basic YTpi")
            self.assertTrue(0 < call["left"] <= 7, call)
        self.assertEqual(first["size"], second["size"])
        # Told to wait one second, where the first backoff of its own would be five.
        self.assertGreaterEqual(second["at"] - first["at"], 0.99)


if __name__ == "__main__":
    unittest.main()
