#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Mosquitto with paho and MQTT.js, at both ends, in versions 3.1.1 and 5: messages of all qualities, and refusals; no payload is ever
told."""
import os
import subprocess
import tempfile
import unittest

import brokers
from databases import PYTHON, node_packages, python_packages
from harness import ROOT
from tls import certificate, key

SOURCES = os.path.join(ROOT, "tests/services/mqtt")
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


class MqttTest(brokers.BrokerTest):
    system = "mqtt"

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="waggle-mqtt-")
        cls.addClassCleanup(folder.cleanup)
        passwords, rights = os.path.join(folder.name, "passwords"), os.path.join(folder.name, "rights")
        subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, "shop", "pw"], check=True, capture_output=True)
        with open(rights, "w") as file:
            file.write("user shop\ntopic readwrite orders/#\ntopic readwrite parcels/#\n")
        cls.settings = "allow_anonymous false", f"password_file {passwords}", f"acl_file {rights}"
        cls.broker, cls.port = brokers.mosquitto(*cls.settings)
        cls.addClassCleanup(cls.broker.stop)

    def by_paho(self, version, *ways):
        return ((PYTHON, os.path.join(SOURCES, "client.py"), str(self.port), str(version), *ways),
                {"PYTHONPATH": python_packages("paho", "paho-mqtt==2.1.0")})

    def check_calls(self, found, version):
        refusal = "not_authorized" if version == 5 else None
        topics = ("orders/0", "orders/1", "orders/2", "orders/large")
        wanted = [("connect", "", "not_authorized"), ("publish forbidden", "send", refusal or ""),
                  *(("publish " + topic, "send", "") for topic in topics), *(("deliver " + topic, "receive", "") for topic in topics)]
        self.assertEqual(sorted((s.name, s["messaging.operation.type"] or "", s["error.type"] or "") for s in found), sorted(wanted))
        self.assertEqual({s["messaging.client.id"] for s in found if s.name != "connect"}, {"shop"})
        for span in found:
            if version == 5 and span.name in ("publish orders/0", "publish orders/1", "publish orders/2"):
                self.assertEqual(span.trace_id, TRACE)
            if version == 5 and span.name in ("deliver orders/0", "deliver orders/1", "deliver orders/2"):
                self.assertEqual([link["traceId"] for link in span.links], [TRACE])

    def test_paho(self):
        for version in (4, 5):
            with self.subTest(version=version):
                argv, env = self.by_paho(version)
                agent = self.run_client(*argv, env=env)
                found = self.expect(agent, 10)
                self.check_calls(found, version)
                self.assertEqual({s.kind for s in found if s["messaging.operation.type"] == "send"}, {"producer"})
                self.assertEqual(agent.metric_sum("messaging_client_operation_duration_seconds_count", messaging_system="mqtt"), 10)
                agent.stop()

    def test_broker(self):
        argv, env = self.by_paho(5)
        self.check_calls(self.expect_of_broker(argv, env, 10), 5)

    def test_tls(self):
        broker, self.port = brokers.mosquitto(*self.settings, f"certfile {certificate()}", f"keyfile {key()}")
        self.addCleanup(broker.stop)
        for found in self.expect_of_both(broker, *self.by_paho(5, "tls"), 10):
            self.check_calls(found, 5)

    def test_node(self):
        """Thirty messages under way at once, answered in any order: each is told once at each end."""
        agent = self.run_client("node", os.path.join(SOURCES, "client.js"), str(self.port),
                                env={"NODE_PATH": node_packages("mqtt", "mqtt@5.10.1")})
        names = [s.name for s in self.expect(agent, 60)]
        for topic in range(3):
            self.assertEqual((names.count(f"publish parcels/{topic}"), names.count(f"deliver parcels/{topic}")), (10, 10))


if __name__ == "__main__":
    unittest.main(verbosity=2)
