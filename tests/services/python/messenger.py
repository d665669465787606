# SPDX-License-Identifier: Apache-2.0
"""A client (tests/e2e/test_clients.py) by requests: each line of its input is a method and a URL."""
import sys

import requests

with requests.Session() as session:
    session.headers["User-Agent"] = "talk/1"
    for line in sys.stdin.read().splitlines():
        method, url = line.split()
        session.request(method, url, data=b"b" * 300 if method == "POST" else None)
