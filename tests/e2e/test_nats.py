#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""NATS with its clients for Python, Node and Go, at both ends: messages, requests and their answers, streams, complaints; no payload
is ever told."""
import os
import unittest

import brokers
from artefacts import OUT, make
from databases import PYTHON, node_packages, python_packages
from harness import ROOT
from tls import certificate, key

SOURCES = os.path.join(ROOT, "tests/services/nats")
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
STREAMS = "$JS.API."
CALLS = [("publish orders.new", "send", None), ("deliver orders.new", "receive", None), ("publish orders.paid", "send", None),
         ("deliver orders.paid", "receive", None), ("publish orders.large", "send", None), ("deliver orders.large", "receive", None),
         ("request price", "send", None), ("deliver price", "receive", None), ("reply", "send", None), ("request nobody", "send", "503"),
         ("request parcels.1", "send", None), ("deliver parcels.1", "receive", None), ("ack", "settle", None),
         ("publish forbidden", "send", None), ("error forbidden", None, "permissions_violation")]


def go_client():
    source = os.path.join(SOURCES, "gonats")
    return make(source, os.path.join(OUT, "gonats/gonats"), ["go", "-C", source, "build", "-o", os.path.join(OUT, "gonats/gonats"), "."],
                 env={"GONOSUMDB": "*", "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"})


class NatsTest(brokers.BrokerTest):
    system = "nats"

    def setUp(self):
        self.broker = brokers.Nats()
        self.addCleanup(self.broker.stop)
        self.port = self.broker.port

    def is_told(self, span):
        """All but what JetStream is asked of itself."""
        return super().is_told(span) and not (span["messaging.destination.name"] or "").startswith(STREAMS)

    def by_python(self, *ways):
        return (PYTHON, os.path.join(SOURCES, "client.py"), str(self.port), *ways), {"PYTHONPATH": python_packages("nats", "nats-py==2.9.0")}

    def check_calls(self, found):
        # Two of one connection and one instant have no order.
        self.assertEqual(sorted((s.name, s["messaging.operation.type"] or "", s["error.type"] or "") for s in found),
                         sorted((name, kind or "", error or "") for name, kind, error in CALLS))
        by_name = {s.name: s for s in found}
        self.assertEqual(by_name["publish orders.paid"].trace_id, TRACE)
        self.assertEqual([link["traceId"] for link in by_name["deliver orders.paid"].links], [TRACE])
        self.assertEqual(by_name["deliver orders.new"]["messaging.consumer.group.name"], "workers")
        self.assertIsNone(by_name["deliver price"]["messaging.consumer.group.name"])
        price, reply = by_name["request price"], by_name["reply"]
        self.assertTrue(price.start <= reply.start and reply.end <= price.end, (price.start, reply.start, reply.end, price.end))

    def test_python(self):
        argv, env = self.by_python()
        agent = self.run_client(*argv, env=env)
        found = self.expect(agent, len(CALLS))
        self.check_calls(found)
        self.assertEqual({s.kind for s in found if s["messaging.operation.type"] == "send"}, {"producer"})
        self.assertEqual({s.kind for s in found if s["messaging.operation.type"] != "send"}, {"client"})
        self.assertEqual(agent.metric_sum("messaging_client_operation_duration_seconds_count", messaging_system="nats",
                                          messaging_destination_name="orders.new"), 2)

    def test_broker(self):
        argv, env = self.by_python()
        self.check_calls(self.expect_of_broker(argv, env, len(CALLS)))

    def test_tls(self):
        """The server asks for it in the clear; both ends are read from there on."""
        broker = brokers.Nats(f'tls {{ cert_file: "{certificate()}", key_file: "{key()}" }}\n')
        self.addCleanup(broker.stop)
        self.port = broker.port
        for found in self.expect_of_both(broker, *self.by_python("tls"), len(CALLS)):
            self.check_calls(found)

    def test_node(self):
        """Twenty requests under way at once: each is answered once."""
        agent = self.run_client("node", os.path.join(SOURCES, "client.js"), str(self.port),
                                env={"NODE_PATH": node_packages("nats", "nats@2.28.2")})
        names = [s.name for s in self.expect(agent, 60)]
        self.assertEqual([names.count(name) for name in ("request price", "deliver price", "reply")], [20, 20, 20])

    def test_go(self):
        """A client that asks for +OK: a publish ends with it."""
        agent = self.run_client(go_client(), str(self.port))
        found = self.expect(agent, 13)
        names = [s.name for s in found]
        self.assertEqual([names.count(name) for name in ("publish orders.new", "request price", "deliver price", "reply")], [10, 1, 1, 1])


if __name__ == "__main__":
    unittest.main(verbosity=2)
