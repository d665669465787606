# SPDX-License-Identifier: Apache-2.0
"""Back ends for telemetry: the real Collector, certificates, and one that misbehaves as told."""
import gzip
import http.server
import json
import os
import subprocess
import tempfile
import threading
import time

from artefacts import collector
from harness import Child, Sink, free_port


class Certificates:
    """An authority with a server's and a client's certificate, by openssl."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="waggle-tls-")
        self._openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test authority",
                      "-keyout", self["ca.key"], "-out", self["ca.pem"])
        for name in ("server", "client"):
            extension = self[name + ".ext"]
            with open(extension, "w") as file:
                file.write("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
            self._openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=" + name,
                          "-keyout", self[name + ".key"], "-out", self[name + ".csr"])
            self._openssl("x509", "-req", "-in", self[name + ".csr"], "-CA", self["ca.pem"], "-CAkey", self["ca.key"],
                          "-CAcreateserial", "-days", "2", "-extfile", extension, "-out", self[name + ".pem"])

    def __getitem__(self, name):
        return os.path.join(self.folder, name)

    @staticmethod
    def _openssl(*arguments):
        done = subprocess.run(["openssl", *arguments], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


class Collector:
    """OpenTelemetry's Collector: receives OTLP by both protocols, hands on to a sink as JSON and to its own log."""

    def __init__(self, tls=""):
        self.sink = Sink()
        self.grpc, self.http = free_port(), free_port()
        self.folder = tempfile.mkdtemp(prefix="waggle-collector-")
        self.path = os.path.join(self.folder, "collector.yaml")
        settings = f", tls: {tls}" if tls else ""
        with open(self.path, "w") as file:
            file.write(f"""
receivers:
  otlp:
    protocols:
      grpc: {{endpoint: 127.0.0.1:{self.grpc}{settings}}}
      http: {{endpoint: 127.0.0.1:{self.http}{settings}}}
exporters:
  otlp_http: {{endpoint: http://127.0.0.1:{self.sink.port}, encoding: json, compression: none,
             sending_queue: {{enabled: false}}}}
  debug: {{verbosity: normal}}
service:
  telemetry: {{metrics: {{level: none}}, logs: {{level: info}}}}
  pipelines:
    traces: {{receivers: [otlp], exporters: [otlp_http, debug]}}
    metrics: {{receivers: [otlp], exporters: [otlp_http, debug]}}
""")
        self.start()

    def start(self):
        self.child = Child([collector(), "--config", self.path]).wait_port(self.grpc).wait_port(self.http)

    def end(self):
        self.child.stop()

    def endpoint(self, protocol, scheme="http"):
        return f"{scheme}://127.0.0.1:{self.grpc if protocol == 'grpc' else self.http}"

    def stop(self):
        self.child.stop()
        self.sink.stop()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind:
            print(self.child.output()[-3000:])
        self.stop()


class Backend:
    """An OTLP/JSON receiver that answers each request as told: answer(number, path) gives (status, headers, body),
    or None to close the connection without a word. Keeps what it accepted, and every request's headers."""

    def __init__(self, answer=lambda number, path: (200, {}, b"{}"), port=0):
        self.answer = answer
        self.spans = Sink.__new__(Sink)
        self.spans.spans, self.spans.metrics, self.spans.lock = [], [], threading.Lock()
        self.requests = []  # (time, path, headers, status)
        backend = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                answer = backend.answer(len(backend.requests), self.path)
                backend.requests.append((time.monotonic(), self.path, dict(self.headers), answer and answer[0]))
                if answer is None:
                    self.close_connection = True
                    return
                status, headers, text = answer
                if status == 200:
                    backend.spans.take(json.loads(body))
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", "Content-Length": str(len(text)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        http.server.ThreadingHTTPServer.request_queue_size = 64
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def traces(self):
        return [r for r in list(self.requests) if r[1] == "/v1/traces"]

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
