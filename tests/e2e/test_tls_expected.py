#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Programs whose processes are over in some milliseconds: what one has loaded is expected of the next, which has its probes
before it loads it."""
import subprocess
import unittest

from bpf_objects import held
from harness import Agent, Child, wait_for
from test_tls_attach import workers
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
"""


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

    def one_that_loads_it(self):
        child = self.client()
        self.say(child, "load")
        wait_for(lambda: self.read() == self.servers + 2, "the first client to be read")
        self.end(child)
        wait_for(lambda: self.links() == self.before, "its probes to be gone")

    def test_the_next_one_is_read_from_its_first_byte(self):
        self.one_that_loads_it()
        child = self.client()
        wait_for(lambda: self.links() > self.before, "probes where nothing is loaded yet")
        self.assertEqual(self.read(), self.servers + 1)  # it is not read yet
        self.say(child, "load", "call")
        self.end(child)
        spans = self.agent.expect_spans(2)
        caller, called = sorted(spans, key=lambda s: s.kind)
        self.assertEqual([(s.kind, s["url.scheme"], s["http.response.status_code"]) for s in (caller, called)],
                         [("client", "https", 200), ("server", "https", 200)])
        self.assertEqual((called.trace_id, called.parent), (caller.trace_id, caller.span_id))
        self.assertEqual(self.agent.metric_sum("waggle_turns_lost_total"), 0)

    def test_one_that_does_not_load_it(self):
        self.one_that_loads_it()
        child = self.client()
        wait_for(lambda: self.links() > self.before, "probes where nothing is loaded yet")
        wait_for(lambda: self.links() == self.before, "them to be gone")
        # It is read as any other when it loads it after all.
        self.say(child, "load")
        wait_for(lambda: self.read() == self.servers + 2 or self.say(child, "call"), "it to be read")
        self.end(child)


if __name__ == "__main__":
    unittest.main(verbosity=2)
