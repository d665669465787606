# SPDX-License-Identifier: Apache-2.0
"""An ASGI application that answers as a GraphQL server does: with errors where it is asked for what is broken."""


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    question, is_more = b"", True
    while is_more:
        part = await receive()
        question += part.get("body", b"")
        is_more = part.get("more_body", False)
    answer = b'{"errors":[{"message":"secret"}],"data":null}' if b"broken" in question else b'{"data":{"cart":42}}'
    await send({"type": "http.response.start", "status": 200,
                "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]})
    await send({"type": "http.response.body", "body": answer})
