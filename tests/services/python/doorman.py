# SPDX-License-Identifier: Apache-2.0
"""Refuses whoever waits to be told to go on, and keeps the connection; reads the body of those who send it to /all
the same: doorman.py <port>"""
import http.server
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body=b""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self):
        if self.headers["Transfer-Encoding"] != "chunked":
            return self.rfile.read(int(self.headers["Content-Length"]))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def handle_expect_100(self):
        self.answer(417)
        if self.path == "/all":
            self.body()
        return False

    def do_GET(self):
        self.answer(200, b"hello")

    def do_POST(self):
        self.answer(200, self.body())

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
