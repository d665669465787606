#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Many at once through two hops: each call belongs to the request it was made for, or to none; never to another."""
import threading
import unittest

from artefacts import go_program
from harness import Agent, request
from proxies import apache_proxy, haproxy, nginx_proxy
from talk import Server, service_folder

PYTHON = "/usr/bin/python3"
CALLERS = 8
EACH = 5


def together(paths_of_caller, port, headers_of):
    """CALLERS threads, each with its own requests one after the other; the answers are checked."""
    wrong = []

    def call(caller):
        for path in paths_of_caller(caller):
            answer = request(port, path=path, headers=headers_of(path))
            if answer != (200, b"hello"):
                wrong.append((path, answer))

    threads = [threading.Thread(target=call, args=(caller,)) for caller in range(CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, wrong


def number_of(span):
    return span["url.query"].rpartition("n=")[2]


class Chains(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.back = Server("back", "orders", "python", (PYTHON, "orders.py", "{port}"), service_folder("python"))
        cls.back.start()
        upstream = f"127.0.0.1:{cls.back.port}"
        cls.fronts = {"nginx": nginx_proxy(upstream), "apache": apache_proxy(upstream), "haproxy": haproxy(upstream),
                      "python": Server("python", "front", "python", (PYTHON, "orders.py", "{port}"), service_folder("python"),
                                       {"OTEL_SERVICE_NAME": "front"}),
                      "node": Server("node", "basket", "nodejs", ("node", "basket.js", "{port}"), service_folder("node")),
                      "go": Server("go", "inventory", "go", (go_program(), "{port}"))}
        cls.servers = [cls.back, *cls.fronts.values()]
        for front in cls.fronts.values():
            front.start()
        for server in cls.servers:
            server.wait()
        cls.agent = Agent(services=[{"open_ports": ",".join(str(s.port) for s in cls.servers)}])

    @classmethod
    def tearDownClass(cls):
        cls.agent.stop()
        cls.agent.sink.stop()
        for server in cls.servers:
            server.child.stop()

    def chains(self, name, path="/hello?n=", headers_of=lambda path: {}):
        """{number: (front, call, back)} of CALLERS at once; a request's number is in its query."""
        front = self.fronts[name]
        seen = {span.span_id for span in self.agent.spans()}
        numbers = [[f"{name}-{caller}-{i}" for i in range(EACH)] for caller in range(CALLERS)]
        together(lambda caller: [path + number for number in numbers[caller]], front.port, headers_of)
        spans = self.agent.expect_spans(3 * CALLERS * EACH, lambda s: s.span_id not in seen)
        kinds = [("server", front.service), ("client", front.service), ("server", "orders")]
        by_kind = [{number_of(s): s for s in spans if (s.kind, s.service) == kind} for kind in kinds]
        wanted = sorted(number for some in numbers for number in some)
        for found in by_kind:
            self.assertEqual(sorted(found), wanted)
        return {number: tuple(found[number] for found in by_kind) for number in wanted}

    def relay(self):
        return f"/relay?to=http://127.0.0.1:{self.back.port}/hello%3Fn="

    def check_never_wrong(self, chains):
        """The last hop is exact; a call's parent is its own request, or none, and then its own is among the links."""
        for number, (front, call, back) in chains.items():
            with self.subTest(number):
                self.assertEqual((back.trace_id, back.parent, back["waggle.parent"]), (call.trace_id, call.span_id, "exact"))
                if call.parent:
                    self.assertEqual((call.trace_id, call.parent), (front.trace_id, front.span_id))
                    self.assertEqual(call.links, [])
                else:
                    self.assertIn(front.span_id, {link["spanId"] for link in call.links})

    def check_header(self, name):
        """With the caller's traceparent, which a proxy passes on, every chain is whole whatever else runs."""
        def trace_of(path):
            return path.rpartition("n=")[2].encode().hex().ljust(32, "1")[-32:]

        def header_of(path):
            return {"traceparent": f"00-{trace_of(path)}-b7ad6b7169203331-01"}

        for number, (front, call, back) in self.chains(name, headers_of=header_of).items():
            with self.subTest(number):
                self.assertEqual({s.trace_id for s in (front, call, back)}, {trace_of("n=" + number)})
                self.assertEqual([s.parent for s in (front, call, back)],
                                 ["b7ad6b7169203331", front.span_id, call.span_id])

    def test_nginx(self):
        self.check_never_wrong(self.chains("nginx"))

    def test_haproxy(self):
        self.check_never_wrong(self.chains("haproxy"))

    def test_apache_gives_each_request_a_thread(self):
        chains = self.chains("apache")
        self.check_never_wrong(chains)
        self.assertEqual([number for number, (_, call, _) in chains.items() if not call.parent], [])

    def test_python_gives_each_connection_a_thread(self):
        chains = self.chains("python", self.relay())
        self.check_never_wrong(chains)
        self.assertEqual([number for number, (_, call, _) in chains.items() if not call.parent], [])

    def test_node(self):
        self.check_never_wrong(self.chains("node", self.relay()))

    def test_goroutines_are_no_threads(self):
        for number, (_, call, back) in self.chains("go", self.relay()).items():
            with self.subTest(number):
                self.assertEqual((call.parent, call.links), ("", []))
                self.assertEqual((back.trace_id, back.parent), (call.trace_id, call.span_id))

    def test_header_through_nginx(self):
        self.check_header("nginx")

    def test_header_through_haproxy(self):
        self.check_header("haproxy")

    def test_header_through_apache(self):
        self.check_header("apache")


if __name__ == "__main__":
    unittest.main(verbosity=2)
