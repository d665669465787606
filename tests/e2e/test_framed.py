#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Long bodies between messages of one write: what stands behind them is seen, and they are not copied."""
import os
import shutil
import signal
import subprocess
import tempfile
import unittest

import brokers
from databases import BURSTS, PYTHON, DatabaseTest, Ferretdb, Mariadb, Postgres, say_go
from harness import WAGGLE, Child, free_port, wait_for


class FramedTest(DatabaseTest):
    def check_losses(self, agent):
        super().check_losses(agent)
        self.assertEqual(agent.metric_sum("waggle_turns_lost_total", cause="rule_cut"), 0, agent.losses())

    def check_postgres(self, *options):
        server = Postgres()
        self.addCleanup(server.stop)
        agent = self.burst("postgres", server.port, server.child, 6, *options)
        texts = ["SELECT length($1) AS a", "SELECT b FROM pg_class, (SELECT ? AS b) AS t", "SELECT length($1) AS c", "SELECT missing",
                 "SELECT repeat(?, ?)", "SELECT relname FROM pg_class LIMIT ?"]
        for kind in ("client", "server"):
            found = agent.expect_spans(6, lambda s: s.kind == kind and s["db.query.text"] != "SELECT ?")
            # All begin with one call.
            self.assertEqual(sorted((s["db.query.text"], s["db.response.status_code"]) for s in found),
                             sorted((text, "42703" if "missing" in text else None) for text in texts), kind)
            self.assertEqual({s["waggle.incomplete"] for s in found}, {None})
        self.check_losses(agent)

    def test_postgres(self):
        self.check_postgres()

    def test_postgres_in_pieces(self):
        self.check_postgres("400")

    def check_mysql(self, *options):
        server = Mariadb()
        self.addCleanup(server.stop)
        server.run("CREATE TABLE many (name TEXT)")
        agent = self.burst("mysql", server.port, server.child, 6, *options)
        texts = ["SELECT length(?", "SELECT ? AS b", "SELECT length(?", "SELECT repeat(?, ?)", "SELECT ? AS d"] + ["SELECT name FROM many"] * 300
        for kind in ("client", "server"):
            found = agent.expect_spans(305, lambda s: s.kind == kind and s["db.query.text"] != "SELECT ?")
            self.assertEqual(sorted((s["db.query.text"], s["error.type"], s["waggle.incomplete"]) for s in found),
                             sorted((text, None, None) for text in texts), f"{kind}, {agent.losses()}")
        self.check_losses(agent)

    def test_mysql(self):
        self.check_mysql()

    def test_mysql_in_pieces(self):
        self.check_mysql("400")

    def check_mongodb(self, *options):
        server = Ferretdb()
        self.addCleanup(server.stop)
        agent = self.burst("mongodb", server.port, server.child, 12, *options)
        for kind in ("client", "server"):
            found = agent.expect_spans(305, lambda s: s.kind == kind and s["db.collection.name"] != "first")
            names = [f"insert n{n}" for n in range(1, 6)] + ["insert many"] * 300
            self.assertEqual(sorted((s.name, s["error.type"], s["waggle.incomplete"]) for s in found),
                             sorted((name, None, None) for name in names), f"{kind}, {agent.losses()}")
        self.check_losses(agent)

    def test_mongodb(self):
        self.check_mongodb()

    def test_mongodb_in_pieces(self):
        self.check_mongodb("400")

    def check_amqp(self, *options):
        server = brokers.Rabbitmq()
        self.addCleanup(server.stop)
        agent = self.burst("amqp", server.port, server, 2, *options, kind="producer")
        for kind in ("producer", "server"):
            found = agent.expect_spans(307, lambda s: s.kind == kind and s.name not in ("publish n1", "publish n2"))
            names = ["publish many"] * 300 + [f"publish n{n}" for n in range(3, 10)]
            self.assertEqual(sorted((s.name, s["error.type"], s["waggle.unknown"], s["waggle.incomplete"]) for s in found),
                             [(name, None, None, None) for name in names], f"{kind}, {agent.losses()}")
        self.check_losses(agent)

    def test_amqp(self):
        self.check_amqp()

    def test_amqp_in_pieces(self):
        self.check_amqp("400")

    def nghttpd(self):
        folder = tempfile.mkdtemp(prefix="waggle-framed-")
        self.addCleanup(shutil.rmtree, folder)
        with open(os.path.join(folder, "small"), "wb") as file:
            file.write(b"hello")
        port = free_port()
        # Room for all that is sent before anything is read.
        server = Child(["nghttpd", "--no-tls", "-d", folder, "-a", "127.0.0.1", "-W", "30", "-w", "30", str(port)]).wait_port(port)
        self.addCleanup(server.stop)
        return server, port

    def check_http2(self, *options):
        server, port = self.nghttpd()
        agent = self.burst("http2", port, server, 2, *options)
        bodies = {3: 0, 4: 1 << 20, 5: 0, 6: (1 << 20) + 1000, 7: 0, 8: 10, 9: 0}
        for kind in ("client", "server"):
            found = agent.expect_spans(len(bodies), lambda s: s.kind == kind and int(s["url.query"][2:]) > 2)
            self.assertEqual(sorted((s["url.query"], s["http.request.body.size"], s["http.response.status_code"], s["http.response.body.size"],
                                     s["waggle.unknown"], s["waggle.incomplete"]) for s in found),
                             [(f"n={n}", size, 200, 5, None, None) for n, size in bodies.items()],
                             f"{kind}, {agent.losses()}")
        self.check_losses(agent)

    def test_http2(self):
        self.check_http2()

    def test_http2_in_pieces(self):
        self.check_http2("700")

    def test_bodies_are_not_copied(self):
        """Of what an agent has recorded little is of the two bodies of a MiB: half a KiB of each frame of 16."""
        _, port = self.nghttpd()
        folder = tempfile.mkdtemp(prefix="waggle-framed-")
        self.addCleanup(shutil.rmtree, folder)
        path = os.path.join(folder, "recorded.wgl")
        recorder = Child([WAGGLE, "record", path, "--unmasked", "--open-port", str(port), "--print", "json", "--set",
                          f"health_port={free_port()}"], env={"ASAN_OPTIONS": "detect_leaks=0"})
        self.addCleanup(recorder.stop)
        wait_for(lambda: "watching" in recorder.output(), "the recorder")
        client = Child([PYTHON, BURSTS, "http2", str(port)], stdin=subprocess.PIPE)
        self.addCleanup(client.stop)
        for count in (2, 9):
            say_go(client)
            wait_for(lambda: recorder.output().count('"spanID"') >= count, "the burst to be told")  # noqa: B023
        self.assertEqual(recorder.stop(signal.SIGTERM, wait=20), 0, recorder.output())
        with open(path, "rb") as file:
            recorded = file.read()
        self.assertIn(b"/small?n=9", recorded)
        self.assertNotIn(b"x" * 513, recorded)
        self.assertLess(recorded.count(b"x"), 2 * 65 * (512 + 128))


if __name__ == "__main__":
    unittest.main(verbosity=2)
