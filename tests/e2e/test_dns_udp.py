#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""DNS over UDP: Unbound in a network of its own, asked by glibc, Go, Node, dig and dnspython, all of them watched."""
import os
import shutil
import subprocess
import tempfile
import unittest

from databases import PYTHON, SOURCES, go_client, python_packages, unbound
from harness import Agent, subset, wait_for
from namespaces import enter, inner, sandboxed

NAME = "www.depot.example"


class DnsUdpTest(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="waggle-dns-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        # The last one is an answer that no datagram holds.
        records = [f"{NAME}. 60 IN A 192.0.2.7", f"{NAME}. 60 IN AAAA 2001:db8::7",
                   *(f'long.depot.example. 60 IN TXT "{n} {"x" * 200}"' for n in range(30))]
        resolver = os.path.join(cls.folder, "resolv.conf")
        for name, content in (("resolv.conf", "nameserver 127.0.0.1\n"), ("nsswitch.conf", "hosts: files dns\n")):
            with open(os.path.join(cls.folder, name), "w") as file:
                file.write(content)
        cls.server = sandboxed(unbound(cls.folder, ["127.0.0.1", "::1"], records), net=True,
                               mounts=f"mount --bind {resolver} /etc/resolv.conf; mount --bind {cls.folder}/nsswitch.conf /etc/nsswitch.conf;")
        cls.addClassCleanup(cls.server.stop)
        cls.pid = inner(cls.server)
        wait_for(cls.is_ready, "Unbound")
        cls.agent = Agent(services=[{"pids": [cls.pid]}, {"cmd_args": r"(depot\.example|depot\.org)"}])
        cls.addClassCleanup(cls.agent.sink.stop)
        cls.addClassCleanup(cls.agent.stop)
        wait_for(lambda: cls.agent.metric_sum("waggle_processes_watched") >= 1, "Unbound to be watched")

    @classmethod
    def is_ready(cls):
        if cls.server.process.poll() is not None:
            raise AssertionError(cls.server.output())
        command = ["nsenter", "-t", str(cls.pid), "-n", "dig", "+tcp", "+tries=1", "+time=1", "@127.0.0.1", "localhost", "A"]
        return subprocess.run(command, capture_output=True, timeout=30).returncode == 0

    def run_there(self, *argv, **more):
        return enter(self.pid, list(argv), **more)

    def dig(self, *argv):
        return self.run_there("dig", "+tries=1", *argv)

    def spans(self, count, service, **wanted):
        found = self.agent.expect_spans(count, lambda s: s.service == service and all(s[k.replace("__", ".")] == v for k, v in wanted.items()))
        return sorted((s.name, s["dns.question.name"], s["waggle.dns.response_code"], s["error.type"], s["server.address"],
                       s["network.transport"]) for s in found)

    def check_server(self, count, **wanted):
        """The server's end of the same: one span each, of a client that its answer names."""
        for span in self.agent.expect_spans(count, lambda s: s.kind == "server" and all(s[k.replace("__", ".")] == v for k, v in wanted.items())):
            subset(span, server__port=53, waggle__incomplete=None)
            self.assertIn(span["client.address"], ("127.0.0.1", "::1"))

    def check_losses(self):
        for cause in ("hole", "unmatched", "parse_invalid", "unknown_protocol"):
            self.assertEqual(self.agent.metric_sum("waggle_turns_lost_total", cause=cause), 0, cause)
        self.agent.check_books()

    def test_dig(self):
        self.dig("@127.0.0.1", "one.depot.example", "MX")
        self.dig("@::1", NAME, "TXT")
        self.dig("@127.0.0.1", "refused.depot.org", "A")
        found = self.spans(1, "dig", dns__question__name="one.depot.example")
        self.assertEqual(found, [("DNS MX", "one.depot.example", "NXDOMAIN", "NXDOMAIN", "127.0.0.1", "udp")])
        self.assertEqual(self.spans(1, "dig", dns__question__name=NAME), [("DNS TXT", NAME, "NOERROR", None, "::1", "udp")])
        self.assertEqual(self.spans(1, "dig", dns__question__name="refused.depot.org"),
                         [("DNS A", "refused.depot.org", "REFUSED", "REFUSED", "127.0.0.1", "udp")])
        for name in ("one.depot.example", "refused.depot.org"):
            self.check_server(1, dns__question__name=name)
        self.assertEqual(self.agent.metric_sum("dns_lookup_duration_seconds_count", dns_question_name="one.depot.example",
                                               error_type="NXDOMAIN"), 1)
        self.check_losses()

    def test_what_does_not_fit_goes_by_tcp(self):
        self.dig("@127.0.0.1", "long.depot.example", "TXT")
        found = self.agent.expect_spans(2, lambda s: s.kind == "client" and s["dns.question.name"] == "long.depot.example")
        self.assertEqual([(s["network.transport"], s["waggle.dns.truncated"]) for s in found], [("udp", True), ("tcp", None)])

    def test_nobody_there(self):
        command = ["nsenter", "-t", str(self.pid), "-n", "-m", "-p", "dig", "+tries=1", "+time=2", "@127.0.0.2", "gone.depot.example", "A"]
        self.assertNotEqual(subprocess.run(command, capture_output=True, timeout=30).returncode, 0)
        self.assertEqual(self.spans(1, "dig", dns__question__name="gone.depot.example"),
                         [("DNS A", "gone.depot.example", None, "connection_refused", "127.0.0.2", "udp")])

    def test_glibc_and_a_socket_without_a_peer(self):
        """glibc sends both questions in one call."""
        self.run_there(PYTHON, os.path.join(SOURCES, "dnsudp.py"), NAME,
                       env={**os.environ, "PYTHONPATH": python_packages("dnspython", "dnspython==2.7.0")})
        self.assertEqual(self.spans(3, "dnsudp"), [(f"DNS {kind}", NAME, "NOERROR", None, "127.0.0.1", "udp") for kind in ("A", "AAAA", "MX")])

    def test_go(self):
        self.run_there(go_client("dnslookup"), NAME)
        self.assertEqual(self.spans(2, "dnslookup"), [(f"DNS {kind}", NAME, "NOERROR", None, "127.0.0.1", "udp") for kind in ("A", "AAAA")])

    def test_node(self):
        self.run_there("node", "-e", "require('dns').resolve4('node.depot.example.', e => process.exit(e.code == 'ENOTFOUND' ? 0 : 1))")
        span, = self.agent.expect_spans(1, lambda s: s.kind == "client" and s["dns.question.name"] == "node.depot.example")
        subset(span, waggle__dns__response_code="NXDOMAIN", server__address="127.0.0.1", server__port=53, network__transport="udp",
               waggle__incomplete=None)
        self.check_server(1, dns__question__name="node.depot.example")


if __name__ == "__main__":
    unittest.main(verbosity=2)
