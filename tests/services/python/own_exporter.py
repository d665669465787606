# SPDX-License-Identifier: Apache-2.0
"""A service that calls PEER: GET /call/PATH makes it GET /PATH there, GET /export/PATH makes it POST to /PATH, as an SDK of
OpenTelemetry does. own_exporter.py PORT PEER"""
import http.client
import http.server
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        _, kind, path = self.path.split("/", 2)
        peer = http.client.HTTPConnection("127.0.0.1", int(sys.argv[2]))
        peer.request("POST" if kind == "export" else "GET", "/" + path)
        status = peer.getresponse().status
        peer.close()
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
