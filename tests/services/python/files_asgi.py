# SPDX-License-Identifier: Apache-2.0
"""An ASGI application that gives out the files of a folder."""
import os


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    path = os.environ["FILES"] + scope["path"]
    body = b""
    status = 404
    if os.path.exists(path):
        status = 200
        with open(path, "rb") as file:
            body = file.read()
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
