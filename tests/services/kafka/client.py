# SPDX-License-Identifier: Apache-2.0
"""Waits for a line, then does with librdkafka what the second argument says; the first is the broker's port. A topic and an authority's
certificate may follow: for TLS."""
import sys
import time

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

port, what = sys.argv[1:3]
common = {"bootstrap.servers": "127.0.0.1:" + port, "client.id": "pyshop", "broker.address.family": "v4"}
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def send(topic, values, headers=None, producer=None, **settings):
    """All in one batch, if its producer may wait for them."""
    producer = producer or Producer({**common, **settings})
    results = []
    for value in values:
        producer.produce(topic, value, key="key", headers=headers, partition=0, on_delivery=lambda e, m: results.append(e))
    assert producer.flush(60) == 0
    return [e.name() if e else None for e in results]


def topics(*names):
    admin = AdminClient(common)
    for future in admin.create_topics([NewTopic(n, 1, 1, config={"max.message.bytes": "500"} if n == "small" else {})
                                       for n in names]).values():
        future.result(20)


def orders(topic="orders-py", authority=None):
    if authority:
        common.update({"security.protocol": "ssl", "ssl.ca.location": authority})
    for i in range(3):
        send(topic, [f"secret{i}"])
    consumer = Consumer({**common, "group.id": "packers", "auto.offset.reset": "earliest", "fetch.wait.max.ms": 200})
    consumer.subscribe([topic])
    got = 0
    while got < 3:
        message = consumer.poll(1)
        got += message is not None and not message.error()
    consumer.close()


def forms():
    # Unacknowledged, compressed, with a trace, refused.
    consumer = Consumer({**common, "group.id": "unused", "auto.offset.reset": "earliest", "fetch.wait.max.ms": 200})
    place = TopicPartition("forms", 0, 0)
    assert consumer.get_watermark_offsets(place, timeout=60) == (0, 0)  # it is led: before that, unacknowledged messages are dropped
    producer = Producer({**common, "acks": 0})
    send("forms", ["secret"], producer=producer)
    # Nobody says when it has come. Its connection stays: what a broker has not read of one that is reset is gone.
    while consumer.get_watermark_offsets(place, timeout=10)[1] == 0:
        time.sleep(0.05)
    for codec in ("gzip", "snappy", "lz4", "zstd"):
        send("forms", ["secret" * 20] * 5, **{"compression.type": codec, "linger.ms": 500})
    send("forms", ["secret"], {"traceparent": TRACE})
    assert send("small", ["x" * 2000]) == ["MSG_SIZE_TOO_LARGE"]
    consumer.assign([place])
    got = 0
    while got < 22:
        message = consumer.poll(1)
        got += message is not None and not message.error()
    consumer.close()


def many():
    """Each message a request of its own, sent without waiting for the answers before; when the first has been answered and told."""
    producer = Producer({**common, "batch.num.messages": 1, "linger.ms": 0})
    results = send("many", ["secret"], producer=producer)
    sys.stdin.readline()
    results += send("many", [f"secret{i}" for i in range(1999)], producer=producer)
    assert results == [None] * 2000, results


if what == "topics":
    topics(*sys.argv[3:])
    sys.exit()
sys.stdin.readline()
{"orders": orders, "forms": forms, "many": many}[what](*sys.argv[3:])
print("done", flush=True)
sys.stdin.read()
