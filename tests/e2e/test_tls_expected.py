#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Programs whose processes are over in some milliseconds: what one has loaded is expected of the next, which has its probes
before it loads it."""
import os
import subprocess
import unittest

from bpf_objects import held
from harness import Agent, Child, wait_for
from test_tls_attach import discovery_turns, workers
from tls import certificate, nginx_tls

# Each line that it reads lets it go on by one step.
CLIENT = """
import sys
port, certificate = sys.argv[1:]
for line in sys.stdin:
    if line == "load\\n":
        import http.client, ssl
        context = ssl.create_default_context(cafile=certificate)
    if line == "call\\n":
        caller = http.client.HTTPSConnection("127.0.0.1", int(port), context=context)
        caller.request("GET", "/expected")
        assert caller.getresponse().read() == b"hello"
    if line == "execute\\n":
        import os
        os.execv("/usr/bin/sleep", ["sleep", "60"])
"""
MISSES = 4  # TlsExpected::kMaxMisses


class Expected(unittest.TestCase):
    def setUp(self):
        server, self.port = nginx_tls("location / { return 200 'hello'; }")
        self.addCleanup(server.stop)
        self.agent = Agent(services=[{"open_ports": str(self.port)}, {"cmd_args": f"{self.port} {certificate()}"}])
        self.addCleanup(self.agent.sink.stop)
        self.addCleanup(self.agent.stop)
        self.servers = len(workers(server))
        wait_for(lambda: self.read() == self.servers + 1, "nginx to be read")
        self.before = self.links()

    def read(self):
        return self.agent.metric_sum("waggle_tls_processes")

    def links(self):
        return len(held("link", self.agent.child.pid))

    def client(self):
        child = Child(["/usr/bin/python3", "-c", CLIENT, str(self.port), certificate()], stdin=subprocess.PIPE)
        self.addCleanup(child.stop)
        return child

    def say(self, child, *lines):
        child.process.stdin.write("".join(line + "\n" for line in lines).encode())
        child.process.stdin.flush()

    def end(self, child):
        child.process.stdin.close()
        self.assertEqual(child.process.wait(30), 0, child.output())

    def wait_for_probes(self):
        wait_for(lambda: self.links() > self.before, "probes where nothing is loaded yet")

    def wait_for_none(self):
        wait_for(lambda: self.links() == self.before, "its probes to be gone")

    def one_that_loads_it(self):
        child = self.client()
        self.say(child, "load")
        wait_for(lambda: self.read() == self.servers + 2, "the first client to be read")
        self.end(child)
        self.wait_for_none()

    def test_the_next_one_has_its_probes_before_it_loads_anything(self):
        self.one_that_loads_it()
        child = self.client()
        self.wait_for_probes()
        self.assertEqual(self.read(), self.servers + 1)  # it is not read yet
        self.say(child, "load")
        wait_for(lambda: self.read() == self.servers + 2, "it to be read")
        self.say(child, "call")
        self.end(child)
        spans = self.agent.expect_spans(2)
        caller, called = sorted(spans, key=lambda s: s.kind)
        self.assertEqual([(s.kind, s["url.scheme"], s["http.response.status_code"]) for s in (caller, called)],
                         [("client", "https", 200), ("server", "https", 200)])
        self.assertEqual((called.trace_id, called.parent), (caller.trace_id, caller.span_id))
        self.assertEqual(self.agent.metric_sum("waggle_turns_lost_total"), 0)
        self.agent.stop()
        self.agent.expect_no_more()

    def test_one_that_loads_it_late(self):
        """After two seconds its probes go; it is read as any other when it loads it after all."""
        self.one_that_loads_it()
        child = self.client()
        self.wait_for_probes()
        self.wait_for_none()
        self.say(child, "load")
        wait_for(lambda: self.read() == self.servers + 2 or self.say(child, "call"), "it to be read")
        self.end(child)

    def test_those_that_never_load_it(self):
        """After some of them in a row nothing is expected of the next."""
        self.one_that_loads_it()
        for _ in range(MISSES):
            child = self.client()
            self.wait_for_probes()
            self.end(child)
            self.wait_for_none()
        child = self.client()
        wait_for(lambda: self.agent.metric_sum("waggle_processes_watched") == self.servers + 2, "the next one to be watched")
        turns = discovery_turns(self.agent)
        wait_for(lambda: discovery_turns(self.agent) > turns + 2, "it to be looked at")
        self.assertEqual(self.links(), self.before)
        self.end(child)

    def test_another_program_says_nothing_of_the_first(self):
        """However often a wrapper executes something else at once."""
        self.one_that_loads_it()
        for _ in range(MISSES + 1):
            child = self.client()
            self.wait_for_probes()
            self.say(child, "execute")
            wait_for(lambda: os.readlink(f"/proc/{child.pid}/exe").endswith("/sleep"), "it to be another program")
            self.wait_for_none()
            child.stop()


if __name__ == "__main__":
    unittest.main(verbosity=2)
