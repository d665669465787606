# SPDX-License-Identifier: Apache-2.0
"""Elasticsearch's stand-in, as an ASGI application for HTTP/1.1 and HTTP/2."""
import json

ANSWER = json.dumps({
    "_id": "17", "_index": "orders", "_version": 1, "result": "created", "found": True, "_source": {}, "took": 1,
    "errors": False, "items": [], "count": 1, "hits": {"hits": [], "total": {"value": 0}}, "acknowledged": True, "status": "green",
    "version": {"number": "8.15.0", "build_flavor": "default"}, "tagline": "You Know, for Search"}).encode()


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    sent = dict(scope["headers"])
    headers = [(b"content-type", sent.get(b"accept", b"application/json")), (b"content-length", str(len(ANSWER)).encode()),
               (b"x-elastic-product", b"Elasticsearch")]
    await send({"type": "http.response.start", "status": 404 if scope["path"].startswith("/nothing") else 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else ANSWER})
