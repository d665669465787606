# SPDX-License-Identifier: Apache-2.0
"""A client of many TLS connections at once, on memory BIOs (asyncio): reads one line of its input, `port certificate
connections requests`, and sends on all connections in turns, so that what each does is as long as what the others do.
Each request's path says its connection. TLS12_CIPHER, if set, is what it offers, and TLS 1.2."""
import asyncio
import os
import ssl
import sys


async def talk(reader, writer, path):
    writer.write(b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % path.encode())
    await writer.drain()
    length = 0
    while (line := await reader.readline()) != b"\r\n":
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    return await reader.readexactly(length)


async def main():
    loop = asyncio.get_running_loop()
    port, certificate, connections, requests = (await loop.run_in_executor(None, sys.stdin.readline)).split()
    context = ssl.create_default_context(cafile=certificate)
    if cipher := os.environ.get("TLS12_CIPHER"):
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(cipher)
    opened = await asyncio.gather(*(asyncio.open_connection("127.0.0.1", int(port), ssl=context)
                                    for _ in range(int(connections))))
    for turn in range(int(requests)):
        await asyncio.gather(*(talk(*pair, f"/c/{number:03}/{turn:03}") for number, pair in enumerate(opened)))
    for number, (_, writer) in enumerate(opened):
        print(f"{number:03}", writer.get_extra_info("sockname")[1])
        writer.close()


asyncio.run(main())
