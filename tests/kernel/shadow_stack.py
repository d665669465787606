#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`make test-shadow-stack`: services whose processor keeps a second stack, of return addresses, and ends a program when the two
differ. Real programs with such stacks are read over TLS, and none notices: nginx and curl (OpenSSL), wget (GnuTLS)."""
import base64
import gzip
import json
import os
import pathlib
import re
import shutil
import signal
import tempfile
import unittest

import bochs
import guest
from on_kernel import SHELL, WAGGLE, certificate
from harness import Sink  # noqa: E402

LAUNCHER = os.path.join(os.environ.get("WAGGLE_BUILD", str(guest.ROOT / "build/dev")), "tests/kernel/shadow_stack")
WAYS = {"uprobe_multi": "", "uprobe": "uprobe_multi"}  # {way: what is switched off}
REQUESTS = 3
TURN = r"""
hook=WAY
echo "AT $hook $(cut -d. -f1 /proc/uptime)"
rm -f /spans; touch /spans
waggle run --config /waggle.yaml --set 'ebpf.disable=DISABLE' > /dev/null 2> /log &
agent=$!
wait_for 'curl -s -o /dev/null --fail http://127.0.0.1:9464/readyz'
wait_for 'metrics | grep -q "^waggle_tls_processes 3$"'
urls=; for i in $(seq REQUESTS); do urls="$urls https://127.0.0.1:8443/keep-alive/$i"; done
ask "$urls" /usr/bin/curl -s -k -K -
for version in 1.2 1.3; do
    ask https://127.0.0.1:8443/tls/$version /usr/bin/curl -s -k -K - --tlsv$version --tls-max $version
done
ask https://127.0.0.1:8443/gnutls /usr/bin/wget -q -O - --no-check-certificate -i -
wait_for '[ $(seen traceId) -ge SPANS ]'
master=$(cat /run/nginx.pid)
for pid in $master $(cat /proc/$master/task/$master/children); do
    echo "SERVICE $hook $pid $(sed -n 's/^x86_Thread_features://p' /proc/$pid/status)"
done
metrics | grep -E '^waggle_(turns_lost|requests_missed|undecoded_connections)' | grep -v ' 0$' | sed "s/^/METRIC $hook /"
kill -TERM $agent; wait $agent; echo "AGENT-STATUS $hook $?"
shadow_stack /usr/bin/curl -s -k https://127.0.0.1:8443/afterwards | sed "s/^/AFTERWARDS $hook /"
sed "s/^/LOG $hook /" /log
# Packed: the emulated serial line is slow.
gzip -c /spans | base64 -w 200 | sed "s/^/PACKED $hook /"
"""
SCRIPT = SHELL + r"""
hook=start
# The client is read before it hears what it is to ask for, from its standard input.
ask() {
    urls=$1; shift
    rm -f /urls; mkfifo /urls
    shadow_stack "$@" < /urls > /answer & client=$!
    exec 4> /urls
    wait_for 'metrics | grep -q "^waggle_tls_processes 4$"'
    for url in $urls; do case "$*" in *curl*) echo "url = $url";; *) echo "$url";; esac; done >&4
    exec 4>&-
    wait $client; echo "CLIENT-STATUS $hook $?"
    sed "s/^/ANSWER $hook /" /answer
    wait_for 'metrics | grep -q "^waggle_tls_processes 3$"'
}
cat > /nginx.conf <<'END'
daemon off; worker_processes 2; error_log stderr; pid /run/nginx.pid; events { }
http { access_log off; ssl_certificate /certificate; ssl_certificate_key /key; ssl_protocols TLSv1.2 TLSv1.3;
       server { listen 8443 ssl; location / { return 200 "hello\n"; } } }
END
cat > /waggle.yaml <<'END'
discovery:
  poll_interval: 1s
  services:
    - open_ports: 8443
    - exe_path: /shadow_stack$
otel_traces_export: {endpoint: "http://127.0.0.1:4318/cgi-bin/traces", protocol: http/json, compression: none, batch_timeout: 200ms}
prometheus_export: {port: 9464}
END
echo "PROCESSOR $(grep -o -m1 user_shstk /proc/cpuinfo)"
shadow_stack /usr/bin/curl -s file:///proc/self/status | sed -n 's/^x86_Thread_features:/CLIENT/p'
shadow_stack --return; echo "RETURN $?"
shadow_stack --elsewhere; echo "ELSEWHERE $?"
dmesg -c > /dev/null
shadow_stack /usr/sbin/nginx -c /nginx.conf &
wait_for 'curl -s -k -o /dev/null https://127.0.0.1:8443/'
TURNS
dmesg | sed 's/^/KERNEL /'
"""
SPANS = 2 * (REQUESTS + 3)


def script():
    turns = ""
    for way, disabled in WAYS.items():
        text = TURN
        for word, value in (("WAY", way), ("DISABLE", disabled), ("REQUESTS", REQUESTS), ("SPANS", SPANS)):
            text = text.replace(word, str(value))
        turns += text
    return SCRIPT.replace("TURNS", turns)


class ShadowStack(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        programs = {LAUNCHER: "/usr/bin/shadow_stack", shutil.which("wget"): "/usr/bin/wget"}
        with tempfile.TemporaryDirectory() as folder:
            cls.log = guest.run("6.12", script(), pathlib.Path(WAGGLE), extra=programs, files=certificate(folder), memory=2048,
                                seconds=int(os.environ.get("WAGGLE_GUEST_SECONDS", 300)) * (1 + len(WAYS)), machine=bochs.boot)
        cls.lines = cls.log.splitlines()

    def said(self, what, way=""):
        begin = f"{what} {way} " if way else f"{what} "
        return [line[len(begin):] for line in self.lines if line.startswith(begin)]

    def spans(self, way):
        sink = Sink()
        for line in gzip.decompress(base64.b64decode("".join(self.said("PACKED", way)))).decode().splitlines():
            sink.take(json.loads(line))
        sink.stop()
        return sink.spans

    def tail(self):
        return "\n".join(line for line in self.lines[-200:] if not line.startswith("PACKED"))

    def test_programs_have_such_stacks_and_the_processor_compares(self):
        self.assertEqual(self.said("PROCESSOR"), ["user_shstk"], self.tail())
        self.assertIn("shstk", "".join(line for line in self.lines if line.startswith("CLIENT")), self.tail())
        for wrong in ("RETURN", "ELSEWHERE"):
            self.assertEqual(self.said(wrong), [str(128 + signal.SIGSEGV)], self.tail())

    def test_none_notices(self):
        before = None
        for way in WAYS:
            services = self.said("SERVICE", way)
            self.assertEqual(len(services), 3, self.tail())
            for service in services:
                self.assertIn("shstk", service)
            self.assertIn(before, (None, services), "nginx began another worker")
            before = services
            self.assertEqual(self.said("CLIENT-STATUS", way), ["0"] * 4, self.tail())
            self.assertEqual(self.said("ANSWER", way), ["hello"] * (REQUESTS + 3), self.tail())
            self.assertEqual(self.said("AFTERWARDS", way), ["hello"], self.tail())
            self.assertEqual(self.said("AGENT-STATUS", way), ["0"], self.tail())
            self.assertTrue(any(line.endswith(f"tls: by {way}") for line in self.said("LOG", way)), self.tail())
        ended = [line for line in self.said("KERNEL") if re.search("control protection|segfault|traps:", line)]
        self.assertEqual(ended, [], "what the kernel said of a program that it ended")
        self.assertNotIn("WAITED", self.log, self.tail())
        self.assertEqual(self.said("GUEST-STATUS"), ["0"], self.tail())

    def test_every_request_is_read_at_both_ends(self):
        paths = [f"/keep-alive/{i + 1}" for i in range(REQUESTS)] + ["/tls/1.2", "/tls/1.3", "/gnutls"]
        for way in WAYS:
            spans = self.spans(way)
            for kind in ("client", "server"):
                mine = {span["url.path"]: span for span in spans if span.kind == kind}
                self.assertEqual(sorted(mine), sorted(paths), f"{way} {kind}: {self.tail()}")
                for span in mine.values():
                    self.assertEqual((span["url.scheme"], span["http.response.status_code"], span["http.response.body.size"]),
                                     ("https", 200, 6), f"{way} {kind} {span['url.path']}")
                self.assertEqual([mine[f"/tls/{version}"]["tls.protocol.version"] for version in ("1.2", "1.3")], ["1.2", "1.3"])
            self.assertEqual(len(spans), SPANS, self.tail())


if __name__ == "__main__":
    unittest.main(verbosity=2)
