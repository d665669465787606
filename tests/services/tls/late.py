# SPDX-License-Identifier: Apache-2.0
"""A service that loads its TLS library late: it listens on its first argument's port, and from the first line of its
input on speaks HTTPS there: `certificate key`."""
import socket
import sys

listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
certificate, key = sys.stdin.readline().split()

import ssl  # noqa: E402: this is the point of it

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
print("ready", flush=True)
while True:
    connection, _ = listener.accept()
    try:
        with context.wrap_socket(connection, server_side=True) as secured:
            while (data := secured.recv(4096)):
                if data.endswith(b"\r\n\r\n"):
                    secured.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
    except OSError:
        pass
