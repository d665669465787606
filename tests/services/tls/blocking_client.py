# SPDX-License-Identifier: Apache-2.0
"""A client by Python's own http.client, on a socket's BIO: each line of its input is a port, a certificate and a path."""
import http.client
import ssl
import sys

connections = {}
for line in sys.stdin:
    port, certificate, path = line.split()
    if port not in connections:
        context = ssl.create_default_context(cafile=certificate)
        connections[port] = http.client.HTTPSConnection("127.0.0.1", int(port), context=context)
    connections[port].request("GET", path)
    connections[port].getresponse().read()
