#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The agent stays inside memory_limit, says what it does about it, and comes back when it can."""
import os
import signal
import subprocess
import sys
import threading
import time
import unittest

from harness import ROOT, Agent, Child, free_port, wait_for

CROWD = os.path.join(os.environ.get("WAGGLE_BUILD", os.path.join(ROOT, "build/dev")), "tests/crowd")
DURATION = "http_server_request_duration_seconds_count"


class Load:
    """A program that takes commands as lines and answers each with "done"."""

    def __init__(self, *argv):
        self.child = Child(list(argv), stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def begin(self, command):
        self.child.process.stdin.write(command.encode() + b"\n")
        self.child.process.stdin.flush()

    def end(self):
        assert self.child.process.stdout.readline() == b"done\n", self.child.output()

    def __call__(self, command):
        self.begin(command)
        self.end()


class Highest(threading.Thread):
    """The most memory that the agent says it has used, looked at as often as it says it."""

    def __init__(self, agent):
        super().__init__(daemon=True)
        self.agent, self.stopped, self.bytes, self.looks = agent, threading.Event(), 0, 0
        self.start()

    def run(self):
        while not self.stopped.wait(0.5):
            try:
                self.bytes = max(self.bytes, self.agent.metric_sum("waggle_memory_usage_bytes"))
                self.looks += 1
            except OSError:  # it has no time to answer, or has ended
                pass

    def stop(self):
        self.stopped.set()
        self.join()


class BudgetTest(unittest.TestCase):
    def agent(self, servers, config, **more):
        agent = Agent(services=[{"pids": [server.pid for server in servers]}], config=config, **more)
        self.addCleanup(agent.sink.stop)
        self.addCleanup(agent.stop)
        wait_for(lambda: agent.metric_sum("waggle_processes_watched") == len(servers), "the servers to be watched")
        self.highest = Highest(agent)
        self.addCleanup(self.highest.stop)
        return agent


class MemoryTest(BudgetTest):
    PAIRS = 4  # a process may have no more than so many descriptors

    def setUp(self):
        self.servers, self.loads = [], []
        for _ in range(self.PAIRS):
            port = free_port()
            self.servers.append(Child([CROWD, "serve", str(port)]).wait_port(port))
            self.addCleanup(self.servers[-1].stop)
            self.loads.append(Load(CROWD, "load", str(port)))
            self.addCleanup(self.loads[-1].child.stop)

    def load(self, command, count, *more):
        """The command's count in equal parts."""
        for load in self.loads:
            load.begin(" ".join(map(str, (command, count // self.PAIRS, *more))))
        for load in self.loads:
            load.end()

    def wait_accounted(self, agent, count):
        """Each is exported or, where the agent was too slow for its ring, missed, or waits for an answer that was."""
        def books():
            return [agent.metric_sum(name) for name in ("waggle_requests_exported_total", "waggle_requests_missed_total",
                                                        "waggle_exchanges_open")]
        try:
            wait_for(lambda: sum(books()) == count, f"{count} requests", 60)
        except AssertionError as error:
            raise AssertionError(f"{error}: {books()} {agent.child.output()[-2000:]}") from None

    def check_use(self, agent):
        """Now, and at every moment until now."""
        limit = agent.metric_sum("waggle_memory_limit_bytes")
        self.assertLess(agent.metric_sum("waggle_memory_usage_bytes"), limit)
        wait_for(lambda: self.highest.looks > 0, "memory to have been looked at")
        self.assertLess(self.highest.bytes, limit)

    def test_fifty_thousand_connections(self):
        """… are followed within the default limit, and 20,000 that come and go beside them."""
        agent = self.agent(self.servers, "ebpf: {ring_bytes: 33554432}\n", traces=False)
        self.load("open", 50000)
        self.wait_accounted(agent, 50000)
        try:
            wait_for(lambda: agent.metric_sum("waggle_connections_tracked") >= 50000, "50000 connections")
        except AssertionError as error:
            raise AssertionError(f"{error}: { {k: v for k, v in agent.metrics().items() if v and k[0].startswith('waggle_')} }") from None
        self.check_use(agent)
        self.load("churn", 20000)
        self.wait_accounted(agent, 70000)
        self.check_use(agent)
        for what in ("evicted", "refused"):
            self.assertEqual(agent.metric_sum(f"waggle_connections_{what}_total"), 0, agent.child.output())
        self.load("close", 0)
        wait_for(lambda: agent.metric_sum("waggle_connections_tracked") <= self.PAIRS, "the connections to be forgotten")

    def test_new_connections_as_fast_as_the_machine_makes_them(self):
        """A request each, under the default limit. Said is how many a second; 20,000 are aimed at."""
        agent = self.agent(self.servers, "", traces=False)
        rounds, each, seconds = 4, 40000, 0
        for number in range(1, rounds + 1):
            began = time.monotonic()
            self.load("churn", each)
            seconds += time.monotonic() - began
            self.check_use(agent)
            self.wait_accounted(agent, number * each)
            self.check_use(agent)
        print(f"{rounds * each / seconds:.0f} new connections a second ... ", end="", file=sys.stderr)
        # Those that ended are forgotten; later, where the end found no room in the ring.
        unheard = lambda: agent.metric_sum("waggle_events_lost_total", cause="ring_full_close")
        try:
            wait_for(lambda: agent.metric_sum("waggle_connections_tracked") <= self.PAIRS + unheard(), "the connections to be forgotten", 200)
        except AssertionError as error:
            raise AssertionError(f"{error}: { {k: v for k, v in agent.metrics().items() if v and k[0].startswith('waggle_')} }") from None

    def test_long_heads(self):
        """Heads that never end are followed as long as all of them together are few enough; who holds most goes first."""
        agent = self.agent(self.servers, "memory_limit: 64MiB\n", traces=False)
        self.load("open", 400)
        wait_for(lambda: agent.metric_sum(DURATION) == 400, "400 requests")
        self.load("heads", 64, 1 << 20)
        self.check_use(agent)
        self.load("heads", 4000, 16000)
        wait_for(lambda: agent.metric_sum("waggle_turns_lost_total", cause="memory_limit") > 0, "some to be dropped")
        self.check_use(agent)
        self.load("open", 400)
        wait_for(lambda: agent.metric_sum(DURATION) >= 800, "requests to be seen beside them")

    def watched_load(self):
        """A load with its children, watched."""
        port = free_port()
        server = Child([CROWD, "serve", str(port)]).wait_port(port)
        self.addCleanup(server.stop)
        load = Load(CROWD, "load", str(port))
        self.addCleanup(load.child.stop)
        agent = Agent(services=[{"cmd_args": f"load {port}$"}], traces=False)
        self.addCleanup(agent.sink.stop)
        self.addCleanup(agent.stop)
        wait_for(lambda: agent.metric_sum("waggle_processes_watched") == 1, "the load to be watched")
        self.highest = Highest(agent)
        self.addCleanup(self.highest.stop)
        return load, agent

    def test_processes_without_end(self):
        """Children by the ten thousand, each of which would be watched: memory stays, and those that are gone are forgotten."""
        load, agent = self.watched_load()
        load("forks 40000")
        wait_for(lambda: agent.metric_sum("waggle_processes_watched") == 1, "the children to be forgotten")
        self.check_use(agent)
        load("open 100")
        wait_for(lambda: agent.metric_sum("http_client_request_duration_seconds_count") == 100, "requests to be seen beside them")

    def test_processes_while_the_agent_is_busy(self):
        """A burst of processes is remembered until the agent comes to hear of it."""
        load, agent = self.watched_load()
        os.kill(agent.child.pid, signal.SIGSTOP)
        try:
            load("forks 1500")
        finally:
            os.kill(agent.child.pid, signal.SIGCONT)
        load("open 10")
        wait_for(lambda: agent.metric_sum("waggle_events_emitted_total") >= 20, "the kernel's counters to be read")
        self.assertEqual(agent.metric_sum("waggle_events_lost_total", cause="ring_full_process"), 0)

    def test_new_connections_when_memory_is_short(self):
        idle = self.agent(self.servers, "", traces=False)
        used = wait_for(lambda: idle.metric_sum("waggle_memory_usage_bytes"), "the first look at memory")
        idle.stop()
        # So that it is little used when nothing happens.
        agent = self.agent(self.servers, f"memory_limit: {int(used / 0.6)}\n", traces=False)
        self.load("open", 20000)
        sent = 20000
        wait_for(lambda: agent.metric_sum("waggle_memory_pressure") == 2, "memory to be short")

        def is_one_refused():
            nonlocal sent
            self.load("open", 40)
            sent += 40
            return agent.metric_sum("waggle_connections_refused_total") > 0
        wait_for(is_one_refused, "a connection to be refused")
        self.assertIn("new connections are not followed", agent.child.output())
        self.wait_accounted(agent, sent)
        self.assertGreater(agent.metric_sum("waggle_requests_missed_total", cause="memory_limit"), 0)
        # The peer closes at once: some answers are told after it.
        self.load("churn", 10000)
        sent += 10000
        self.wait_accounted(agent, sent)
        wait_for(lambda: agent.metric_sum("waggle_connections_evicted_total") > 0, "connections to be forgotten")
        self.load("close", 0)
        wait_for(lambda: agent.metric_sum("waggle_memory_pressure") == 0, "memory to be enough again", 60)
        self.check_use(agent)
        before = agent.metric_sum(DURATION)
        self.load("churn", 400)
        wait_for(lambda: agent.metric_sum(DURATION) == before + 400, "new connections to be followed")

    def test_names_without_end(self):
        """Each request has a path, a host, a method and a header of its own, and nobody takes what is told of them."""
        agent = self.agent(self.servers, "memory_limit: 64MiB\notel_metrics_export: {endpoint: 'http://127.0.0.1:9'}\n"
                           "otel_traces_export: {endpoint: 'http://127.0.0.1:9'}\n", traces=False)
        self.load("names", 100000)
        self.wait_accounted(agent, 100000)
        self.check_use(agent)
        series = [labels for name, labels in agent.metrics() if name == DURATION]
        self.assertLessEqual(len(series), 2001)
        self.assertGreater(agent.metric_sum("waggle_export_dropped_total", signal="spans", cause="queue_full"), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
