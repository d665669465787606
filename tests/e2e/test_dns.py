#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""DNS over TCP: Unbound with dnspython and dig, at both ends; no answer is ever told, but how it went."""
import os
import shutil
import subprocess
import tempfile
import unittest

from databases import PYTHON, SOURCES, DatabaseTest, python_packages, unbound
from harness import Child, free_port, subset

QUESTIONS = [("DNS A", "shop.example", "NOERROR"), ("DNS A", "nothing.example", "NXDOMAIN"), ("DNS MX", "mail.shop.example", "NOERROR"),
             ("DNS A", "refused.example.org", "REFUSED"), ("DNS TXT", "long.example", "NOERROR")]


class DnsTest(DatabaseTest):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.mkdtemp(prefix="waggle-dns-")
        cls.addClassCleanup(shutil.rmtree, folder, ignore_errors=True)
        cls.port = free_port()
        # The last one is an answer of more than what is copied.
        records = ["shop.example. 60 IN A 192.0.2.7", "mail.shop.example. 60 IN MX 10 mx.shop.example.",
                   *(f'long.example. 60 IN TXT "{n} {"x" * 200}"' for n in range(60))]
        cls.server = Child(unbound(folder, [f"127.0.0.1@{cls.port}"], records)).wait_port(cls.port)
        cls.addClassCleanup(cls.server.stop)

    def expect(self, agent, questions, kind):
        found = agent.expect_spans(len(questions), lambda s: s["dns.question.name"])
        self.assertEqual(sorted((s.name, s["dns.question.name"], s["waggle.dns.response_code"]) for s in found), sorted(questions))
        for span in found:
            self.assertEqual(span.kind, kind)
            subset(span, server__address="127.0.0.1", server__port=self.port, network__transport="tcp", waggle__incomplete=None)
        self.check_losses(agent)
        return {s["dns.question.name"]: s["error.type"] for s in found}

    def test_dnspython(self):
        agent = self.run_client(PYTHON, os.path.join(SOURCES, "dnsclient.py"), str(self.port),
                                env={"PYTHONPATH": python_packages("dnspython", "dnspython==2.7.0")})
        errors = self.expect(agent, QUESTIONS, "client")
        self.assertEqual(errors, {"shop.example": None, "nothing.example": "NXDOMAIN", "mail.shop.example": None,
                                  "refused.example.org": "REFUSED", "long.example": None})
        self.assertEqual(agent.metric_sum("dns_lookup_duration_seconds_count", error_type="NXDOMAIN", dns_question_name="nothing.example"), 1)
        self.assertEqual(agent.metric_sum("dns_lookup_duration_seconds_count"), 5)

    def test_dig(self):
        agent = self.watch(self.server)
        done = subprocess.run(["dig", "+tcp", "+keepopen", "+tries=1", "@127.0.0.1", "-p", str(self.port), "shop.example", "A",
                               "nothing.example", "A", "shop.example", "AAAA"], capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        errors = self.expect(agent, [("DNS A", "shop.example", "NOERROR"), ("DNS A", "nothing.example", "NXDOMAIN"),
                                     ("DNS AAAA", "shop.example", "NOERROR")], "server")
        # That a name is not there is no failure of the server.
        self.assertEqual(set(errors.values()), {None})
        self.assertEqual(agent.metric_sum("dns_lookup_duration_seconds_count"), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
