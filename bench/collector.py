# SPDX-License-Identifier: Apache-2.0
"""A real Collector that takes spans by gRPC and counts them."""
import os
import tempfile

import artefacts
from harness import Child, free_port

CONFIG = """
receivers: {{otlp: {{protocols: {{grpc: {{endpoint: "127.0.0.1:{port}"}}}}}}}}
exporters: {{debug: {{verbosity: basic}}}}
service: {{telemetry: {{metrics: {{level: none}}, logs: {{level: error}}}}, pipelines: {{traces: {{receivers: [otlp], exporters: [debug]}}}}}}
"""


def start_collector():
    """(child, port)"""
    port = free_port()
    path = os.path.join(tempfile.mkdtemp(prefix="waggle-collector-"), "collector.yaml")
    with open(path, "w") as file:
        file.write(CONFIG.format(port=port))
    return Child([artefacts.collector(), "--config", path]).wait_port(port), port
