# SPDX-License-Identifier: Apache-2.0
"""Calls RabbitMQ by pika when a line comes in, with an authority's certificate behind the port over TLS, and goes on with a large message
after another; then waits for the end of its input."""
import ssl
import sys

import pika
from pika import exceptions

port = int(sys.argv[1])
tls = pika.SSLOptions(ssl.create_default_context(cafile=sys.argv[2]), "localhost") if len(sys.argv) > 2 else None
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

sys.stdin.readline()
connection = pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", port, ssl_options=tls))
channel = connection.channel()
channel.exchange_declare("orders", "direct")
channel.queue_declare("packing")
channel.queue_bind("packing", "orders", "new")
channel.basic_publish("orders", "new", b"secret", pika.BasicProperties(headers={"a": 1, "traceparent": TRACE}))
sys.stdin.readline()
channel.basic_publish("", "packing", b"secret" * 50000)
method, _, body = channel.basic_get("packing")
assert body == b"secret"
channel.basic_ack(method.delivery_tag)
method, _, body = channel.basic_get("packing")
assert body == b"secret" * 50000
channel.basic_nack(method.delivery_tag, requeue=False)
assert channel.basic_get("packing", auto_ack=True)[0] is None
channel.confirm_delivery()
channel.basic_publish("orders", "new", b"secret")
try:
    channel.basic_publish("orders", "nobody's", b"secret", mandatory=True)
    raise AssertionError("that should come back")
except exceptions.UnroutableError:
    pass
for method, _, body in channel.consume("packing"):
    channel.basic_ack(method.delivery_tag)
    break
channel.cancel()
try:
    channel.basic_publish("no such exchange", "new", b"secret")
    raise AssertionError("that should fail")
except exceptions.ChannelClosedByBroker:
    pass
connection.process_data_events()
print("done", flush=True)
sys.stdin.read()
