# SPDX-License-Identifier: Apache-2.0
"""The talk's server (tests/e2e/talk.py) as a FastAPI application."""
from fastapi import FastAPI, Request, Response
from starlette.responses import StreamingResponse

app = FastAPI()


@app.get("/hello")
@app.head("/hello")
async def hello():
    return Response("hello")


@app.get("/missing")
def missing():
    return Response("missing", 404)


@app.get("/broken")
def broken():
    return Response("broken", 500)


@app.get("/big")
async def big():
    return Response(b"x" * (1 << 20))


@app.get("/chunked")
async def chunked():
    return StreamingResponse(iter(["one", "two", "three"]))


@app.get("/stream")
async def stream():
    return StreamingResponse(iter(["y" * (1 << 14)] * 64))


@app.post("/echo")
async def echo(request: Request):
    return Response(await request.body())
