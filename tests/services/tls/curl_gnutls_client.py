# SPDX-License-Identifier: Apache-2.0
"""A client by libcurl on GnuTLS, called as a C program would: each line of its input is a port, a certificate and a path."""
import ctypes
import sys

URL, AUTHORITY, WRITE = 10002, 10065, 20011

curl = ctypes.CDLL("libcurl-gnutls.so.4")
curl.curl_easy_init.restype = ctypes.c_void_p
easy = ctypes.c_void_p(curl.curl_easy_init())
received = []


@ctypes.CFUNCTYPE(ctypes.c_size_t, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_void_p)
def take(data, size, count, _):
    received.append(ctypes.string_at(data, size * count))
    return size * count


curl.curl_easy_setopt(easy, WRITE, take)
for line in sys.stdin:
    port, certificate, path = line.split()
    curl.curl_easy_setopt(easy, AUTHORITY, certificate.encode())
    curl.curl_easy_setopt(easy, URL, f"https://127.0.0.1:{port}{path}".encode())
    received.clear()
    result = curl.curl_easy_perform(easy)
    assert (result, b"".join(received)) == (0, b"hello"), result
