#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Kafka: a real broker with its Java client, kafkajs, kafka-go, Sarama and librdkafka, at both ends; no value is ever told."""
import os
import socket
import struct
import subprocess
import unittest

import brokers
from artefacts import OUT, make
from brokers import SOURCES
from databases import PYTHON, DatabaseTest, node_packages, say_go
from harness import Child, subset, wait_for
from tls import certificate

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def java_client():
    folder = os.path.join(OUT, "java/kafkaclient")
    source = os.path.join(SOURCES, "java/KafkaClient.java")
    make(source, os.path.join(folder, "KafkaClient.class"), ["javac", "-cp", brokers.archives(), "-d", folder, source])
    return ["java", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", folder + ":" + brokers.archives(), "KafkaClient"]


def go_client(name):
    source = os.path.join(SOURCES, name)
    product = os.path.join(OUT, name, name)
    return make(source, product, ["go", "-C", source, "build", "-o", product, "."],
                 env={"GONOSUMDB": "*", "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"})


def text(value):
    return struct.pack(">h", len(value)) + value.encode()


class KafkaTest(DatabaseTest):
    @classmethod
    def setUpClass(cls):
        cls.broker = brokers.Kafka("orders-java", "orders-js", "orders-go", "orders-sarama", "orders-py", "tls-js", "tls-py", "forms", "small", "joined", "polled", "many")
        cls.addClassCleanup(cls.broker.stop)
        cls.port = cls.broker.port

    def told(self, agent, topic, count):
        """The spans of a topic, when those that poll have told of so many messages."""
        def found():
            spans = agent.spans(lambda s: s["messaging.destination.name"] == topic)
            polled = [s for s in spans if s["messaging.operation.name"] == "poll"]
            return spans if sum(s["messaging.batch.message_count"] or 0 for s in polled) >= count else None
        try:
            spans = wait_for(found, f"{count} messages of {topic}")
        except AssertionError:
            self.fail(str(agent.spans(lambda s: s["messaging.system"])))
        for span in spans:
            is_tls = topic.startswith("tls-")
            subset(span, messaging__system="kafka", server__address="127.0.0.1", server__port=self.broker.tls_port if is_tls else self.port,
                   messaging__destination__partition__id="0", waggle__incomplete=None, tls__protocol__version="1.3" if is_tls else None)
            self.assertNotIn("secret", str(span.attributes))
        sends = sorted((s for s in spans if s["messaging.operation.name"] == "send"), key=lambda s: s.start)
        return sends, sorted((s for s in spans if s["messaging.operation.name"] == "poll"), key=lambda s: s.start)

    def check_orders(self, agent, topic, client_id):
        """Three sends of one message each, and polls that bring all three."""
        sends, polls = self.told(agent, topic, 3)
        self.assertEqual([(s.name, s.kind, s["messaging.operation.type"], s["messaging.batch.message_count"],
                           s["messaging.kafka.offset"], s["messaging.client.id"], s["error.type"], s["waggle.unknown"]) for s in sends],
                         [(f"send {topic}", "producer", "send", 1, i, client_id, None, None) for i in range(3)])
        offset = 0
        for poll in polls:
            subset(poll, messaging__operation__type="receive", messaging__consumer__group__name="packers",
                   messaging__kafka__offset=offset, messaging__client__id=client_id, error__type=None, waggle__unknown=None)
            self.assertEqual((poll.name, poll.kind), (f"poll {topic}", "client"))
            offset += poll["messaging.batch.message_count"]
        self.assertEqual(offset, 3)
        self.assertEqual(len(agent.spans(lambda s: s["messaging.system"])), len(sends) + len(polls))
        self.check_books(agent, topic, len(sends), len(polls))

    def check_books(self, agent, topic, sends, polls):
        for operation, wanted in (("send", sends), ("poll", polls)):
            self.assertEqual(agent.metric_sum("messaging_client_operation_duration_seconds_count", messaging_destination_name=topic,
                                              messaging_operation_name=operation, messaging_system="kafka"), wanted)
        self.assertEqual(agent.metric_sum("messaging_client_sent_messages_total", messaging_destination_name=topic), 3)
        self.assertEqual(agent.metric_sum("messaging_client_consumed_messages_total", messaging_destination_name=topic,
                                          messaging_consumer_group_name="packers"), 3)
        self.check_losses(agent)

    def python_client(self, what, *others, pause_after=None):
        return self.run_client(PYTHON, os.path.join(SOURCES, "client.py"), str(self.port), what, env=brokers.confluent(), others=others,
                               pause_after=pause_after)

    def test_java_client(self):
        self.check_orders(self.run_client(*java_client(), str(self.port)), "orders-java", "javashop")

    def by_kafkajs(self, *arguments):
        return ("node", os.path.join(SOURCES, "client.js"), *arguments), {"NODE_PATH": node_packages("kafkajs", "kafkajs@2.2.4")}

    def test_kafkajs(self):
        argv, env = self.by_kafkajs(str(self.port), "orders-js")
        self.check_orders(self.run_client(*argv, env=env), "orders-js", "jsshop")

    def test_tls_kafkajs(self):
        argv, env = self.by_kafkajs(str(self.broker.tls_port), "tls-js", certificate())
        agent = self.run_over_tls(*argv, env=env)
        self.check_orders(agent, "tls-js", "jsshop")
        self.check_all_read(agent)

    def test_kafka_go(self):
        self.check_orders(self.run_client(go_client("kafkago"), str(self.port)), "orders-go", "goshop")

    def test_sarama(self):
        self.check_orders(self.run_client(go_client("sarama"), str(self.port)), "orders-sarama", "saramashop")

    def test_librdkafka(self):
        self.check_orders(self.python_client("orders"), "orders-py", "pyshop")

    def test_tls_librdkafka(self):
        """It has OpenSSL linked in. Java's end cannot be read: its connections are told as encrypted, and no span is made up."""
        argv = (PYTHON, os.path.join(SOURCES, "client.py"), str(self.broker.tls_port), "orders", "tls-py", certificate())
        child = self.start_client(*argv, env=brokers.confluent())
        agent = self.watch(child, self.broker.child)
        wait_for(lambda: agent.metric_sum("waggle_tls_processes") == 1, "the client's library to be read")
        say_go(child)
        self.wait_client(child)
        self.check_orders(agent, "tls-py", "pyshop")
        encrypted = lambda: agent.metric_sum("waggle_turns_lost_total", cause="encrypted")
        undecoded = lambda: agent.metric_sum("waggle_undecoded_connections_total", process_pid=str(self.broker.child.pid))
        wait_for(lambda: undecoded() and encrypted() == undecoded(), "the broker's connections to be told")
        self.assertEqual({dict(labels)["cause"] for name, labels in agent.losses() if name == "waggle_turns_lost_total"}, {"encrypted"})
        self.assertEqual(agent.metric_sum("waggle_tls_unbound_total"), 0)

    def test_many_under_way(self):
        """About two thousand, each a request of its own, before the first of their answers is read."""
        agent = self.python_client("many", self.broker.child, pause_after="send many")
        for kind in ("producer", "server"):
            sends = agent.expect_spans(2000, lambda s: s.kind == kind and s["messaging.destination.name"] == "many")
            self.assertEqual(sorted(s["messaging.kafka.offset"] for s in sends), list(range(2000)), kind)
            self.assertEqual({(s["messaging.batch.message_count"], s["error.type"], s["waggle.unknown"], s["waggle.incomplete"])
                              for s in sends}, {(1, None, None, None)}, kind)
        self.check_losses(agent)

    def test_forms(self):
        """Without acknowledgement, compressed, with a trace in the headers, refused; polled without a group."""
        agent = self.python_client("forms")
        sends, polls = self.told(agent, "forms", 22)
        batches = [(s["messaging.batch.message_count"], s["messaging.kafka.offset"]) for s in sends]
        self.assertEqual((batches[0], batches[-1]), ((1, None), (1, 21)))
        # Four times five, though the client may have sent on before it had all five.
        at = 1
        for count, offset in batches[1:-1]:
            self.assertEqual(offset, at)
            self.assertEqual((offset - 1) // 5, (offset + count - 2) // 5, "all of one compression")
            at += count
        self.assertEqual(at, 21)
        self.assertEqual(sends[-1].trace_id, TRACE)
        self.assertEqual(sends[-1].parent, "00f067aa0ba902b7")
        self.assertEqual(sum(p["messaging.batch.message_count"] for p in polls), 22)
        for poll in polls:
            self.assertIsNone(poll["messaging.consumer.group.name"])
        refused = agent.expect_spans(1, lambda s: s["messaging.destination.name"] == "small")[0]
        self.assertEqual((refused["error.type"], refused.is_error), ("MESSAGE_TOO_LARGE", True))
        self.assertEqual(agent.metric_sum("messaging_client_operation_duration_seconds_count", error_type="MESSAGE_TOO_LARGE"), 1)
        self.check_losses(agent)

    def test_broker(self):
        """Its spans are a server's, children of their clients', and no metrics of clients."""
        producer = Child([PYTHON, "-c", "import sys; from confluent_kafka import Producer; sys.stdin.readline()\n"
                          f"p = Producer({{'bootstrap.servers': '127.0.0.1:{self.port}', 'client.id': 'pyshop'}})\n"
                          "p.produce('joined', 'secret', partition=0); assert p.flush(20) == 0; print('done', flush=True)\n"
                          "sys.stdin.read()"], stdin=subprocess.PIPE, env=brokers.confluent())
        self.addCleanup(producer.stop)
        agent = self.watch(self.broker.child, producer)
        say_go(producer)
        found = agent.expect_spans(2, lambda s: s["messaging.destination.name"] == "joined")
        sent = next(s for s in found if s.kind == "producer")
        served = next(s for s in found if s.kind == "server")
        self.assertEqual((served.trace_id, served.parent), (sent.trace_id, sent.span_id))
        for span in found:
            self.assertEqual(span.name, "send joined")
            subset(span, messaging__client__id="pyshop", messaging__batch__message_count=1, messaging__kafka__offset=0,
                   messaging__destination__partition__id="0", server__port=self.port)
        self.assertEqual(agent.metric_sum("messaging_client_operation_duration_seconds_count"), 1)

    def test_broker_is_polled(self):
        """So it is of a consumer's: a server's span below the client's, and nobody's consumed messages but the client's."""
        consumer = Child([PYTHON, "-c", "import sys; from confluent_kafka import Consumer, Producer, TopicPartition; sys.stdin.readline()\n"
                          f"p = Producer({{'bootstrap.servers': '127.0.0.1:{self.port}'}})\n"
                          "p.produce('polled', 'secret', partition=0); assert p.flush(20) == 0\n"
                          f"c = Consumer({{'bootstrap.servers': '127.0.0.1:{self.port}', 'client.id': 'pypack', 'group.id': 'packers'}})\n"
                          "c.assign([TopicPartition('polled', 0, 0)])\n"
                          "assert c.poll(20).value() == b'secret'; print('done', flush=True)\n"
                          "sys.stdin.read()"], stdin=subprocess.PIPE, env=brokers.confluent())
        self.addCleanup(consumer.stop)
        agent = self.watch(self.broker.child, consumer)
        say_go(consumer)
        self.wait_client(consumer)
        found = agent.expect_spans(2, lambda s: s.name == "poll polled")
        polled = next(s for s in found if s.kind == "client")
        served = next(s for s in found if s.kind == "server")
        self.assertEqual((served.trace_id, served.parent), (polled.trace_id, polled.span_id))
        for span in found:
            subset(span, messaging__client__id="pypack", messaging__destination__partition__id="0", server__port=self.port)
        subset(polled, messaging__batch__message_count=1, messaging__kafka__offset=0, waggle__unknown=None)
        # The broker sends records from files: what is in them nobody sees there.
        subset(served, messaging__batch__message_count=None, waggle__unknown="messaging.batch.message_count")
        self.assertEqual(agent.metric_sum("messaging_client_consumed_messages_total"), 1)
        self.assertEqual(agent.metric_sum("messaging_client_operation_duration_seconds_count", messaging_operation_name="poll"), 1)
        self.check_losses(agent)

    def test_unknown_topic(self):
        agent = self.watch(self.broker.child)

        def ask(connection, body):
            connection.sendall(struct.pack(">i", len(body)) + body)
            length = struct.unpack(">i", self.take(connection, 4))[0]
            return self.take(connection, length)
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            # Fetch version 4: nowhere's partition 3 from offset 0.
            ask(connection, struct.pack(">hhi", 1, 4, 7) + text("raw") + struct.pack(">iiiib", -1, 100, 1, 1 << 20, 0) +
                struct.pack(">i", 1) + text("nowhere") + struct.pack(">iiqi", 1, 3, 0, 1 << 20))
            # Produce version 3, of no records.
            ask(connection, struct.pack(">hhi", 0, 3, 8) + text("raw") + struct.pack(">hhi", -1, -1, 1000) + struct.pack(">i", 1) +
                text("nowhere") + struct.pack(">iii", 1, 3, len(BATCH)) + BATCH)
        found = agent.expect_spans(2, lambda s: s["messaging.client.id"] == "raw")
        self.assertEqual(sorted(s.name for s in found), ["poll nowhere", "send nowhere"])
        for span in found:
            self.assertTrue(span.is_error)
            subset(span, error__type="UNKNOWN_TOPIC_OR_PARTITION", messaging__destination__partition__id="3")

    def test_burst(self):
        """Hundreds of small requests in one write, each told at both ends."""
        agent = self.burst("kafka", self.port, self.broker.child, 2)
        for kind in ("client", "server"):
            found = agent.expect_spans(302, lambda s: s.kind == kind and s["messaging.client.id"] == "bursts")
            self.assertEqual({(s.name, s["error.type"], s["waggle.unknown"], s["waggle.incomplete"]) for s in found},
                             {(f"poll n{n}", "UNKNOWN_TOPIC_OR_PARTITION", None, None) for n in range(302)}, f"{kind}, {agent.losses()}")
        self.check_losses(agent)

    @staticmethod
    def take(connection, size):
        data = b""
        while len(data) < size:
            piece = connection.recv(size - len(data))
            assert piece, "the broker has closed"
            data += piece
        return data


# One record without key, header and checksum: the topic is looked for first.
BATCH = struct.pack(">qiibIhiqqqhii", 0, 49 + 8, 0, 2, 0, 0, 0, 0, 0, -1, -1, -1, 1) + b"\x0e\0\0\0\x01\x02x\0"


if __name__ == "__main__":
    unittest.main()
