# SPDX-License-Identifier: Apache-2.0
"""Sends messages to the topic orders for so many seconds, each batch confirmed; prints how many requests, seconds, p50 and p99."""
import sys
import time

from confluent_kafka import Producer

producer = Producer({"bootstrap.servers": f"127.0.0.1:{sys.argv[1]}", "linger.ms": 0, "batch.num.messages": 1, "acks": 1})
times = []
waiting = 0


def sent(begin):
    def told(error, _):
        global waiting
        waiting -= 1
        if error:
            sys.exit(str(error))
        times.append(time.monotonic() - begin)
    return told


begin = time.monotonic()
while time.monotonic() < begin + float(sys.argv[2]):
    while waiting < 16:
        waiting += 1
        producer.produce("orders", b"x" * 200, on_delivery=sent(time.monotonic()))
    producer.poll(0.01)
producer.flush()
took = time.monotonic() - begin
times.sort()
print(f"{len(times)} {took:.3f} {times[len(times) // 2] * 1e6:.1f} {times[len(times) * 99 // 100] * 1e6:.1f}")
