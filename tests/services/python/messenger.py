# SPDX-License-Identifier: Apache-2.0
"""A client (tests/e2e/test_clients.py) by requests: each line of its input is a method, a URL, and the size of a body."""
import sys

import requests

with requests.Session() as session:
    session.headers["User-Agent"] = "talk/1"
    for line in sys.stdin.read().splitlines():
        method, url, size = line.split()
        session.request(method, url, data=b"b" * int(size) or None)
