#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Clients of a watched server: their own spans, and the server's joined to them. They wait for their input, so that
the agent knows them before they speak."""
import subprocess
import unittest
from dataclasses import dataclass

from artefacts import go_program, java_class
from harness import Agent, Child, wait_for
from talk import TALK, Server, body_file, check_increments, expected_client, expected_server, service_folder, steady

PYTHON = "/usr/bin/python3"


def lines(port, turns):
    return "".join(f"{turn.method} http://127.0.0.1:{port}{turn.target} {len(turn.body or b'')}\n" for turn in turns)


def addresses(port, turns):
    return "".join(f"http://127.0.0.1:{port}{turn.target}\n" for turn in turns)


def curl_config(port, turns):
    """Each transfer's options are its own, all on one connection."""
    parts = []
    for turn in turns:
        part = f'url = "http://127.0.0.1:{port}{turn.target}"\noutput = "/dev/null"\nuser-agent = "talk/1"\nsilent\n'
        part += f'data-binary = "@{body_file(len(turn.body))}"\n' if turn.body else ""
        part += "head\n" if turn.method == "HEAD" else ""
        parts.append(part)
    return "next\n".join(parts)


@dataclass
class Client:
    service: str
    language: str
    argv: tuple
    says: object = lines
    turns: tuple = TALK


CLIENTS = {
    "curl": Client("curl", "generic", ("curl", "-K", "-"), curl_config),
    # It can do one method only.
    "wget": Client("wget", "generic", ("wget", "-q", "-U", "talk/1", "-O", "/dev/null", "-i", "-"), addresses,
                   tuple(t for t in TALK if t.method == "GET")),
    "requests": Client("messenger", "python", (PYTHON, service_folder("python/messenger.py"))),
    "fetch": Client("pigeon", "nodejs", ("node", service_folder("node/pigeon.mjs"))),
    "go": Client("inventory", "go", (go_program(),)),
    "java": Client("Courier", "java", ("java", "-Xmx64m", "-cp", java_class("Courier.java", "Courier"), "Courier")),
}


class Clients(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.server = Server("orders", "orders", "python", (PYTHON, "orders.py", "{port}"), service_folder("python"))
        cls.server.start()
        cls.children = {name: Child(list(client.argv), stdin=subprocess.PIPE) for name, client in CLIENTS.items()}
        cls.server.wait()
        watched = [cls.server.child.pid, *(child.pid for child in cls.children.values())]
        cls.agent = Agent(services=[{"pids": watched}])
        wait_for(lambda: cls.agent.metric_sum("waggle_processes_watched") == len(watched), "all to be watched")

    @classmethod
    def tearDownClass(cls):
        cls.agent.stop()
        cls.agent.sink.stop()
        for child in (*cls.children.values(), cls.server.child):
            child.stop()
        cls.agent.expect_no_more()

    def check_client(self, name):
        client, child, port = CLIENTS[name], self.children[name], self.server.port
        seen = {span.span_id for span in self.agent.spans()}
        child.process.stdin.write(client.says(port, client.turns).encode())
        child.process.stdin.close()
        wait_for(lambda: child.process.poll() is not None, f"{name} to end")
        spans = self.agent.expect_spans(2 * len(client.turns), lambda s: s.span_id not in seen)
        calls, answers = ([s for s in spans if s.kind == kind] for kind in ("client", "server"))
        self.assertEqual([len(calls), len(answers)], [len(client.turns)] * 2, child.output())
        for at, (turn, call, answer) in enumerate(zip(client.turns, calls, answers)):
            with self.subTest(turn=str(turn), at=at):
                self.assertEqual(steady(call), expected_client(turn, port))
                self.assertEqual((call.name, call.is_error, call.parent), (turn.method, turn.status >= 400, ""))
                self.assertEqual(steady(answer), expected_server(turn, port, **{"waggle.parent": "exact"}))
                self.assertEqual((answer.trace_id, answer.parent), (call.trace_id, call.span_id))
        # Nothing joins what a client does one after the other.
        self.assertEqual(len({s.trace_id for s in calls}), len(calls))
        self.assertEqual({(s.service, s.resource["telemetry.sdk.language"], s.resource["service.instance.id"].split(":")[1])
                          for s in calls}, {(client.service, client.language, str(child.pid))})
        check_increments(self, self.agent, "client", client.service, [
            (turn, {"http_request_method": turn.method, "http_response_status_code": str(turn.status), "server_port": str(port)})
            for turn in client.turns])


for each in CLIENTS:
    setattr(Clients, f"test_{each}", lambda self, name=each: self.check_client(name))


if __name__ == "__main__":
    unittest.main(verbosity=2)
