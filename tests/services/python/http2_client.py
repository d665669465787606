# SPDX-License-Identifier: Apache-2.0
"""httpx with HTTP/2 and no TLS: waits for a line, makes its calls on one connection, and waits for another."""
import asyncio
import sys

import httpx


async def main(port):
    print("ready", flush=True)
    sys.stdin.readline()
    async with httpx.AsyncClient(http1=False, http2=True, base_url=f"http://127.0.0.1:{port}",
                                 limits=httpx.Limits(max_connections=1)) as client:
        await asyncio.gather(*(client.get(f"/small?call={i}") for i in range(1, 6)))
        await client.post("/post?call=6", content=b"x" * 12000)
        print("done", flush=True)
        sys.stdin.readline()


asyncio.run(main(sys.argv[1]))
