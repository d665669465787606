# SPDX-License-Identifier: Apache-2.0
"""An HTTPS service that has another root from when it is ready: port, certificate, key and the new root are its arguments."""
import encodings.idna  # noqa: F401 - nothing is to be found later
import http.server
import os
import ssl
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(*sys.argv[2:4])
server = http.server.HTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
server.server_address = ("127.0.0.1", int(sys.argv[1]))
server.socket = context.wrap_socket(server.socket, server_side=True)
server.allow_reuse_address = True
os.chroot(sys.argv[4])
os.chdir("/")
server.server_bind()
server.server_activate()
server.serve_forever()
