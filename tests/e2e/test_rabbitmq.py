#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""RabbitMQ with pika and amqplib, at both ends: publishes, confirmed or not, deliveries, gets and settlements; no body is told."""
import os
import unittest

import brokers
from databases import PYTHON, node_packages, python_packages
from harness import ROOT, wait_for
from tls import certificate

SOURCES = os.path.join(ROOT, "tests/services/rabbitmq")
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLS = [("publish orders:new", "send", None), ("publish packing", "send", None), ("get packing", "receive", None),
         ("ack", "settle", None), ("get packing", "receive", None), ("nack", "settle", None), ("publish orders:new", "send", None),
         ("publish orders:nobody's", "send", "312"), ("deliver orders:new", "receive", None), ("ack", "settle", None),
         ("publish no such exchange:new", "send", "404")]
FIRST = CALLS[0][0]  # what stands behind a large message is seen from then on


class RabbitmqTest(brokers.BrokerTest):
    system = "rabbitmq"

    @classmethod
    def setUpClass(cls):
        cls.broker = brokers.Rabbitmq()
        cls.addClassCleanup(cls.broker.stop)
        cls.port = cls.broker.port

    def by_pika(self):
        return (PYTHON, os.path.join(SOURCES, "client.py"), str(self.port)), {"PYTHONPATH": python_packages("pika", "pika==1.3.2")}

    def check_calls(self, found):
        self.assertEqual([(s.name, s["messaging.operation.type"], s["error.type"]) for s in found], CALLS)
        self.assertEqual([s["messaging.rabbitmq.destination.routing_key"] for s in found],
                         ["new", "packing", "new", None, "packing", None, "new", "nobody's", "new", None, "new"])
        self.assertEqual(found[0].trace_id, TRACE)
        self.assertEqual([link["traceId"] for link in found[2].links], [TRACE])

    def test_pika(self):
        argv, env = self.by_pika()
        agent = self.run_client(*argv, env=env, pause_after=FIRST)
        found = self.expect(agent, len(CALLS))
        self.check_calls(found)
        self.assertEqual([s.kind for s in found], ["producer" if kind == "send" else "client" for _, kind, _ in CALLS])
        self.assertEqual(agent.metric_sum("messaging_client_operation_duration_seconds_count", messaging_system="rabbitmq"), len(CALLS))
        # By the rows of messages sent and given; the settlements are neither.
        counts = [agent.metric_sum(f"messaging_client_{name}_messages_total", messaging_system="rabbitmq") for name in ("sent", "consumed")]
        self.assertEqual(counts, [sum(kind == "send" for _, kind, _ in CALLS), sum(kind == "receive" for _, kind, _ in CALLS)])

    def test_broker(self):
        argv, env = self.by_pika()
        self.check_calls(self.expect_of_broker(argv, env, len(CALLS), pause_after=FIRST))

    def test_attached(self):
        """A connection that was open before the agent is known when a channel asks for confirmations."""
        child = self.start_client(PYTHON, "-c", "import pika, sys\n"
                                  f"connection = pika.BlockingConnection(pika.ConnectionParameters('127.0.0.1', {self.port}))\n"
                                  "channel = connection.channel(); channel.queue_declare('attached'); print('open', flush=True)\n"
                                  "sys.stdin.readline(); channel.confirm_delivery()\n"
                                  "for i in range(3): channel.basic_publish('', 'attached', b'secret')\n"
                                  "print('done', flush=True); sys.stdin.read()", env=self.by_pika()[1])
        wait_for(lambda: "open" in child.output(), "the connection")
        agent = self.watch(child)
        self.let_go(child, agent)
        found = self.expect(agent, 3)
        self.assertEqual({(s.name, s["error.type"], s["waggle.unknown"]) for s in found}, {("publish attached", None, None)})

    def test_tls(self):
        """Erlang has its own, which is not read."""
        argv, env = self.by_pika()
        self.port = self.broker.tls_port
        client = self.start_client(*argv[:-1], str(self.port), certificate(), env=env)
        agent = self.watch(client, self.broker)
        wait_for(lambda: agent.metric_sum("waggle_tls_processes") == 1, "the client's library to be read")
        self.let_go(client, agent, pause_after=FIRST)
        found = self.expect(agent, len(CALLS))
        self.check_calls(found)
        self.assertEqual({(s.kind == "server", s["tls.protocol.version"]) for s in found}, {(False, "1.3")})
        encrypted = lambda: agent.metric_sum("waggle_turns_lost_total", cause="encrypted")
        undecoded = lambda: agent.metric_sum("waggle_undecoded_connections_total", process_pid=str(self.broker.pid))
        wait_for(lambda: undecoded() == 1 and encrypted() == 1, "the broker's end to be told")
        self.assertEqual(agent.metric_sum("waggle_turns_lost_total"), 1, agent.losses())
        self.assertEqual(agent.metric_sum("waggle_tls_unbound_total"), 0)

    def by_amqplib(self, *arguments):
        return ("node", os.path.join(SOURCES, "client.js"), *arguments), {"NODE_PATH": node_packages("amqplib", "amqplib@0.10.4")}

    def test_amqplib(self):
        argv, env = self.by_amqplib(str(self.port))
        self.check_parcels(self.run_client(*argv, env=env))

    def test_amqplib_over_tls(self):
        self.port = self.broker.tls_port
        argv, env = self.by_amqplib(str(self.port), certificate())
        agent = self.run_over_tls(*argv, env=env)
        self.check_parcels(agent)
        self.check_all_read(agent)

    def check_parcels(self, agent):
        """Two channels on one connection, their frames mixed: each message is told once as sent and once as delivered."""
        found = self.expect(agent, 40)
        names = [s.name for s in found]
        self.assertEqual((names.count("publish parcels"), names.count("deliver parcels")), (20, 20))
        self.assertEqual({s["error.type"] for s in found}, {None})


if __name__ == "__main__":
    unittest.main(verbosity=2)
