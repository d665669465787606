# SPDX-License-Identifier: Apache-2.0
"""Speaks NATS by nats-py when a line comes in; then waits for the end of its input."""
import asyncio
import ssl
import sys

import nats
from nats import errors

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


async def main(port, *ways):
    complained = asyncio.Event()

    async def note(error):
        complained.set()

    options = {"tls": ssl._create_unverified_context()} if "tls" in ways else {}
    connection = await nats.connect(f"nats://127.0.0.1:{port}", max_reconnect_attempts=0, error_cb=note, **options)
    arrived = asyncio.Queue()

    async def take(message):
        await arrived.put(message)

    async def answer(message):
        await message.respond(b"secret")

    await connection.subscribe("orders.*", queue="workers", cb=take)
    await connection.subscribe("price", cb=answer)
    await connection.flush()
    await connection.publish("orders.new", b"secret")
    await arrived.get()
    await connection.publish("orders.paid", b"secret", headers={"traceparent": TRACE})
    await arrived.get()
    await connection.publish("orders.large", b"secret" * 50000)
    await arrived.get()
    assert (await connection.request("price", b"tea", timeout=10)).data == b"secret"
    try:
        await connection.request("nobody", b"secret", timeout=10)
        raise AssertionError("that should fail")
    except errors.NoRespondersError:
        pass
    stream = connection.jetstream()
    await stream.add_stream(name="S", subjects=["parcels.*"])
    await stream.publish("parcels.1", b"secret")
    pull = await stream.pull_subscribe("parcels.*", "C")
    for message in await pull.fetch(1, timeout=10):
        await message.ack()
    await connection.flush()
    await connection.publish("forbidden", b"secret")
    await complained.wait()  # a PING may overtake what was published, and so its answer the complaint
    await connection.close()


sys.stdin.readline()
asyncio.run(main(*sys.argv[1:]))
print("done", flush=True)
sys.stdin.read()
