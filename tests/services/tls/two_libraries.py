# SPDX-License-Identifier: Apache-2.0
"""A client by Python's own library and by curl_cffi's in turns: each line of its input is a port, a certificate and a path."""
import http.client
import ssl
import sys

from curl_cffi import requests

for number, line in enumerate(sys.stdin):
    port, certificate, path = line.split()
    if number % 2:
        requests.get(f"https://127.0.0.1:{port}{path}", verify=certificate)
        continue
    connection = http.client.HTTPSConnection("127.0.0.1", int(port), context=ssl.create_default_context(cafile=certificate))
    connection.request("GET", path)
    connection.getresponse().read()
    connection.close()
