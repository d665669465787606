#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""SMTP: aiosmtpd with smtplib and nodemailer, at both ends; one span is one transaction. No address and no content is ever told."""
import os
import subprocess
import unittest

import tls
from databases import PYTHON, DatabaseTest, node_packages, python_packages
from harness import ROOT, Child, free_port, subset, wait_for

SOURCES = os.path.join(ROOT, "tests/services/smtp")
ERRORS = [None, None, "550", "552"]


class SmtpTest(DatabaseTest):
    def setUp(self):
        self.port = free_port()
        self.server = Child([PYTHON, os.path.join(SOURCES, "server.py"), str(self.port), tls.certificate(), tls.key()],
                            env={"PYTHONPATH": python_packages("aiosmtpd", "aiosmtpd==1.4.6")}).wait_port(self.port)
        self.addCleanup(self.server.stop)

    def expect(self, agent, errors, kind):
        found = agent.expect_spans(len(errors), lambda s: s["messaging.system"])
        self.assertEqual([s["error.type"] for s in found], errors)
        for span in found:
            self.assertEqual((span.name, span.kind, span.is_error), ("send", kind, span["error.type"] is not None))
            subset(span, messaging__system="smtp", messaging__operation__type="send", server__address="127.0.0.1",
                   server__port=self.port, waggle__incomplete=None)
            self.assertNotIn("secret", str(span.attributes))
        self.check_losses(agent)

    def test_smtplib(self):
        agent = self.run_client(PYTHON, os.path.join(SOURCES, "client.py"), str(self.port), "plain")
        self.expect(agent, ERRORS, "producer")
        self.assertEqual(agent.metric_sum("messaging_client_operation_duration_seconds_count", messaging_system="smtp"), 4)

    def by_starttls(self):
        client = Child([PYTHON, os.path.join(SOURCES, "client.py"), str(self.port), "tls"], stdin=subprocess.PIPE)
        self.addCleanup(client.stop)
        client.process.stdin.write(b"go\n")
        client.process.stdin.flush()
        wait_for(lambda: "done" in client.output() or client.process.poll(), "the client")
        self.assertIsNone(client.process.poll(), client.output())

    def test_starttls(self):
        """What follows is read above TLS, as a conversation of its own."""
        agent = self.run_client(PYTHON, os.path.join(SOURCES, "client.py"), str(self.port), "tls")
        self.expect(agent, [*ERRORS, None], "producer")

    def test_starttls_at_the_server(self):
        """It moves what is encrypted itself: whose it is, the lengths of the records tell."""
        agent = self.watch(self.server)
        wait_for(lambda: agent.metric_sum("waggle_tls_processes") == 1, "its library to be read")
        self.by_starttls()
        self.expect(agent, [*ERRORS, None], "server")
        for cause in ("encrypted", "parse_invalid"):
            self.assertEqual(agent.metric_sum("waggle_turns_lost_total", cause=cause), 0)
        self.assertEqual(agent.metric_sum("waggle_tls_unbound_total"), 0)

    def test_starttls_unread(self):
        """Plaintext ends where STARTTLS is accepted; what follows is counted where nobody reads it."""
        agent = self.watch(self.server, env={"WAGGLE_BPF_TLS": "false"})
        self.by_starttls()
        wait_for(lambda: agent.metric_sum("waggle_turns_lost_total", cause="encrypted", protocol="smtp"), "the encrypted connection")
        self.expect(agent, ERRORS, "server")
        self.assertEqual(agent.metric_sum("messaging_client_operation_duration_seconds_count"), 0)

    def test_nodemailer(self):
        agent = self.run_client("node", os.path.join(SOURCES, "client.js"), str(self.port),
                                env={"NODE_PATH": node_packages("nodemailer", "nodemailer@6.9.16")})
        self.expect(agent, [None] * 10 + ["550"], "producer")


if __name__ == "__main__":
    unittest.main(verbosity=2)
