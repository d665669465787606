# SPDX-License-Identifier: Apache-2.0
"""The talk's server (tests/e2e/talk.py) with the standard library only: orders.py <port> [<address>]"""
import http.server
import socket
import sys
import urllib.parse
import urllib.request

TEXTS = {"/hello": (200, b"hello"), "/missing": (404, b"missing"), "/broken": (500, b"broken"),
         "/big": (200, b"x" * (1 << 20))}
PIECES = {"/chunked": [b"one", b"two", b"three"], "/stream": [b"y" * (1 << 14)] * 64}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        path, _, query = self.path.partition("?")
        if path == "/relay":
            with urllib.request.urlopen(urllib.parse.unquote(query.removeprefix("to="))) as answer:
                self.answer(200, answer.read())
            return
        if path not in PIECES:
            self.answer(*TEXTS[path])
            return
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in PIECES[path]:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    do_HEAD = do_GET

    def do_POST(self):
        self.answer(200, self.rfile.read(int(self.headers["Content-Length"])))

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6 if ":" in sys.argv[-1] else socket.AF_INET


Server((sys.argv[2] if len(sys.argv) > 2 else "127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
