#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Long bodies between messages of one write: what stands behind them is seen, and they are not copied."""
import os
import subprocess
import unittest

from databases import PYTHON, SOURCES, DatabaseTest, Postgres
from harness import Child, wait_for

BURSTS = os.path.join(SOURCES, "bursts.py")


class FramedTest(DatabaseTest):
    def burst(self, protocol, port, server, first):
        """The agent on both ends, after both bursts."""
        child = Child([PYTHON, BURSTS, protocol, str(port)], stdin=subprocess.PIPE)
        self.addCleanup(child.stop)
        agent = self.watch(child, server)
        for is_last in (False, True):
            child.process.stdin.write(b"go\n")
            child.process.stdin.flush()
            if not is_last:  # the rule that its spans tell of holds by then
                agent.expect_spans(first, lambda s: s.kind == "client")
        wait_for(lambda: "done" in child.output() or child.process.poll(), "the bursts")
        self.assertIsNone(child.process.poll(), child.output())
        return agent

    def check_losses(self, agent):
        for cause in ("hole", "unmatched", "parse_invalid", "rule_cut", "unknown_protocol"):
            self.assertEqual(agent.metric_sum("waggle_turns_lost_total", cause=cause), 0, cause)

    def test_postgres(self):
        server = Postgres()
        self.addCleanup(server.stop)
        agent = self.burst("postgres", server.port, server.child, 6)
        texts = ["SELECT length($1) AS a", "SELECT b FROM pg_class, (SELECT ? AS b) AS t", "SELECT length($1) AS c", "SELECT missing",
                 "SELECT repeat(?, ?)", "SELECT relname FROM pg_class LIMIT ?"]
        for kind in ("client", "server"):
            found = agent.expect_spans(6, lambda s: s.kind == kind and s["db.query.text"] != "SELECT ?")
            # All begin with one call.
            self.assertEqual(sorted((s["db.query.text"], s["db.response.status_code"]) for s in found),
                             sorted((text, "42703" if "missing" in text else None) for text in texts), kind)
            self.assertEqual({s["waggle.incomplete"] for s in found}, {None})
        self.check_losses(agent)


if __name__ == "__main__":
    unittest.main(verbosity=2)
