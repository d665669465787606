#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Memcached: drivers of its three protocols, and by hand what they do not say; no key and no value is ever told."""
import os
import socket
import struct
import unittest

import databases
from databases import PYTHON, SOURCES, DatabaseTest, python_packages
from harness import raw_request, subset, wait_for
from tls import certificate, client_context, key


def row(span):
    return span.name, span["error.type"]


class MemcachedTest(DatabaseTest):
    def setUp(self):
        self.child, self.port = databases.memcached()
        self.addCleanup(self.child.stop)

    def expect(self, agent, rows, kind):
        found = agent.expect_spans(len(rows), lambda s: s["db.system.name"])
        self.assertEqual([row(s) for s in found], rows)
        for span in found:
            self.assertEqual(span.kind, kind)
            subset(span, db__system__name="memcached", server__address="127.0.0.1", server__port=self.port,
                   db__operation__name=span.name, db__query__text=None)
            self.assertIsNone(span["waggle.incomplete"], span)
            self.assertNotIn("basket", str(span.attributes))
        self.check_losses(agent)
        return found

    def check_driver(self, driver, package, rows):
        agent = self.run_client(PYTHON, os.path.join(SOURCES, "cacheclient.py"), driver, str(self.port),
                                env={"PYTHONPATH": python_packages(driver, package)})
        self.check_metrics(agent, self.expect(agent, rows, "client"), "memcached")

    def test_pymemcache(self):
        self.check_driver("pymemcache", "pymemcache==4.0.0", [
            ("set", None), ("get", None), ("set", None), ("set", None), ("get", None), ("delete", None), ("set", None), ("get", None),
            ("incr", None)])

    def test_python_binary_memcached(self):
        self.check_driver("bmemcached", "python-binary-memcached==0.31.4", [
            ("set", None), ("get", None), ("set", None), ("set", None), ("noop", None), ("get", None), ("get", None), ("get", None),
            ("delete", None), ("set", None), ("get", None), ("incr", "6")])

    def test_meta_memcache(self):
        self.check_driver("meta", "meta-memcache==4.3.0", [
            ("ms", None), ("mg", None), ("mg", None), ("mg", None), ("ma", None), ("md", None), ("ms", None), ("mg", None)])

    def test_text_and_meta(self):
        agent = self.watch(self.child)
        raw_request(self.port, b"set basket 0 0 6\r\nsecret\r\nincr basket 1\r\nms basket 2\r\nhi\r\nmg basket v\r\nmg none v q\r\nmn\r\n"
                               b"get basket\r\nquit\r\n")
        found = self.expect(agent, [("set", None), ("incr", "CLIENT_ERROR"), ("ms", None), ("mg", None), ("mg", None), ("mn", None),
                                    ("get", None), ("quit", None)], "server")
        self.assertEqual(agent.metric_sum("db_client_operation_duration_seconds_count"), 0)
        self.assertTrue(found[1].is_error)

    def test_tls(self):
        child, self.port = databases.memcached("-Z", "-o", f"ssl_chain_cert={certificate()},ssl_key={key()}")
        self.addCleanup(child.stop)
        agent = self.watch(child)
        wait_for(lambda: agent.metric_sum("waggle_tls_processes") == 1, "its library to be read")
        with client_context().wrap_socket(socket.create_connection(("127.0.0.1", self.port)), server_hostname="localhost") as s:
            for call, answer in ((b"set basket 0 0 6\r\nsecret\r\n", b"STORED\r\n"), (b"get none\r\n", b"END\r\n"),
                                 (b"incr basket 1\r\n", b"CLIENT_ERROR")):
                s.sendall(call)
                self.assertTrue(s.recv(4096).startswith(answer))
        for span in self.expect(agent, [("set", None), ("get", None), ("incr", "CLIENT_ERROR")], "server"):
            self.assertEqual(span["tls.protocol.version"], "1.3")
        self.assertEqual(agent.metric_sum("waggle_turns_lost_total"), 0, agent.losses())

    def test_binary(self):
        agent = self.watch(self.child)

        def message(opcode, key=b"", extras=b"", value=b"", opaque=0):
            body = extras + key + value
            return struct.pack(">BBHBBHIIQ", 0x80, opcode, len(key), len(extras), 0, 0, len(body), opaque, 0) + body
        with socket.create_connection(("127.0.0.1", self.port)) as s:
            s.sendall(message(1, b"basket", b"\0" * 8, b"secret", 1))
            self.assertEqual(len(s.recv(4096)), 24)
            # Two quiet gets, one of which hits, an increment of what is no number, and the end of them.
            s.sendall(message(9, b"none", opaque=2) + message(9, b"basket", opaque=3) +
                      message(5, b"basket", struct.pack(">QQI", 1, 0, 0), opaque=4) + message(0x0a, opaque=5))
            received = b""
            while not received.endswith(struct.pack(">IQ", 5, 0)):
                received += s.recv(4096)
        self.expect(agent, [("set", None), ("get", None), ("get", None), ("incr", "6"), ("noop", None)], "server")


if __name__ == "__main__":
    unittest.main(verbosity=2)
