# SPDX-License-Identifier: Apache-2.0
"""Requests of which each has a number, and the number tells the answer's status and size: Go's server and client in
tests/services/go. So of each span it is known whether its answer is its own request's."""
import collections
import json
import select
import subprocess
import unittest

from artefacts import go_program
from bpf_objects import held
from harness import Agent, Child, free_port, wait_for

CONNECTIONS = 16
STATUS = (200, 201, 404, 500, 503)  # of request n: STATUS[n % 5]
DURATION = "http_server_request_duration_seconds_count"
EVENTS, STALE_TURNS, OFF_TURNS = 0, 6, 9  # kernel_counters
ROOMY = "memory_limit: 1GiB\nebpf: {ring_bytes: 134217728}\n"  # nothing is lost but by what a test does


def size_of(number):
    return number * 7 % 1999


def kernel_counters(pid):
    """What reads the kernel side's counters, also when the agent tells of nothing: a list in the order of bpf/abi/rules.h."""
    def shown(*command):
        return json.loads(subprocess.run(["bpftool", "--json", "map", *command], capture_output=True, text=True, check=True).stdout)
    number, = (str(i) for i in held("map", pid) if shown("show", "id", str(i))["name"] == "counters")
    return lambda: [sum(on["value"] for on in entry["formatted"]["values"]) for entry in shown("dump", "id", number)]


class Numbered(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.port = free_port()
        cls.server = Child([go_program(), str(cls.port)]).wait_port(cls.port)
        cls.addClassCleanup(cls.server.stop)

    def setUp(self):
        self.client = Child([go_program(), "load"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(self.client.stop)

    def agent(self, config="", servers=(), traces=True, sampled=1.0, sink=None, env=None):
        """`sampled`: the part of the traces that goes to the test's sink, which takes longer for a span than the agent."""
        servers = servers or [self.server]
        agent = Agent(services=[{"pids": [server.pid for server in servers]}], traces=traces, config=config,
                      env={"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": str(sampled), **(env or {})}, sink=sink)
        self.addCleanup(agent.sink.stop)
        self.addCleanup(agent.stop)
        wait_for(lambda: agent.metric_sum("waggle_processes_watched") == len(servers), "the servers to be watched")
        return agent

    def say(self, line):
        self.client.process.stdin.write(line.encode() + b"\n")
        self.client.process.stdin.flush()

    def begin(self, requests=0, kept="", name="x", ports=()):
        """No number of requests: as many as go until end()."""
        urls = ",".join(f"http://127.0.0.1:{port}/numbered/{name}" for port in ports or [self.port])
        self.endless = not requests
        self.say(f"{urls} {CONNECTIONS} {requests} {kept}")

    def is_under_way(self):
        return not select.select([self.client.process.stdout], [], [], 0)[0]

    def end(self):
        """Returns how many there were, of those that do not end by themselves."""
        if self.endless:
            self.say("end")
        words = self.client.process.stdout.readline().split()
        self.assertEqual(words[:1], [b"done"], self.client.output())
        return int(words[1]) if self.endless else None

    def spans(self, agent):
        """{(load's name, number): span}, once all have come: each once, and with its own request's status and size, or none
        where it says that it does not know."""
        total = agent.metric_sum

        def have_come():
            with agent.sink.lock:
                came = len(agent.sink.spans)
            return total("waggle_export_queued", signal="spans") == 0 and total("waggle_export_sent_total", signal="spans") == came
        if agent.child.process.poll() is None:
            wait_for(have_come, "the spans to come", 60)
        found, wrong = {}, []
        for span in agent.spans():
            name, number = span["url.path"].removeprefix("/numbered/").split("/")
            key = name, int(number)
            self.assertNotIn(key, found)
            found[key] = span
            is_right = (span["http.response.status_code"] == STATUS[key[1] % len(STATUS)],
                        span["http.response.body.size"] == size_of(key[1]))
            if span["waggle.incomplete"] is not None:
                is_right = (is_right[0] or span["http.response.status_code"] is None,
                            is_right[1] or span["http.response.body.size"] is None)
            if not all(is_right):
                wrong.append(span)
        self.assertFalse(wrong, f"{len(wrong)} of {len(found)}: {wrong[:5]}")
        return found

    def missed(self, agent):
        """{cause: turns}, without those that have none."""
        by_cause = collections.Counter()
        for (name, labels), value in agent.metrics().items():
            if name == "waggle_requests_missed_total" and value:
                by_cause[dict(labels)["cause"]] += int(value)
        return by_cause
