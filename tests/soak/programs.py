#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Programs of the soak test. programs.py mongo PORT: a database that answers every message. programs.py pair COUNT WORD …: a
web server and its client in one process. The words are for who looks at the command line."""
import http.client
import http.server
import socketserver
import struct
import sys
import threading


def message(number, answers, document):
    body = struct.pack("<IB", 0, 0) + document
    return struct.pack("<iiii", len(body) + 16, number, answers, 2013) + body


def text(key, value):
    return b"\x02" + key + b"\0" + struct.pack("<i", len(value) + 1) + value + b"\0"


def document(*elements):
    inner = b"".join(elements) + b"\0"
    return struct.pack("<i", len(inner) + 4) + inner


FIND = document(text(b"find", b"things"), text(b"$db", b"soak"))
GOOD = document(b"\x01ok\0" + struct.pack("<d", 1))


def read_message(file):
    head = file.read(16)
    if len(head) < 16:
        return None
    length, number, _, _ = struct.unpack("<iiii", head)
    return number if len(file.read(length - 16)) == length - 16 else None


class Mongo(socketserver.StreamRequestHandler):
    def handle(self):
        while (number := read_message(self.rfile)) is not None:
            self.wfile.write(message(1, number, GOOD))


class Page(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"pair")

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


def pair(count):
    with Server(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for _ in range(2):
            connection = http.client.HTTPConnection(*server.server_address, timeout=10)
            for number in range(count):
                connection.request("GET", f"/pair/{number}")
                assert connection.getresponse().read() == b"pair"
            connection.close()
        server.shutdown()


if __name__ == "__main__":
    if sys.argv[1] == "mongo":
        Server(("127.0.0.1", int(sys.argv[2])), Mongo).serve_forever()
    else:
        pair(int(sys.argv[2]))
