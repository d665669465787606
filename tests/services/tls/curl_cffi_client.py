# SPDX-License-Identifier: Apache-2.0
"""A client by curl_cffi, whose one library has BoringSSL in it: each line of its input is a port, a certificate and a path."""
import sys

from curl_cffi import requests

with requests.Session() as session:
    for line in sys.stdin:
        port, certificate, path = line.split()
        session.get(f"https://127.0.0.1:{port}{path}", verify=certificate)
