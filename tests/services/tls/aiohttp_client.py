# SPDX-License-Identifier: Apache-2.0
"""A client by aiohttp, through the proxy that the environment names: each line of its input is a port, a certificate and a path."""
import asyncio
import ssl
import sys

import aiohttp


async def main():
    async with aiohttp.ClientSession(trust_env=True) as session:
        while line := await asyncio.to_thread(sys.stdin.readline):
            port, certificate, path = line.split()
            context = ssl.create_default_context(cafile=certificate)
            async with session.get(f"https://127.0.0.1:{port}{path}", ssl=context) as answer:
                assert await answer.read() == b"hello"


asyncio.run(main())
