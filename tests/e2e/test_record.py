#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""waggle record and waggle replay: the same spans again, without kernel and privileges; nothing secret in the file."""
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import unittest

from harness import WAGGLE, Child, free_port, request, raw_request, wait_for
from services import nginx
from talk import Server, service_folder

NOBODY = 65534
MAGIC = b"WAGGLE1\n"
PATHS = "location / { return 200 'hello'; } location /big { alias %s/big; } location /missing { return 404; } " \
        "location = /hello { proxy_pass http://127.0.0.1:%d; proxy_http_version 1.1; }"


def spans_of(text):
    """The printed spans, sorted; log lines between them are passed over."""
    spans, decoder = [], json.JSONDecoder()
    for line in text.splitlines(keepends=True):
        if line.startswith("[{") and line.endswith("\n"):  # not what is being written
            spans += decoder.decode(line)
    # Printed at another moment, so the wall clock may be adjusted by then: times differ a little.
    for span in spans:
        for time in ("start", "handlerStart", "end"):
            span[time] = int(span[time]) // 1_000_000_000
    return sorted(spans, key=lambda s: (s["traceID"], s["spanID"]))


class Recording(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="waggle-record-")
        os.chmod(cls.folder, 0o755)
        with open(os.path.join(cls.folder, "big"), "wb") as file:
            file.write(b"y" * 300_000)
        cls.back = Server("back", "orders", "python", ("/usr/bin/python3", "orders.py", "{port}"), service_folder("python"))
        cls.back.start()
        cls.back.wait()
        cls.front, cls.port = nginx(PATHS % (cls.folder, cls.back.port), workers=2, folder=cls.folder)
        cls.program = os.path.join(cls.folder, "waggle")  # where nobody may run it
        shutil.copy(WAGGLE, cls.program)
        os.chmod(cls.program, 0o755)
        cls.masked, cls.live = cls.record("masked.wgl", "--set", "ebpf.rings=2")
        cls.plain, cls.plain_live = cls.record("plain.wgl", "--unmasked")

    @classmethod
    def tearDownClass(cls):
        cls.front.stop()
        cls.back.child.stop()

    @classmethod
    def record(cls, name, *arguments):
        """Records some traffic; the path of the file and what the agent printed meanwhile."""
        path = os.path.join(cls.folder, name)
        health = free_port()
        child = Child([WAGGLE, "record", path, *arguments, "--open-port", f"{cls.port},{cls.back.port}", "--print", "json",
                       "--set", f"health_port={health}"], env={"ASAN_OPTIONS": "detect_leaks=0"})
        wait_for(lambda: child.process.poll() is not None or "watching" in child.output(), "the start")
        secret = {"Authorization": "Bearer sesame1234", "Cookie": "id=sesame1234", "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
        request(cls.port, path="/a/b?token=sesame1234&name=sesame1234", headers=secret)
        request(cls.port, "POST", "/form", body=b'{"password": "sesame1234"}')
        request(cls.port, path="/big")
        request(cls.port, path="/missing")
        request(cls.port, path="/hello")
        request(cls.port, "HEAD", "/head")
        raw_request(cls.port, b"POST /chunked HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
                              b"a\r\nsesame1234\r\n0\r\n\r\n")
        head = b"GET /slowly?sesame1234 HTTP/1.1\r\nHost: x\r\nX-Key: sesame1234\r\nConnection: close\r\n\r\n"
        with socket.create_connection(("127.0.0.1", cls.port), timeout=10) as s:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for i in range(0, len(head), 7):
                s.sendall(head[i:i + 7])
            while s.recv(65536):
                pass
        raw_request(cls.port, b"GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\nGET /3 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        wanted = 8 + 3 + 2  # two more of the proxied one
        wait_for(lambda: len(spans_of(child.output())) >= wanted, f"{wanted} spans in {child.output()}")
        child.process.send_signal(signal.SIGTERM)
        assert child.process.wait(20) == 0, child.output()
        return path, spans_of(child.output())

    def replay(self, path, *arguments, status=0):
        """As a user who may do nothing."""
        if os.path.isfile(path):
            os.chmod(path, 0o644)
        done = subprocess.run(["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--inh-caps=-all",
                               "--bounding-set=-all", self.program, "replay", path, *arguments],
                              capture_output=True, text=True, timeout=60, env={"ASAN_OPTIONS": "detect_leaks=0", "PATH": "/usr/bin"})
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout, done.stderr

    def test_the_same_spans(self):
        out, _ = self.replay(self.plain, "--print", "json")
        self.assertEqual(spans_of(out), self.plain_live)

    def test_the_same_spans_from_a_masked_file(self):
        out, _ = self.replay(self.masked, "--print", "json")
        self.assertEqual(spans_of(out), self.live)

    def test_services_have_their_names(self):
        out, _ = self.replay(self.masked)
        lines = [line for line in out.splitlines() if "svc=[" in line]
        self.assertEqual(len(lines), len(self.live))
        self.assertEqual({line.split("svc=[")[1].split("]")[0] for line in lines}, {"nginx generic", "orders python"})

    def test_no_secret_is_in_the_file(self):
        with open(self.masked, "rb") as file:
            data = file.read()
        self.assertFalse(b"sesame1234" in data)
        for kept in (b"GET /a/b?token=xxxxxxxxxx&name=xxxxxxxxxx HTTP/1.1", b"Authorization: xxxxxx xxxxxxxxxx"):
            self.assertTrue(kept in data, kept)
        self.assertFalse(b"yyyyyyyy" in data)
        with open(self.plain, "rb") as file:
            self.assertTrue(b"sesame1234" in file.read())

    def test_of_whom_nobody_selected_only_lengths_and_times_are_kept(self):
        """The kernel's side takes each new program, until it is judged."""
        path, config = os.path.join(self.folder, "others.wgl"), os.path.join(self.folder, "waggle.yaml")
        with open(config, "w") as file:
            file.write("discovery: {services: [{exe_path: /wget$}]}\ntrace_printer: json\n")
        child = Child([WAGGLE, "record", path, "--unmasked", "--config", config, "--set", f"health_port={free_port()}"],
                      env={"ASAN_OPTIONS": "detect_leaks=0"})
        wait_for(lambda: child.process.poll() is not None or "watching" in child.output(), "the start")
        for i in range(20):
            for program in (["curl", "-s"], ["wget", "-qO-"]):
                subprocess.run([*program, f"http://127.0.0.1:{self.port}/of-{program[0]}/{i}"], check=True, capture_output=True)
        wait_for(lambda: len(spans_of(child.output())) == 20, "wget's spans")
        child.process.send_signal(signal.SIGTERM)
        self.assertEqual(child.process.wait(20), 0, child.output())
        with open(path, "rb") as file:
            data = file.read()
        self.assertEqual(data.count(b"GET /of-wget/"), 20)
        self.assertNotIn(b"of-curl", data)

    def test_only_its_owner_may_read_the_file(self):
        path, _ = self.record("fresh.wgl")
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)

    def changed(self, name, change):
        with open(self.masked, "rb") as file:
            data = bytearray(file.read())
        path = os.path.join(self.folder, name)
        with open(path, "wb") as file:
            file.write(change(data))
        return path

    def test_unknown_records_are_skipped(self):
        strange = struct.pack("<HHIQ", 4711, 9, 16 + 5, 0) + b"hello"
        path = self.changed("strange.wgl", lambda d: MAGIC + strange + d[8:] + strange)
        out, _ = self.replay(path, "--print", "json")
        self.assertEqual(spans_of(out), self.live)

    def test_damaged_files(self):
        out, error = self.replay(self.changed("cut.wgl", lambda d: d[:-3]), "--print", "json", status=1)
        self.assertIn("cut.wgl", error)
        self.assertIn("ends inside the record at byte", error)
        self.assertTrue(spans_of(out))  # what came before is shown
        _, error = self.replay(self.changed("short.wgl", lambda d: d[:8] + struct.pack("<HHIQ", 2, 1, 3, 0) + d[8:]), status=1)
        self.assertIn("damaged at byte 8", error)
        _, error = self.replay(self.changed("other.wgl", lambda d: b"PK\x03\x04" + d), status=1)
        self.assertIn("not a record file", error)
        _, error = self.replay(self.changed("empty.wgl", lambda d: b""), status=1)
        self.assertIn("not a record file", error)
        _, error = self.replay(self.folder, status=1)
        self.assertIn("directory", error.lower())
        # Each ring has a tracker: a file is not to ask for as many as it likes.
        ring = struct.pack("<HHIQII", 103, 2, 24, 0, 1 << 31, 0)
        out, error = self.replay(self.changed("ring.wgl", lambda d: d[:8] + ring + d[8:]), "--print", "json")
        self.assertIn("1 events could not be read", error)
        self.assertTrue(spans_of(out))

    def test_a_full_disk_is_said(self):
        child = Child([WAGGLE, "record", "/dev/full", "--open-port", str(self.port), "--print", "json"],
                      env={"ASAN_OPTIONS": "detect_leaks=0"})
        wait_for(lambda: "watching" in child.output(), "the start")
        request(self.port, path="/full")
        wait_for(lambda: spans_of(child.output()), "the span: the agent goes on")
        child.process.send_signal(signal.SIGTERM)
        self.assertEqual(child.process.wait(20), 1)
        self.assertIn("/dev/full", child.output())
        self.assertIn("No space left", child.output())


if __name__ == "__main__":
    unittest.main(verbosity=2)
