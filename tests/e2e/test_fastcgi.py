#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""FastCGI: nginx and Apache in front of php-fpm, over TCP and over UNIX sockets, both ends watched."""
import glob
import os
import shutil
import tempfile
import unittest

import services
from harness import ROOT, Agent, Child, free_port, request, subset, wait_for
from proxies import MODULES

SCRIPT = os.path.join(ROOT, "tests/services/php/fpm.php")
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"

# Method, target, bytes sent, status, bytes answered (None: whatever the server says itself).
TURNS = [("GET", "/fpm/hello?a=1", None, 200, 5), ("POST", "/fpm/upload", b"x" * 40000, 200, 5), ("GET", "/fpm/missing", None, 404, 7),
         ("GET", "/fpm/moved", None, 302, 0), ("GET", "/fpm/fails", None, 500, 5), ("GET", "/fpm/big", None, 200, 300000),
         ("DELETE", "/fpm/hello", None, 200, 5)]


class Fpm:
    """Two workers at an address: a port's or a path."""

    def __init__(self, address):
        self.folder = tempfile.mkdtemp(prefix="waggle-fpm-")
        program = sorted(glob.glob("/usr/sbin/php-fpm*"))[-1]
        config = os.path.join(self.folder, "fpm.conf")
        with open(config, "w") as file:
            file.write(f"""[global]
error_log = {self.folder}/error.log
daemonize = no
[shop]
user = root
group = root
listen = {address}
pm = static
pm.max_children = 2
""")
        self.child = Child([program, "-R", "-F", "-y", config])

    def workers(self):
        try:
            with open(f"/proc/{self.child.pid}/task/{self.child.pid}/children") as file:
                return file.read().split()
        except FileNotFoundError:
            raise AssertionError(self.child.output()) from None

    def stop(self):
        self.child.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def nginx(upstream, keeps):
    keep = "fastcgi_keep_conn on;" if keeps else ""
    params = "".join(f"fastcgi_param {name} ${name.lower()};" for name in (
        "QUERY_STRING", "REQUEST_METHOD", "CONTENT_TYPE", "CONTENT_LENGTH", "REQUEST_URI", "SERVER_PROTOCOL"))
    return services.nginx(http=f"upstream back {{ server {upstream}; {'keepalive 4;' if keeps else ''} }}",
                          locations=f"""location / {{ fastcgi_pass back; {keep} {params} fastcgi_param REQUEST_SCHEME $scheme; fastcgi_param SCRIPT_FILENAME {SCRIPT};
                                        fastcgi_buffering on; }}""")


def apache(target):
    """In front of php-fpm at a port or a path."""
    folder = tempfile.mkdtemp(prefix="waggle-apache-")
    modules = "".join(f"LoadModule {m}_module {MODULES}/mod_{m}.so\n"
                      for m in ("mpm_event", "authz_core", "proxy", "proxy_fcgi", "setenvif"))
    mine = free_port()
    config = os.path.join(folder, "apache.conf")
    with open(config, "w") as file:
        file.write(f"""{modules}
ServerName waggle.test
ServerRoot {folder}
Mutex posixsem
PidFile {folder}/pid
ErrorLog {folder}/error.log
Listen 127.0.0.1:{mine}
ProxyFCGISetEnvIf "true" SCRIPT_FILENAME "{SCRIPT}"
ProxyPass / {f"fcgi://127.0.0.1:{target}/" if isinstance(target, int) else f"unix:{target}|fcgi://localhost/"}
""")
    return Child(["apache2", "-X", "-f", config]).wait_port(mine), mine


class FastCgi(unittest.TestCase):
    maxDiff = None

    def check(self, server, port, fpm, where):
        """Every turn: the web server's span, its call of php-fpm, and php-fpm's own, in one trace."""
        wait_for(lambda: len(fpm.workers()) == 2, "php-fpm's workers")
        agent = Agent(services=[{"pids": [server.pid, fpm.child.pid], "name": "both"}])
        self.addCleanup(agent.sink.stop)
        self.addCleanup(agent.stop)
        wait_for(lambda: agent.metric_sum("waggle_processes_watched") >= 4, "all to be watched")
        for method, target, body, status, _ in TURNS:
            headers = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01", "User-Agent": "tester"}
            self.assertEqual(request(port, method, target, body=body, headers=headers)[0], status)
        found = agent.expect_spans(3 * len(TURNS))
        ours = [s for s in found if s["network.protocol.name"] == "fastcgi"]
        fronts = [s for s in found if s not in ours]
        calls = [s for s in ours if s.kind == "client"]
        backs = [s for s in ours if s.kind == "server"]
        self.assertEqual([len(fronts), len(calls), len(backs)], [len(TURNS)] * 3)
        for (method, target, body, status, size), front, call, back in zip(TURNS, fronts, calls, backs):
            path, _, query = target.partition("?")
            for span in (call, back):
                subset(span, http__request__method=method, url__path=path, url__query=query or None, user_agent__original="tester",
                       http__response__status_code=status, http__request__body__size=len(body or b""), url__scheme="http",
                       network__protocol__version="1", waggle__incomplete=None, waggle__unknown=None, **where)
                sizes = (size,) if size < 4000 else (size, None)  # behind what is not copied it is not known
                self.assertIn(span["http.response.body.size"], sizes, span)
            self.assertEqual(call["error.type"], str(status) if status >= 400 else None)
            self.assertEqual(back["error.type"], str(status) if status >= 500 else None)
            self.assertEqual({s.trace_id for s in (front, call, back)}, {TRACE})
            self.assertEqual(call.parent, front.span_id)
            self.assertTrue(front.start <= call.start <= back.start < back.end, (front.raw, call.raw, back.raw))
        agent.check_books()
        for cause in ("hole", "unmatched", "parse_invalid", "unknown_protocol"):
            self.assertEqual(agent.metric_sum("waggle_turns_lost_total", cause=cause), 0, cause)
        self.assertEqual(agent.metric_sum("http_client_request_duration_seconds_count"), len(TURNS))
        self.assertEqual(agent.metric_sum("http_server_request_duration_seconds_count"), 2 * len(TURNS))

    def by_port(self, front):
        port = free_port()
        fpm = Fpm(f"127.0.0.1:{port}")
        self.addCleanup(fpm.stop)
        fpm.child.wait_port(port)
        server, mine = front(port)
        self.addCleanup(server.stop)
        self.check(server, mine, fpm, {"server__address": "127.0.0.1", "server__port": port})

    def test_nginx(self):
        self.by_port(lambda port: nginx(f"127.0.0.1:{port}", keeps=False))

    def test_nginx_kept_connections(self):
        self.by_port(lambda port: nginx(f"127.0.0.1:{port}", keeps=True))

    def test_apache(self):
        self.by_port(apache)

    def by_path(self, front):
        path = os.path.join(tempfile.mkdtemp(prefix="waggle-fpm-socket-"), "fpm.sock")
        fpm = Fpm(path)
        self.addCleanup(fpm.stop)
        wait_for(lambda: os.path.exists(path), "php-fpm's socket")
        os.chmod(os.path.dirname(path), 0o755)
        os.chmod(path, 0o777)
        server, mine = front(path)
        self.addCleanup(server.stop)
        self.check(server, mine, fpm, {"server__address": path, "network__transport": "unix", "server__port": None})

    def test_nginx_unix(self):
        self.by_path(lambda path: nginx("unix:" + path, keeps=False))

    def test_apache_unix(self):
        self.by_path(apache)


if __name__ == "__main__":
    unittest.main(verbosity=2)
