#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Debian 12's own kernel, booted in QEMU: nginx and every way to move bytes are traced there by each of
the hooks it has, with the agent that was built here."""
import json
import os
import pathlib
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import guest  # noqa: E402
from harness import Sink  # noqa: E402
from test_ways import FAMILIES, READS, WAYS, WRITES  # noqa: E402

WAGGLE = os.environ.get("WAGGLE_BINARY", str(guest.ROOT / "build/dev/waggle"))
COUNT = 2
SCRIPT = r"""
wait_for() { i=0; until eval "$1"; do i=$((i+1)); [ $i -gt 600 ] && echo "WAITED for $1" && break; sleep 0.1; done; }
mkdir -p /var/www; echo hello > /var/www/file; chmod -R a+rX /var
cat > /nginx.conf <<'END'
worker_processes 2; error_log stderr; pid /run/nginx.pid; events { }
http { access_log off; server { listen 8080; listen [::]:8080; location = /ok { return 200 'hello'; } location / { root /var/www; } } }
END
nginx -c /nginx.conf
cat > /waggle.yaml <<'END'
discovery:
  services:
    - open_ports: "8080"
    - exe_path: /ways$
otel_traces_export: {endpoint: "http://127.0.0.1:4318/cgi-bin/traces", protocol: http/json, compression: none, batch_timeout: 50ms}
prometheus_export: {port: 9464}
ebpf: {disable: DISABLE}
END
mkdir -p /sink/cgi-bin
cat > /sink/cgi-bin/traces <<'END'
#!/bin/sh
head -c "$CONTENT_LENGTH" >> /spans; echo >> /spans
printf 'Content-Type: application/json\r\n\r\n{}'
END
chmod +x /sink/cgi-bin/traces; touch /spans
httpd -p 127.0.0.1:4318 -h /sink
export ASAN_OPTIONS=detect_leaks=0
waggle run --config /waggle.yaml 2> /log &
agent=$!
wait_for 'curl -s -o /dev/null --fail http://127.0.0.1:9464/readyz'
curl -s -o /dev/null "http://127.0.0.1:8080/ok?n=1"
curl -s -o /dev/null "http://[::1]:8080/file"
curl -s -o /dev/null -d body http://127.0.0.1:8080/missing
mkfifo /commands
ways < /commands > /answers &
exec 3> /commands
wait_for 'curl -s http://127.0.0.1:9464/metrics | grep -q "instrumented_process.*ways\\|waggle_processes_watched [23456]"'
COMMANDS
exec 3>&-
wait_for '[ $(grep -c "done\\|failed" /answers) -ge NUMBER ]'
wait_for '[ $(grep -o traceId /spans | wc -l) -ge SPANS ]'
curl -s http://127.0.0.1:9464/metrics | grep -E '^waggle_(turns|spans|requests|events|capture)' | sed 's/^/METRIC /'
kill -TERM $agent; wait $agent; echo "AGENT-STATUS $?"
echo "PROBES-LEFT $(grep -c waggle /sys/kernel/tracing/kprobe_events)"
cat /log | sed 's/^/LOG /'; grep failed /answers | sed 's/^/ANSWER /'
sed 's/^/SPAN /' /spans
"""


def combinations():
    """(family, read, write, body): every read and write once, every family, pages and io_uring."""
    rows = [("ipv4", READS[i % len(READS)], WRITES[i % len(WRITES)], 3000) for i in range(max(len(READS), len(WRITES)))]
    rows += [(family, "recvmsg", "sendmsg", 20000) for family in FAMILIES]
    rows += [(family, "splice_read", "sendfile", 100000) for family in ("ipv4", "unix")]
    rows += [("ipv4", "read", "splice_write", 100000)]
    rows += [("ipv4", read, write, 3000) for read, write in (("uring_read", "uring_write"), ("uring_recv", "uring_send"),
                                                             ("uring_recvmsg", "uring_sendmsg"))]
    return rows


class Debian12:
    """What holds by every hook; the classes below name one."""
    hook = ""
    disable = "[]"

    @classmethod
    def setUpClass(cls):
        cls.rows = combinations()
        commands = "".join(f'echo "{f} {r} {w} {b} {COUNT} t{i}" >&3\n' for i, (f, r, w, b) in enumerate(cls.rows))
        script = (SCRIPT.replace("COMMANDS", commands).replace("DISABLE", cls.disable).replace("NUMBER", str(len(cls.rows)))
                  .replace("SPANS", str(3 + 2 * COUNT * len(cls.rows))))
        cls.log = guest.run("6.1", script, pathlib.Path(WAGGLE), extra={WAYS: "/usr/bin/ways"}, memory=2048, seconds=400)
        sink = Sink()
        for line in cls.log.replace("\r", "").splitlines():
            if line.startswith("SPAN {"):
                sink.take(json.loads(line[5:]))
        sink.stop()
        cls.spans = sink.spans

    def of(self, path):
        return [span for span in self.spans if span["url.path"] == path]

    def test_the_agent_runs_and_ends_clean(self):
        self.assertIn(f"sockets: by {self.hook}\n", self.log.replace("\r", ""), self.log[-6000:])
        self.assertIn("PROBES-LEFT 0", self.log)
        self.assertIn("AGENT-STATUS 0", self.log, self.log[-6000:])
        self.assertNotIn("WAITED", self.log, self.log[-6000:])

    def test_nginx(self):
        for path, status in (("/ok", 200), ("/file", 200), ("/missing", 404)):
            span, = self.of(path)
            self.assertEqual(span["http.response.status_code"], status)
            self.assertEqual(span["server.port"], 8080)

    def test_every_way(self):
        for i, (family, read, write, body) in enumerate(self.rows):
            for number in range(COUNT):
                with self.subTest(family=family, read=read, write=write, number=number):
                    spans = self.of(f"/t{i}/{number}")
                    self.assertEqual(sorted(span.kind for span in spans), ["client", "server"])
                    for span in spans:
                        self.assertEqual(span["http.response.status_code"], 200)
                        self.assertEqual(span["http.request.body.size"], 100)
                        self.assertEqual(span["http.response.body.size"], body)


class ByFexit(Debian12, unittest.TestCase):
    hook = "fentry"


class ByFexitWithoutTypedPointers(Debian12, unittest.TestCase):
    """What kernels before 5.11 have."""
    hook = "fentry_plain"
    disable = "[fentry]"


class ByKprobes(Debian12, unittest.TestCase):
    hook = "kprobe"
    disable = "[fentry, fentry_plain]"


if __name__ == "__main__":
    unittest.main(verbosity=2)
