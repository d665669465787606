#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""http.route and span names by configuration and by guessing; ignored paths; a crawler; and new selectors and routes by
SIGHUP."""
import http.client
import os
import signal
import unittest

from harness import Agent, request, wait_for
from services import nginx

WORDS = ("apple", "banana", "cherry", "dragon", "eagle", "forest", "garden", "harbor", "island", "jungle", "kitchen", "lemon", "market",
         "nature", "ocean", "planet", "river", "summer", "travel", "window")


class Routes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server, cls.port = nginx("location /gone { return 404; } location / { return 200 'hello'; }")

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def agent(self, routes="", port=None):
        config = f"discovery:\n  services: [{{open_ports: {port or self.port}}}]\n" + (f"routes:\n{routes}" if routes else "")
        return Agent(config=config)

    def routes(self, routes, *paths):
        """(name, http.route) of a request to each path."""
        with self.agent(routes) as agent:
            for path in paths:
                request(self.port, path=path)
            spans = agent.expect_spans(len(paths))
            self.assertEqual([s["url.path"] for s in spans], list(paths))
            return [(s.name, s["http.route"]) for s in spans]

    def named(self, *routes):
        return [("GET" if route is None else f"GET {route}", route) for route in routes]

    def test_patterns(self):
        found = self.routes("  patterns: [/users/:id, '/users/{id}/orders', /users/me, '/files/*']\n",
                            "/users/5", "/users/5/orders/", "/users/me", "/files/a/b", "/files", "/other/7")
        self.assertEqual(found, self.named("/users/:id", "/users/{id}/orders", "/users/me", "/files/*", "/files/*", "/other/*"))

    def test_unmatched(self):
        for mode, routes in (("unset", (None, "/known")), ("path", ("/users/5", "/known")), ("wildcard", ("/**", "/known")),
                             ("heuristic", ("/users/*", "/known"))):
            with self.subTest(mode):
                self.assertEqual(self.routes(f"  unmatched: {mode}\n  patterns: [/known]\n", "/users/5", "/known"), self.named(*routes))

    def test_guessed(self):
        self.assertEqual(self.routes("  wildcard_char: '#'\n", "/v1/products/22j", "/users/fdklsd/j4elk/23993/job/2", "/user-space/"),
                         self.named("/v1/products/#", "/users/#/j4elk/#/job/#", "/user-space/"))

    def test_ignored(self):
        for mode, in_traces, in_metrics in (("all", 0, 0), ("traces", 0, 1), ("metrics", 1, 0)):
            with self.subTest(mode), self.agent(f"  ignored_patterns: [/health, '/internal/*']\n  ignore_mode: {mode}\n") as agent:
                for path in ("/health", "/internal/a/b", "/seen"):
                    request(self.port, path=path)
                agent.expect_spans(1, lambda s: s["url.path"] == "/seen")
                self.assertEqual(len(agent.spans()), 1 + 2 * in_traces)
                self.assertEqual(agent.metric_sum("http_server_request_duration_seconds_count"), 1 + 2 * in_metrics)

    def test_crawler(self):
        """Thousands of paths, words and numbers: few routes, and every request in one of them."""
        total = 4000
        with self.agent() as agent:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
            for turn in range(total):
                words = [WORDS[turn // 20 ** place % 20] for place in range(3)]
                root = "/gone/" if turn % 2 else "/"
                request(self.port, path=root + "/".join(words) + (f"/{turn}" if turn % 5 == 0 else ""), connection=connection)
                if turn % 1000 == 999:
                    connection.close()
                    connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
            connection.close()
            name = "http_server_request_duration_seconds_count"
            wait_for(lambda: agent.metric_sum(name) == total, f"{total} requests counted")
            routes = {dict(labels)["http_route"] for (metric, labels), _ in agent.metrics().items() if metric == name}
            self.assertLessEqual(len(routes), 512)
            self.assertEqual(agent.metric_sum(name, otel_metric_overflow="true"), 0)

    def test_reload(self):
        """SIGHUP: other selectors and routes hold from then on, the agent goes on."""
        other, other_port = nginx()
        self.addCleanup(other.stop)
        with self.agent("  patterns: [/users/:id]\n") as agent:
            request(self.port, path="/users/5")
            self.assertEqual(agent.expect_spans(1)[0]["http.route"], "/users/:id")
            path = os.path.join(agent.folder, "waggle.yaml")
            with open(path) as file:
                text = file.read()
            with open(path, "w") as file:
                file.write(text.replace(f"open_ports: {self.port}", f"open_ports: {other_port}").replace("/users/:id", "/users/:name"))
            os.kill(agent.child.pid, signal.SIGHUP)

            def is_seen():
                request(other_port, path="/users/6")
                return agent.spans(lambda s: s["server.port"] == other_port)
            wait_for(is_seen, "a span of the other server")
            request(self.port, path="/users/7")
            request(other_port, path="/last")
            agent.expect_spans(1, lambda s: s["url.path"] == "/last")
            self.assertEqual({s["http.route"] for s in agent.spans(lambda s: s["url.path"] == "/users/6")}, {"/users/:name"})
            self.assertEqual(agent.spans(lambda s: s["url.path"] == "/users/7"), [])

    def test_broken_reload(self):
        """What does not load changes nothing."""
        with self.agent() as agent:
            with open(os.path.join(agent.folder, "waggle.yaml"), "a") as file:
                file.write("filter: {application: {no_such_attribute: {match: x}}}\n")
            os.kill(agent.child.pid, signal.SIGHUP)
            wait_for(lambda: "stays as it was" in agent.child.output(), "the refusal")
            request(self.port, path="/still")
            self.assertEqual(agent.expect_spans(1)[0]["http.route"], "/still")


if __name__ == "__main__":
    unittest.main(verbosity=2)
