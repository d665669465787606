#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Redis and its drivers: which spans, from which end; no key and no value is ever told."""
import os
import subprocess
import unittest

import databases
from databases import PYTHON, SOURCES, DatabaseTest, go_client, java_client, node_packages, python_packages
from harness import Child, free_port, request, subset, wait_for

# What drivers say of themselves when they connect differs with their versions.
GREETINGS = ("CLIENT", "HELLO", "INFO", "SELECT")


def row(span):
    return span.name, span["db.query.text"], span["error.type"]


class RedisTest(DatabaseTest):
    def setUp(self):
        self.child, self.port = databases.redis()
        self.addCleanup(self.child.stop)

    def expect(self, agent, rows, kind="client"):
        found = agent.expect_spans(len(rows), lambda s: s["db.system.name"] and s.name not in GREETINGS)
        self.assertEqual([row(s) for s in found], rows)
        for span in found:
            self.assertEqual(span.kind, kind)
            subset(span, db__system__name="redis", server__address="127.0.0.1", server__port=self.port,
                   db__operation__name=span.name, db__response__status_code=span["error.type"])
            self.assertIsNone(span["waggle.incomplete"], span)
            self.assertNotIn("basket", str(span.attributes))
            self.assertNotIn("secret", str(span.attributes))
        self.check_metrics(agent, found, "redis")
        return found


class Drivers(RedisTest):
    def check_redis_py(self, driver):
        # Of a client that asks several at once whole calls are copied from the next tick on.
        agent = self.run_client(PYTHON, os.path.join(SOURCES, "cacheclient.py"), driver, str(self.port), pause_after="EXEC",
                                env={"PYTHONPATH": python_packages("redis", "redis==5.2.1")})
        found = self.expect(agent, [
            ("SET", "SET ? ?", None), ("GET", "GET ?", None), ("LPUSH", "LPUSH ? ?", "WRONGTYPE"), ("MULTI", "MULTI", None),
            ("SET", "SET ? ?", None), ("INCRBY", "INCRBY ? ?", None), ("EXEC", "EXEC", None), ("SET", "SET ? ?", None),
            ("GET", "GET ?", None), ("RPUSH", "RPUSH ? ? ? ? ? ? ? ? ...", None), ("LRANGE", "LRANGE ? ? ?", None),
            ("PING", "PING", None)])
        self.assertEqual({s["db.namespace"] for s in found}, {"2"})

    def test_redis_py_resp2(self):
        self.check_redis_py("redis2")

    def test_redis_py_resp3(self):
        self.check_redis_py("redis3")

    def test_ioredis(self):
        agent = self.run_client("node", os.path.join(SOURCES, "ioredis.js"), str(self.port),
                                env={"NODE_PATH": node_packages("ioredis", "ioredis@5.4.1")})
        self.expect(agent, [("SET", "SET ? ?", None), *[("INCR", "INCR ?", None)] * 50, ("LPUSH", "LPUSH ? ?", "WRONGTYPE"),
                            ("SUBSCRIBE", "SUBSCRIBE ?", None), ("PUBLISH", "PUBLISH ? ?", None)])

    def test_go_redis(self):
        agent = self.run_client(go_client("goredis"), f"127.0.0.1:{self.port}")
        self.expect(agent, [("SET", "SET ? ?", None), ("GET", "GET ?", None), ("LPUSH", "LPUSH ? ?", "WRONGTYPE"),
                            *[("INCR", "INCR ?", None)] * 20])

    def test_jedis(self):
        agent = self.run_client(*java_client(), "jedis", str(self.port))
        self.expect(agent, [("SET", "SET ? ?", None), ("GET", "GET ?", None), ("LPUSH", "LPUSH ? ?", "WRONGTYPE"),
                            *[("INCR", "INCR ?", None)] * 20])


class Server(RedisTest):
    """Redis itself: server spans, and nobody's client."""

    def cli(self, *words, stdin=None, port=None):
        return subprocess.run(["redis-cli", "-p", str(port or self.port), *words], input=stdin, capture_output=True, text=True,
                              check=True).stdout

    def test_replicas(self):
        """One that was there before the agent, and one that logs in under its eyes: neither end tells what they say to each other."""
        self.cli("CONFIG", "SET", "requirepass", "secret")
        children, ports = [self.child], []
        for more in (("--replicaof", "127.0.0.1", str(self.port)), ()):
            child, port = databases.redis("--masterauth", "secret", *more)
            self.addCleanup(child.stop)
            children.append(child)
            ports.append(port)
        is_up = lambda port: "master_link_status:up" in self.cli("INFO", "replication", port=port)
        wait_for(lambda: is_up(ports[0]), "the first replica")
        agent = self.watch(*children)
        self.cli("REPLICAOF", "127.0.0.1", str(self.port), port=ports[1])
        wait_for(lambda: is_up(ports[1]), "the second replica")
        self.cli("-a", "secret", "SET", "basket", "secret")
        for port in ports:
            wait_for(lambda: self.cli("GET", "basket", port=port) == "secret\n", "what was replicated")  # noqa: B023
        agent.expect_spans(1, lambda s: s.name == "REPLICAOF")
        agent.expect_spans(1, lambda s: s.name == "SET")
        # A second later the links have told of themselves, and what might be held is told.
        self.assertEqual(self.cli("-a", "secret", "WAIT", "2", "10000"), "2\n")
        agent.expect_spans(1, lambda s: s.name == "WAIT")
        wait_for(lambda: agent.metric_sum("waggle_requests_in_flight", protocol="redis") == 0, "all to be told")
        self.assertEqual({s.kind for s in agent.spans()}, {"server"})
        self.assertLessEqual({s.name for s in agent.spans()}, {"REPLICAOF", "INFO", "GET", "AUTH", "SET", "WAIT"})
        self.assertEqual(agent.metric_sum("db_client_operation_duration_seconds_count"), 0)
        self.check_losses(agent)

    def test_redis_cli(self):
        agent = self.watch(self.child)
        self.cli(stdin="SET basket secret\nGET basket\nSELECT 3\nLPUSH l 1\nINCR l\nNOSUCH x\nMULTI\nGET basket\nEXEC\n")
        found = agent.expect_spans(9, lambda s: s["db.system.name"] and s.name != "COMMAND")
        self.assertEqual([(s.name, s["error.type"], s["db.namespace"]) for s in found], [
            ("SET", None, "0"), ("GET", None, "0"), ("SELECT", None, "3"), ("LPUSH", None, "3"), ("INCR", "WRONGTYPE", "3"),
            ("NOSUCH", "ERR", "3"), ("MULTI", None, "3"), ("GET", None, "3"), ("EXEC", None, "3")])
        self.assertEqual({s.kind for s in found}, {"server"})
        self.assertEqual(agent.metric_sum("db_client_operation_duration_seconds_count"), 0)

    def test_a_blocked_command_ends_when_it_is_answered(self):
        agent = self.watch(self.child)
        waiting = Child(["redis-cli", "-p", str(self.port), "BLPOP", "queue", "0"])
        self.addCleanup(waiting.stop)
        wait_for(lambda: "blocked_clients:1" in self.cli("INFO", "clients"), "a blocked client")
        self.cli("LPUSH", "queue", "x")
        span, = agent.expect_spans(1, lambda s: s.name == "BLPOP")
        push, = agent.expect_spans(1, lambda s: s.name == "LPUSH")
        self.assertGreater(span.end, push.start)
        self.assertIsNone(span["waggle.incomplete"])

    def test_benchmark(self):
        agent = self.watch(self.child)
        for pipeline in ("1", "16"):
            subprocess.run(["redis-benchmark", "-p", str(self.port), "-q", "-c", "4", "-n", "2000", "-P", pipeline, "-t", "set,get"],
                           check=True, capture_output=True)
        found = agent.expect_spans(8000, lambda s: s.name in ("SET", "GET"))
        self.assertEqual({(s["error.type"], s["waggle.incomplete"]) for s in found}, {(None, None)})
        self.assertEqual(sum(s.name == "SET" for s in found), 4000)


class Service(RedisTest):
    def test_a_call_is_the_child_of_what_was_served(self):
        port = free_port()
        child = Child([PYTHON, os.path.join(SOURCES, "shop.py"), str(port), "", str(self.port)],
                      env={"PYTHONPATH": python_packages("redis", "redis==5.2.1")}).wait_port(port)
        self.addCleanup(child.stop)
        agent = self.watch(child)
        for _ in range(3):
            request(port, path="/cache")
        served = agent.expect_spans(3, lambda s: s.kind == "server")
        calls = agent.expect_spans(3, lambda s: s.name == "GET" and s.kind == "client")
        for caller, call in zip(served, calls, strict=True):
            self.assertEqual((call.parent, call.trace_id), (caller.span_id, caller.trace_id))


if __name__ == "__main__":
    unittest.main(verbosity=2)
