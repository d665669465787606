#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What is not to be seen: plaintext of processes that are not selected, secrets in a record; and nothing is left behind."""
import http.client
import os
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

from harness import WAGGLE, Agent, Child, request, wait_for
from talk import service_folder
from test_explain import explain
from test_tls_attach import PYTHON, get, is_probed, workers
from tls import certificate, client_context, expect_nothing_of_others, nginx_tls


class Unselected(unittest.TestCase):
    def test_nothing_of_a_process_that_is_not_selected(self):
        """It has the library's same file mapped, and talks to one that is selected: of its own memory nothing is read."""
        server, port = nginx_tls()
        other, other_port = nginx_tls()
        folder = tempfile.mkdtemp(prefix="waggle-leak-")
        path = os.path.join(folder, "all.wgl")
        recorder = Agent(services=[{"open_ports": str(port)}], subcommand=("record", path, "--unmasked"))
        try:
            wait_for(lambda: all(is_probed(pid) for pid in workers(server)), "the selected one's probes")
            get(port, "/of-the-selected-one")
            get(other_port, "/of-the-other-one")
            for pid in (other.pid, *workers(other)):
                self.assertFalse(is_probed(pid))
            def has_seen():
                with open(path, "rb") as file:
                    return b"GET /of-the-selected-one" in file.read()
            wait_for(has_seen, "the selected one's request in the file")
            # The file is written without what is nobody's; that it did not come in is told by the agent's books.
            expect_nothing_of_others(recorder)
            recorder.stop(signal.SIGINT)
            with open(path, "rb") as file:
                content = file.read()
            self.assertNotIn(b"of-the-other-one", content)
        finally:
            recorder.stop()
            recorder.sink.stop()
            server.stop()
            other.stop()
            shutil.rmtree(folder)

    def test_no_span_of_a_process_that_is_not_selected(self):
        """Of one image, at both ends: what the others say to each other is nobody's business."""
        server, port = nginx_tls()
        other, other_port = nginx_tls()
        client = Child([PYTHON, service_folder("tls/blocking_client.py")], stdin=subprocess.PIPE)
        try:
            with Agent(services=[{"open_ports": str(port)}]) as agent:
                wait_for(lambda: all(is_probed(pid) for pid in workers(server)), "the selected one's probes")
                for number in range(3):
                    for to in (port, other_port):
                        client.process.stdin.write(f"{to} {certificate()} /page/{number}\n".encode())
                client.process.stdin.close()
                spans = agent.expect_spans(3)
                self.assertEqual({(s.kind, s["server.port"]) for s in spans}, {("server", port)})
                for pid in (other.pid, *workers(other)):
                    self.assertFalse(is_probed(pid))
                self.assertEqual(client.process.wait(20), 0)
                expect_nothing_of_others(agent)
            agent.expect_no_more()
        finally:
            client.stop()
            server.stop()
            other.stop()

    def test_nothing_is_left_behind(self):
        server, port = nginx_tls()
        try:
            for sig in (signal.SIGTERM, signal.SIGKILL):
                agent = Agent(services=[{"open_ports": str(port)}])
                wait_for(lambda: all(is_probed(pid) for pid in workers(server)), "probes")
                agent.stop(sig)
                agent.sink.stop()
                wait_for(lambda: not any(is_probed(pid) for pid in workers(server)), "the probes to be gone")
                self.assertEqual(get(port, "/after")[0], 200)
        finally:
            server.stop()

    def test_a_masked_record_has_no_secrets(self):
        server, port = nginx_tls()
        folder = tempfile.mkdtemp(prefix="waggle-mask-")
        path = os.path.join(folder, "masked.wgl")
        recorder = Child([WAGGLE, "record", path, "--open-port", str(port)], env={"ASAN_OPTIONS": "detect_leaks=0"})
        try:
            # Another agent on this host may have probed them before.
            wait_for(lambda: "reading TLS" in recorder.output() and all(is_probed(pid) for pid in workers(server)), "probes")
            get(port, "/kept?token=SecretInTheQuery")
            connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=client_context())
            request(port, method="POST", path="/kept", body=b"SecretInTheBody", headers={"Authorization": "SecretInAHeader"},
                    connection=connection)
            connection.close()
            def has_seen():
                with open(path, "rb") as file:
                    return b"POST /kept" in file.read()
            wait_for(has_seen, "the requests in the file")
            recorder.stop(signal.SIGINT, wait=20)
            with open(path, "rb") as file:
                self.assertNotIn(b"SecretIn", file.read())
            replayed = subprocess.run([WAGGLE, "replay", path], capture_output=True, text=True, timeout=60,
                                      env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})
            self.assertEqual(replayed.stdout.count("/kept"), 2, replayed)
        finally:
            recorder.stop()
            server.stop()
            shutil.rmtree(folder)

    def test_explain_names_the_library(self):
        server, port = nginx_tls()
        try:
            _, lines = explain(server.pid)
            self.assertTrue(any(re.fullmatch(r"TLS: read through /.*/libssl\.so\.3 \(openssl\)", line) for line in lines), lines)
            _, lines = explain(server.pid, config="ebpf: {tls: false}\n")
            self.assertIn("TLS: switched off (ebpf.tls)", lines)
        finally:
            server.stop()


if __name__ == "__main__":
    unittest.main()
