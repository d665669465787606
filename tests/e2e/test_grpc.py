#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""gRPC without TLS: servers and clients in Go, C++, Python (both on the C core), Node and Java."""
import os
import subprocess
import unittest
from collections import Counter

from artefacts import cpp_grpc, from_index, go_grpc, java_grpc
from databases import node_packages
from harness import Agent, Child, free_port, server_is, subset, wait_for

SERVICES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../services")

# What each call of the clients comes to: server's and client's code, and whether it is an error there.
CALLS = Counter({
    ("Echo", "OK", False, False): 3,
    ("Missing", "NOT_FOUND", False, True): 1,
    ("Broken", "INTERNAL", True, True): 1,
    ("Unknown", "UNIMPLEMENTED", True, True): 1,
    ("Slow", "DEADLINE_EXCEEDED", True, True): 1,
    ("Chat", "OK", False, False): 1,
    ("Chat", "CANCELLED", False, True): 1,
    ("Watch", "OK", False, False): 1,
    ("Collect", "OK", False, False): 1,
})
TOTAL = sum(CALLS.values())


def go(*arguments, env=None):
    return Child([go_grpc(), *arguments], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def python(*arguments, env=None):
    return Child(["/usr/bin/python3", os.path.join(SERVICES, "python/grpc_board.py"), *arguments],
                 env={"PYTHONPATH": from_index("grpcio==1.85.3"), **(env or {})}, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def node(*arguments, env=None):
    return Child(["node", os.path.join(SERVICES, "node/grpc_board.js"), *arguments],
                 env={"NODE_PATH": node_packages("grpc-js", "@grpc/grpc-js@1.12.4"), **(env or {})}, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def cpp(*arguments, env=None):
    return Child([cpp_grpc(), *arguments], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def java(*arguments):
    return Child(["java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", java_grpc(), "Board", *arguments], stdin=subprocess.PIPE,
                 stdout=subprocess.PIPE)


class Talk(unittest.TestCase):
    def talk(self, start_server, start_client, libraries=0, counted_by="waggle_tls_processes"):
        port = free_port()
        server = start_server("serve", str(port)).wait_port(port)
        client = start_client("call", str(port))
        try:
            self.assertEqual(client.process.stdout.readline(), b"ready\n", client.output())
            with Agent(services=[{"pids": [server.pid, client.pid]}]) as agent:
                wait_for(lambda: agent.metric_sum(counted_by) >= libraries, "the TLS libraries to be read")
                # The first call is a long one, before anybody has looked at the connection.
                for answer, spans in ((b"begun\n", 2), (b"done\n", 2 * TOTAL)):
                    self.go_on(client, answer)
                    agent.expect_spans(spans)
                self.check(agent, port)
        finally:
            self.end(server, client)

    def go_on(self, client, answer):
        client.process.stdin.write(b"go\n")
        client.process.stdin.flush()
        self.assertEqual(client.process.stdout.readline(), answer, client.output())

    @staticmethod
    def end(*children):
        for child in children:
            child.process.stdin.close()
            child.process.stdout.close()
            child.stop()

    def check(self, agent, port):
        theirs = agent.expect_spans(TOTAL, lambda s: server_is(s, port))
        mine = agent.expect_spans(TOTAL, lambda s: s.kind == "client")
        wanted = {True: Counter(), False: Counter()}
        for (method, code, fails_server, fails_client), count in CALLS.items():
            wanted[True][(f"depot.Board/{method}", code, fails_client)] += count
            wanted[False][(f"depot.Board/{method}", code, fails_server)] += count
        callers = {s.span_id: s for s in mine}
        for spans, is_client in ((mine, True), (theirs, False)):
            # A client gives up at its own deadline: to a server that got the call late it is not past yet, and the call cancelled.
            is_early = lambda s: not is_client and s.name == "depot.Board/Slow" and s["rpc.response.status_code"] == "CANCELLED" and not s.is_error
            # Node ends its side before it cancels: a server may have ended the call well by then.
            is_ended = lambda s: not is_client and s.name == "depot.Board/Chat" and s.parent in callers \
                and callers[s.parent]["rpc.response.status_code"] == "CANCELLED"
            found = Counter((s.name, "DEADLINE_EXCEEDED", True) if is_early(s) else (s.name, "CANCELLED", False) if is_ended(s)
                            else (s.name, s["rpc.response.status_code"], s.is_error) for s in spans)
            self.assertLessEqual({s["rpc.response.status_code"] for s in spans if is_ended(s)}, {"CANCELLED", "OK"}, spans)
            self.assertEqual((found - wanted[is_client], wanted[is_client] - found), (Counter(), Counter()), spans)
            for span in spans:
                subset(span, rpc__system__name="grpc", rpc__method=span.name, server__address="127.0.0.1", server__port=port,
                       network__protocol__version="2", waggle__unknown=None, waggle__incomplete=None,
                       error__type=span["rpc.response.status_code"] if span.is_error else None, http__request__method=None)
        for span in theirs:
            self.assertEqual(callers[span.parent].name, span.name)
        slow, = [s for s in theirs if s.name == "depot.Board/Slow"]
        self.assertGreater(slow.end - slow.start, 200_000_000)
        for side in ("server", "client"):
            name = f"rpc_{side}_call_duration_seconds_count"
            self.assertEqual(agent.metric_sum(name, rpc_system_name="grpc"), TOTAL)
            self.assertEqual(agent.metric_sum(name, rpc_method="depot.Board/Echo", rpc_response_status_code="OK"), 3)
            self.assertEqual(agent.metric_sum(name, rpc_method="depot.Board/Broken", error_type="INTERNAL"), 1)
        self.assertEqual(agent.metric_sum("http_server_request_duration_seconds_count"), 0)
        agent.check_books()


class Grpc(Talk):
    def attach(self, start_server, start_client):
        """The agent comes when the connection is there already and its tables are filled."""
        port = free_port()
        server = start_server("serve", str(port)).wait_port(port)
        client = start_client("call", str(port))
        say = lambda: (client.process.stdin.write(b"go\n"), client.process.stdin.flush(), client.process.stdout.readline())
        try:
            self.assertEqual(client.process.stdout.readline(), b"ready\n", client.output())
            self.assertEqual(say()[2], b"begun\n")
            with Agent(services=[{"pids": [server.pid, client.pid]}]) as agent:
                self.assertEqual(say()[2], b"done\n")
                spans = agent.expect_spans(2 * (TOTAL - 1), lambda s: s["server.port"] == port)
            codes = {}
            for method, code, *_ in CALLS:
                codes.setdefault(f"/depot.Board/{method}", set()).add(code)
            for span in spans:
                unknown = (span["waggle.unknown"] or "").split(",")
                if span["url.path"]:
                    self.assertIn(span["url.path"], codes)
                else:
                    self.assertTrue({"url.path", "rpc.method"} & set(unknown), span)
                if span["url.path"] and span["rpc.response.status_code"]:
                    self.assertIn(span["rpc.response.status_code"], codes[span["url.path"]])
            self.assertTrue([s for s in spans if s["waggle.unknown"] and s["waggle.incomplete"] == "agent_start"])
            self.assertTrue([s for s in spans if s["url.path"] == "/depot.Board/Missing"])
        finally:
            self.end(server, client)

    def test_attached_in_the_middle_go(self):
        self.attach(go, go)

    def test_attached_in_the_middle_python(self):
        self.attach(python, python)

    def test_go_with_go(self):
        self.talk(go, go)

    def test_go_with_node(self):
        self.talk(go, node)

    def test_go_with_python(self):
        self.talk(go, python)

    def test_python_with_go(self):
        self.talk(python, go)

    def test_node_with_java(self):
        self.talk(node, java)

    def test_python_with_python(self):
        self.talk(python, python)

    def test_cpp_with_go(self):
        self.talk(cpp, go)

    def test_java_with_cpp(self):
        self.talk(java, cpp)


if __name__ == "__main__":
    unittest.main(verbosity=2)
