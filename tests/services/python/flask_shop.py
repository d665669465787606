# SPDX-License-Identifier: Apache-2.0
"""The talk's server (tests/e2e/talk.py) as a Flask application."""
from flask import Flask, Response, request

app = Flask(__name__)


def text(body, status=200):
    return Response(body, status, mimetype="text/plain")


app.add_url_rule("/hello", "hello", lambda: text("hello"))
app.add_url_rule("/missing", "missing", lambda: text("missing", 404))
app.add_url_rule("/broken", "broken", lambda: text("broken", 500))
app.add_url_rule("/big", "big", lambda: text(b"x" * (1 << 20)))
app.add_url_rule("/chunked", "chunked", lambda: text(iter(["one", "two", "three"])))
app.add_url_rule("/stream", "stream", lambda: text(iter(["y" * (1 << 14)] * 64)))
app.add_url_rule("/echo", "echo", lambda: text(request.get_data()), methods=["POST"])
