# SPDX-License-Identifier: Apache-2.0
"""A mail server by aiosmtpd: nobody is who is called nobody, and what is called large is too large."""
import asyncio
import ssl
import sys

from aiosmtpd import smtp

port, certificate, key = int(sys.argv[1]), sys.argv[2], sys.argv[3]


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody"):
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, server, session, envelope):
        return "552 5.3.4 too much" if b"Subject: large" in envelope.content else "250 2.0.0 queued"


async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: smtp.SMTP(Handler(), hostname="mx.example", tls_context=context), "127.0.0.1", port)
    async with server:
        await server.serve_forever()


asyncio.run(main())
