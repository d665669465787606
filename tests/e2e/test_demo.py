#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""make demo: traffic of the three services on the terminal, and nothing left behind."""
import os
import pty
import re
import select
import signal
import subprocess
import threading
import unittest

from harness import ROOT, WAGGLE, wait_for


class Terminal:
    """A program on a terminal of its own; text is what it wrote since the screen was last drawn from the top."""

    def __init__(self, argv, rows=30, columns=100):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(WAGGLE_BINARY=WAGGLE, ASAN_OPTIONS="detect_leaks=0")
            subprocess.run(["stty", "rows", str(rows), "cols", str(columns)], check=True)
            os.execv(argv[0], argv)
        self.raw = ""
        self.status = None
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        while self.status is None:
            if not select.select([self.fd], [], [], 0.2)[0]:
                continue
            try:
                piece = os.read(self.fd, 65536)
            except OSError:  # the other end is closed
                return
            if not piece:
                return
            self.raw += piece.decode(errors="replace")

    def screen(self):
        drawn = self.raw.split("\x1b[H")
        return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", drawn[-2] if len(drawn) > 2 else "")

    def end(self, key="\x03", deadline=30):
        os.write(self.fd, key.encode())

        def is_over():
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
            return pid
        try:
            wait_for(is_over, "the end", deadline)
        except AssertionError:
            os.kill(self.pid, signal.SIGKILL)
            raise
        return self.status


def left_behind():
    """Command lines of what the demo started."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                line = file.read().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if f"{ROOT}/tools/demo_services" in line or "waggle-demo-" in line:
            found.append(line)
    return found


class Demo(unittest.TestCase):
    def test_picture(self):
        terminal = Terminal([os.path.join(ROOT, "tools/demo")])
        ended = False
        try:
            rows = lambda: {tuple(line.split()[:3]) for line in terminal.screen().splitlines()}
            wanted = {("nginx", "http", "server"), ("nginx", "http", "client"), ("shop", "http", "server"),
                      ("shop", "http", "client"), ("prices", "http", "server")}
            wait_for(lambda: wanted <= rows(), "the rows of all services", 60)
            screen = terminal.screen()
            self.assertRegex(screen, r"waggle \d+\.\d+\.\d+ · \d+ processes · \d+ open · Prometheus :\d+")
            self.assertRegex(screen, r"(?m)^SERVICE +PROTOCOL SIDE +REQ/S +ERRORS +P50 +P99 +TOTAL\s*$")
            self.assertRegex(screen, r"(?m)^nginx +http +server +[\d.]+ +[\d.]+% +[\d.]+ [mµ]?s +[\d.]+ [mµ]?s +\d+\s*$")
            # The kernel's part is said before the picture.
            self.assertIn("sockets: by ", terminal.raw)
            self.assertEqual(terminal.end(), 0)
            ended = True
            wait_for(lambda: not left_behind(), f"everything to be gone: {left_behind()}")
        finally:
            if not ended:
                print(terminal.raw[-3000:])
                terminal.end()


if __name__ == "__main__":
    unittest.main(verbosity=2)
