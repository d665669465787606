# SPDX-License-Identifier: Apache-2.0
"""A client of HTTPS by wolfSSL, called as a C program would: for each line "port certificate path" a request."""
import ctypes
import socket
import sys

wolfssl = ctypes.CDLL("libwolfssl.so.35")
for name in ("wolfTLS_client_method", "wolfSSL_CTX_new", "wolfSSL_new"):
    getattr(wolfssl, name).restype = ctypes.c_void_p
wolfssl.wolfSSL_Init()
context = ctypes.c_void_p(wolfssl.wolfSSL_CTX_new(ctypes.c_void_p(wolfssl.wolfTLS_client_method())))

for line in sys.stdin:
    port, certificate, path = line.split()
    assert wolfssl.wolfSSL_CTX_load_verify_locations(context, certificate.encode(), None) == 1
    with socket.create_connection(("127.0.0.1", int(port))) as connection:
        session = ctypes.c_void_p(wolfssl.wolfSSL_new(context))
        assert wolfssl.wolfSSL_set_fd(session, connection.fileno()) == 1
        assert wolfssl.wolfSSL_connect(session) == 1
        request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
        assert wolfssl.wolfSSL_write(session, request, len(request)) == len(request)
        buffer = ctypes.create_string_buffer(4096)
        answer = b""
        while not answer.endswith(b"hello"):
            size = wolfssl.wolfSSL_read(session, buffer, len(buffer))
            assert size > 0, size
            answer += buffer.raw[:size]
        wolfssl.wolfSSL_free(session)
