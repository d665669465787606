#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A server that has no thread free: the time that requests wait to be read is told where it is asked for, and the
gauge of open requests."""
import os
import sys
import tempfile
import threading
import time
import unittest

from harness import Agent, Child, free_port, request, server_is, wait_for

SERVER = r"""
import http.server, os, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/slow":
            open(sys.argv[2] + "/begun", "w").close()
            while not os.path.exists(sys.argv[2] + "/go"): time.sleep(0.01)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *_): pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
WAIT = 0.3


class QueueTime(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="waggle-queue-")
        self.port = free_port()
        self.server = Child([sys.executable, "-c", SERVER, str(self.port), self.folder]).wait_port(self.port)
        self.addCleanup(self.server.stop)

    def talk(self, agent):
        """/slow holds the only thread while /fast waits for WAIT seconds; their server spans."""
        slow = threading.Thread(target=request, args=(self.port, "GET", "/slow"))
        slow.start()
        wait_for(lambda: os.path.exists(self.folder + "/begun"), "the slow request to begin")
        fast = threading.Thread(target=request, args=(self.port, "GET", "/fast"))
        fast.start()
        begun = time.monotonic()
        wait_for(lambda: agent.metric_sum("http_server_active_requests", http_request_method="GET") == 1, "one open request")
        wait_for(lambda: time.monotonic() > begun + WAIT, "some time to pass")
        open(self.folder + "/go", "w").close()
        slow.join()
        fast.join()
        spans = agent.expect_spans(2, lambda s: server_is(s, self.port))
        wait_for(lambda: agent.metric_sum("http_server_active_requests") == 0, "no open request")
        return {span["url.path"]: span for span in spans}

    def test_the_wait_is_told(self):
        with Agent(services=[{"open_ports": str(self.port)}], config="ebpf: {queue_time: true}\n") as agent:
            spans = self.talk(agent)
            fast = spans["/fast"]
            self.assertGreater(fast["waggle.queue_time"], WAIT / 2)
            # The span begins when the request is read.
            self.assertLess((fast.end - fast.start) / 1e9, fast["waggle.queue_time"])
            self.assertLess(spans["/slow"]["waggle.queue_time"] or 0, WAIT / 2)
            name = "waggle_http_server_queue_duration_seconds"
            self.assertGreater(agent.metric_sum(name + "_sum"), WAIT / 2)
            self.assertGreaterEqual(agent.metric_sum(name + "_count"), 1)

    def test_not_unless_asked_for(self):
        with Agent(services=[{"open_ports": str(self.port)}]) as agent:
            for span in self.talk(agent).values():
                self.assertIsNone(span["waggle.queue_time"])
            self.assertEqual(agent.metric_sum("waggle_http_server_queue_duration_seconds_count"), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
