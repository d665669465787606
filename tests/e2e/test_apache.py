#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Apache with files: sendfile, ranges, what has not changed, its own pages; processes that share a listener."""
import os
import tempfile
import unittest

from harness import Agent, Child, free_port, request, subset
from proxies import MODULES
from talk import BIG


class Apache(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.mkdtemp(prefix="waggle-apache-")
        os.chmod(folder, 0o755)
        os.mkdir(os.path.join(folder, "sub"))
        for name, size in (("big", BIG), ("small", 5)):
            with open(os.path.join(folder, name), "wb") as file:
                file.write(b"x" * size)
            os.utime(file.name, (0, 10**9))
        cls.port = free_port()
        modules = "".join(f"LoadModule {m}_module {MODULES}/mod_{m}.so\n" for m in ("mpm_prefork", "authz_core", "dir"))
        config = os.path.join(folder, "apache.conf")
        with open(config, "w") as file:
            file.write(f"""{modules}
ServerName waggle.test
ServerRoot {folder}
DocumentRoot {folder}
Mutex posixsem
PidFile {folder}/pid
ErrorLog {folder}/error.log
Listen 127.0.0.1:{cls.port}
StartServers 3
EnableSendfile On
""")
        cls.server = Child(["apache2", "-D", "FOREGROUND", "-f", config]).wait_port(cls.port)
        cls.agent = Agent(services=[{"open_ports": str(cls.port)}])

    @classmethod
    def tearDownClass(cls):
        cls.agent.stop()
        cls.agent.sink.stop()
        cls.server.stop()
        cls.agent.expect_no_more()

    def ask(self, path, method="GET", headers=None):
        """The one span of the request, with the status and the size that the client saw."""
        seen = {span.span_id for span in self.agent.spans()}
        status, body = request(self.port, method, path, headers=headers)
        span, = self.agent.expect_spans(1, lambda s: s.span_id not in seen)
        subset(span, http__request__method=method, url__path=path, http__response__status_code=status,
               http__response__body__size=len(body), server__port=self.port, error__type=None, waggle__incomplete=None)
        self.assertEqual((span.kind, span.service, span.parent), ("server", "apache2", ""))
        return status, len(body)

    def test_files(self):
        self.assertEqual(self.ask("/small"), (200, 5))
        self.assertEqual(self.ask("/big"), (200, BIG))
        self.assertEqual(self.ask("/big", "HEAD"), (200, 0))

    def test_parts(self):
        self.assertEqual(self.ask("/big", headers={"Range": "bytes=100-299999"}), (206, 299900))
        status, size = self.ask("/big", headers={"Range": "bytes=0-9,20-29"})
        self.assertEqual(status, 206)
        self.assertGreater(size, 20)

    def test_not_changed(self):
        self.assertEqual(self.ask("/small", headers={"If-Modified-Since": "Mon, 03 Jan 2022 00:00:00 GMT"}), (304, 0))

    def test_its_own_pages(self):
        for path, wanted in (("/nothing", 404), ("/sub", 301)):
            status, size = self.ask(path)
            self.assertEqual(status, wanted)
            self.assertGreater(size, 100)

    def test_processes_are_one_instance(self):
        for _ in range(12):
            self.ask("/small")
        self.assertEqual({s.resource["service.instance.id"].split(":")[1] for s in self.agent.spans()}, {str(self.server.pid)})


if __name__ == "__main__":
    unittest.main(verbosity=2)
