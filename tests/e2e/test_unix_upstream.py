#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""nginx in front of gunicorn with Flask on a UNIX stream socket: both ends of it are seen."""
import os
import tempfile
import unittest

from harness import Agent, Child, wait_for
from proxies import nginx_proxy
from talk import ServerTest, expected_client, expected_server, service_folder, steady, talk

PYTHON = "/usr/bin/python3"


class UnixUpstream(ServerTest):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="waggle-unix-")
        cls.path = os.path.join(cls.folder, "shop.sock")
        cls.back = Child([PYTHON, "-m", "gunicorn", "-w", "2", "-b", "unix:" + cls.path, "flask_shop:app"],
                         cwd=service_folder("python"), env={"PYTHONDONTWRITEBYTECODE": "1"})
        cls.front = nginx_proxy("unix:" + cls.path)
        cls.front.start()
        cls.front.wait()
        wait_for(lambda: cls.back.output().count("Booting worker") == 2, "gunicorn's workers")
        cls.agent = Agent(services=[{"open_ports": str(cls.front.port)}, {"cmd_args": cls.path}])
        # Each a parent and its workers.
        wait_for(lambda: cls.agent.metric_sum("waggle_processes_watched") == 5, "all to be watched")

    @classmethod
    def tearDownClass(cls):
        cls.agent.stop()
        cls.agent.sink.stop()
        cls.front.child.stop()
        cls.back.stop()
        cls.agent.expect_no_more()

    def over_unix(self, expected):
        """The attributes of an exchange on the UNIX socket, given those that it would have on TCP."""
        gone = ("server.port", "client.address", "network.peer.address", "network.peer.port")
        return {**{k: v for k, v in expected.items() if k not in gone},
                "network.transport": "unix", "server.address": self.path}

    def test_both_ends(self):
        turns = talk(self.front.port)
        spans = self.agent.expect_spans(3 * len(turns))
        fronts, calls, backs = ([s for s in spans if (s.kind, s.service) == what] for what in
                                (("server", "nginx"), ("client", "nginx"), ("server", "flask_shop")))
        self.assertEqual([len(fronts), len(calls), len(backs)], [len(turns)] * 3)
        for at, (turn, front, call, back) in enumerate(zip(turns, fronts, calls, backs)):
            with self.subTest(turn=str(turn), at=at):
                self.check_span(self.front, turn, front)
                self.assertEqual(steady(call), self.over_unix(expected_client(turn, self.front.port, **{"waggle.parent": "thread"})))
                self.assertEqual((call.trace_id, call.parent), (front.trace_id, front.span_id))
                self.assertEqual(steady(back, peer=False), self.over_unix(expected_server(turn, self.front.port)))
                self.assertTrue(front.start <= call.start <= back.start < back.end <= call.end <= front.end)
        self.check_identity(self.front, fronts)
        self.check_metrics(self.front, turns)


if __name__ == "__main__":
    unittest.main(verbosity=2)
