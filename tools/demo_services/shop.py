# SPDX-License-Identifier: Apache-2.0
"""The demo's shop: asks the prices for each product. shop.py <port> <port of prices>"""
import http.client
import http.server
import random
import sys
import threading
import time

local = threading.local()


def price(product):
    """On a connection that the thread keeps."""
    if not hasattr(local, "prices"):
        local.prices = http.client.HTTPConnection("127.0.0.1", int(sys.argv[2]), timeout=5)
    local.prices.request("GET", f"/prices/{product}")
    return local.prices.getresponse().read()


class Shop(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one write: two would wait for each other's acknowledgement

    def do_GET(self):
        time.sleep(random.expovariate(1 / 0.002))  # the work
        product = self.path.rsplit("/", 1)[-1]
        if random.random() < 0.02:
            return self.answer(500, b"out of luck")
        self.answer(200, b"%s: %s" % (product.encode(), price(product)))

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.answer(201, b"ordered")

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Shop).serve_forever()
