#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Proxies in front of a watched server: what each turn of the talk shows is a chain of three spans in one trace,
the last joined by the sequence identity of the call between the two."""
import unittest

from harness import Agent
from proxies import apache_proxy, haproxy, nginx_proxy
from talk import Server, ServerTest, expected_client, expected_server, service_folder, steady, talk

PYTHON = "/usr/bin/python3"


class Proxies(ServerTest):
    @classmethod
    def setUpClass(cls):
        cls.back = Server("back", "orders", "python", (PYTHON, "orders.py", "{port}"), service_folder("python"))
        cls.back.start()
        cls.proxies = [make(f"127.0.0.1:{cls.back.port}") for make in (nginx_proxy, apache_proxy, haproxy)]
        cls.SERVERS = [cls.back, *cls.proxies]
        for proxy in cls.proxies:
            proxy.start()
        for server in cls.SERVERS:
            server.wait()
        cls.agent = Agent(services=[{"open_ports": ",".join(str(s.port) for s in cls.SERVERS)}])

    def check_chain(self, proxy, **differs):
        seen = {span.span_id for span in self.agent.spans()}
        turns = talk(proxy.port)
        spans = self.agent.expect_spans(3 * len(turns), lambda s: s.span_id not in seen)
        fronts, calls, backs = ([s for s in spans if (s.kind, s.service) == what] for what in
                                (("server", proxy.service), ("client", proxy.service), ("server", "orders")))
        self.assertEqual([len(fronts), len(calls), len(backs)], [len(turns)] * 3)
        for at, (turn, front, call, back) in enumerate(zip(turns, fronts, calls, backs)):
            with self.subTest(turn=str(turn), at=at):
                self.check_span(proxy, turn, front)
                # The proxy passes on the host that it was asked for.
                self.assertEqual(steady(call), expected_client(turn, self.back.port, **{
                    "waggle.parent": "thread", "server.port": proxy.port, "url.full": f"http://127.0.0.1:{proxy.port}{turn.target}", **differs}))
                self.assertEqual((call.kind, call.name), ("client", turn.method))
                self.assertEqual(steady(back), expected_server(turn, self.back.port, **{"waggle.parent": "exact"}))
                self.assertEqual({front.trace_id, call.trace_id, back.trace_id}, {front.trace_id})
                self.assertEqual((call.parent, call.links), (front.span_id, []))
                self.assertEqual((back.parent, back.links), (call.span_id, []))
                self.assertEqual([s.is_error for s in (front, call, back)],
                                 [turn.status >= 500, turn.status >= 400, turn.status >= 500])
        self.check_identity(proxy, fronts)
        self.check_metrics(proxy, turns)
        self.check_end_of_stream(proxy, 3)

    def test_nginx(self):
        self.check_chain(self.proxies[0])

    def test_apache(self):
        self.check_chain(self.proxies[1])

    def test_haproxy(self):
        self.check_chain(self.proxies[2])


if __name__ == "__main__":
    unittest.main(verbosity=2)
