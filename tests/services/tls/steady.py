# SPDX-License-Identifier: Apache-2.0
"""Processes of one image that call by HTTPS all the time: its arguments are how many, a port and a certificate. From a line of its
input on each makes calls to /steady/PROCESS/NUMBER by a connection of its own, until the input ends; then "PROCESS CALLS" is told
of each."""
import http.client
import os
import select
import ssl
import sys

count, port, certificate = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
PAUSE = 0.02  # seconds between two calls
begins, begin = os.pipe()
ends, end = os.pipe()
children = []
for _ in range(count):
    child = os.fork()
    if child == 0:
        os.close(end)
        os.read(begins, 1)
        connection = http.client.HTTPSConnection("127.0.0.1", port, context=ssl.create_default_context(cafile=certificate))
        calls = 0
        while not select.select([ends], [], [], PAUSE)[0]:
            connection.request("GET", f"/steady/{os.getpid()}/{calls}")
            assert connection.getresponse().read() == b"hello"
            calls += 1
        os.write(1, f"{os.getpid()} {calls}\n".encode())
        os._exit(0)
    children.append(child)
print("ready", flush=True)
sys.stdin.readline()
os.write(begin, b"." * count)
sys.stdin.readline()
os.close(end)
for child in children:
    assert os.waitpid(child, 0)[1] == 0
