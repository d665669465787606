# SPDX-License-Identifier: Apache-2.0
"""What must hold on every kernel, by every hook that it has: one boot, in which the agent is started once for each hook. Every
way to move bytes is seen once at each end with its text; threads that were blocked in a read when the agent came; an answer that
is read when the connection has ended, and one in many pieces; nginx, plain and over TLS; a service and a short-lived program that
begin later."""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import guest  # noqa: E402
import under_filter  # noqa: E402
from harness import Sink  # noqa: E402
from kernels import find_modules  # noqa: E402
from test_ways import FAMILIES, READS, WAYS, WRITES  # noqa: E402

WAGGLE = os.environ.get("WAGGLE_BINARY", str(guest.ROOT / "build/dev/waggle"))
# Beside the other programs: what the kernel encrypts needs modules there.
KERNEL_TLS, TALKERS = (os.path.join(os.path.dirname(WAYS), name) for name in ("kernel_tls", "talkers"))
CIPHERS = ("aes_generic", "ctr", "ghash-generic", "gcm", "tls")
COUNT = 2
THREADS, ROUNDS = 64, 2
PIECES, PIPELINED = 300, 200
# {hook: what is switched off, so that it is the best one left}
TYPED = {"fentry_plain": "fentry", "kprobe": "fentry, fentry_plain"}
# What every script has: waiting, and where spans go.
SHELL = r"""
wait_for() {
    until=$(($(date +%s) + 60))
    until eval "$1"; do [ $(date +%s) -gt $until ] && waited "$1" && break; sleep 0.2; done
}
waited() {
    echo "WAITED $hook for $1"
    top -b -n 1 | head -n 10 | sed "s/^/BUSY $hook /"; tail -n 1 /answers | sed "s/^/LAST $hook /"
}
metrics() { curl -s http://127.0.0.1:9464/metrics; }
seen() { tr '{' '\n' < /spans | grep -c "$1"; }
watched() { metrics | sed -n 's/^waggle_processes_watched //p'; }
mkdir -p /sink/cgi-bin
cat > /sink/cgi-bin/traces <<'END'
#!/bin/sh
head -c "$CONTENT_LENGTH" >> /spans; echo >> /spans
printf 'Content-Type: application/json\r\n\r\n{}'
END
chmod +x /sink/cgi-bin/traces
httpd -p 127.0.0.1:4318 -h /sink
export ASAN_OPTIONS=detect_leaks=0
"""
PREPARE = SHELL + r"""
mkdir -p /var/www; echo hello > /var/www/file; chmod -R a+rX /var
head -c 300000 /dev/zero > /var/www/large
for module in /modules/*; do [ ! -e $module ] || insmod $module; done
cat > /nginx.conf <<'END'
worker_processes 1; error_log stderr; pid /run/nginx.pid; events { }
http { access_log off; ssl_certificate /certificate; ssl_certificate_key /key; sendfile on;
       server { listen 8080; listen [::]:8080; listen 8443 ssl; location = /ok { return 200 'hello'; }
                location = /secure { return 200 'secret'; } location / { root /var/www; } }
       server { listen 8444 ssl; ssl_conf_command Options KTLS; location / { root /var/www; } } }
END
START-NGINX
cat > /late.conf <<'END'
daemon off; worker_processes 1; error_log stderr; pid /run/late.pid; events { }
http { access_log off; server { listen 8082; location / { return 200 'late'; } } }
END
cat > /waggle.yaml <<'END'
discovery:
  poll_interval: 1s
  services:
    - open_ports: "8080-8082,8443-8444"
    - exe_path: /ways$
    - exe_path: /kernel_tls$
    - exe_path: /talkers$
otel_traces_export: {endpoint: "http://127.0.0.1:4318/cgi-bin/traces", protocol: http/json, compression: none, batch_timeout: 200ms}
prometheus_export: {port: 9464}
END
"""
# One hook's turn. Threads block in a read before the agent begins.
TURN = r"""
hook=HOOK closed=0
echo "AT $hook $(cut -d. -f1 /proc/uptime)"
rm -f /spans /answers /commands; touch /spans; mkfifo /commands
ways < /commands > /answers &
exec 3> /commands
echo "crowd THREADS ROUNDS crowd" >&3
wait_for 'grep -q "blocked\|failed" /answers'
waggle run --config /waggle.yaml --set 'ebpf.disable=DISABLE' QUEUE-TIME > /dev/null 2> /log &
agent=$!
begun=$(cut -d' ' -f1 /proc/uptime)
wait_for 'curl -s -o /dev/null --fail http://127.0.0.1:9464/readyz'
echo "STARTED $hook $begun $(cut -d' ' -f1 /proc/uptime)"
echo "READERS $hook $(cat /sys/devices/system/cpu/possible): $(cat /proc/$agent/task/*/comm | grep -c reader)"
wait_for '[ $(watched) -ge 3 ]'
echo >&3
wait_for 'grep -q "done\|failed" /answers'
curl -s -o /dev/null "http://127.0.0.1:8080/ok?n=1" "http://[::1]:8080/file"
curl -s -o /dev/null -d body http://127.0.0.1:8080/missing
for family in FAMILIES; do
    echo "late $family late-$family" >&3
    wait_for "[ \$(grep -c closed /answers) -gt $closed ]"; closed=$((closed + 1))
    wait_for "[ \$(seen /late-$family/0) -ge 1 ]"  # the server's: the agent has looked at the connection's end since
    echo >&3
done
echo "pieces PIECES pieces" >&3
wait_for '[ $(seen \"/pieces/0\") -eq 2 ]'  # while the connection is open
echo >&3
echo "duplex PIPELINED duplex" >&3
wait_for '[ $(seen \"/duplex/[0-9]) -eq 20 ]'
echo >&3
MORE
COMMANDS
exec 3>&-
wait_for '[ $(grep -c "done\|failed" /answers) -ge NUMBER ]'
wait_for '[ $(seen traceId) -ge SPANS ]'
metrics | grep -E '^waggle_(turns|spans|requests|events|capture|tls|undecoded_connections)' | grep -v ' 0$' | sed "s/^/METRIC $hook /"
kill -TERM $agent; wait $agent; echo "AGENT-STATUS $hook $?"
echo "PROBES-LEFT $hook $(grep -c waggle /sys/kernel/tracing/kprobe_events)"
sed "s/^/LOG $hook /" /log; grep failed /answers | sed "s/^/ANSWER $hook /"
sed "s/^/SPAN $hook /" /spans
"""
TLS = r"""
wait_for 'metrics | grep -q "^waggle_tls_processes [2-9]"'
curl -s -k -o /dev/null https://127.0.0.1:8443/secure
curl -s -k https://127.0.0.1:8444/large https://127.0.0.1:8444/file https://127.0.0.1:8444/missing > /dev/null
grep TlsTxSw /proc/net/tls_stat | sed "s/^/STATISTICS $hook /"
KERNEL-TLS-RUN
sed "s/^/KERNEL-TLS $hook /" /kernel-tls
wait_for 'metrics | grep -q "^waggle_undecoded_connections_total.*kernel_tls.* 2$"'
"""
# Who is found by looking only is to live until the agent has looked.
SHORT_LIVED = "kernel_tls 5 > /kernel-tls"
WAITING = r"""
before=$(watched)
rm -f /begin; mkfifo /begin
kernel_tls 5 wait < /begin > /kernel-tls & waiting=$!
exec 4> /begin
wait_for '[ $(watched) -gt $before ]'
echo >&4; exec 4>&-
wait $waiting
wait_for '[ $(watched) -eq $before ]'
"""
# What the plain object does not have: datagrams, and several messages of a database in one long call.
TALKS = r"""
for talk in names messages; do talkers $talk | sed "s/^/TALKERS $hook $talk /"; done
"""
NAMES = {"plain.test": "NOERROR", "apart.test": "NOERROR", "several.test": "NOERROR", "missing.test": "NXDOMAIN"}
STATEMENTS = ["SELECT ?"] * 2 + [f"SELECT a FROM r{round_}_{i}" for round_ in range(3) for i in range(bool(round_), 3)]
# A service that begins when the agent runs, where it is found by looking.
LOOKED_FOR = r"""
before=$(watched)
nginx -c /late.conf & late=$!
wait_for '[ $(watched) -eq $((before + 2)) ]'
curl -s -o /dev/null http://127.0.0.1:8082/looked-for
kill $late; wait $late
wait_for '[ $(watched) -eq $before ]'
"""
# A service that makes a process for every connection, and a program that lives for a moment.
LATE = r"""
httpd -f -p 8081 -h /var/www & late=$!
wait_for 'curl -s -o /dev/null http://127.0.0.1:8081/begun'
curl -s -o /dev/null http://127.0.0.1:8081/late
echo "ipv4 read write 100 COUNT short" | ways > /dev/null
kill $late
"""


def certificate(folder):
    files = {name: os.path.join(folder, name) for name in ("certificate", "key")}
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650", "-subj", "/CN=guest", "-keyout",
                    files["key"], "-out", files["certificate"]], check=True, capture_output=True)
    return {"/" + name: path for name, path in files.items()}


def modules(version):
    return {f"/modules/{i}": path for i, path in enumerate(find_modules(version, CIPHERS))}


def spans_of(log, hook):
    sink = Sink()
    for line in log.splitlines():
        if line.startswith(f"SPAN {hook} {{"):
            sink.take(json.loads(line.split(" ", 2)[2]))
    sink.stop()
    return sink.spans


class OnKernel(under_filter.UnderFilter):
    version = ""
    arch = "amd64"
    hooks = {"fentry": "", **TYPED}  # {hook: the hooks that are switched off}
    misses = ()  # hooks whose programs are preempted, and stand there once
    has_mptcp = True
    has_async = True  # io_uring's workers are threads of the process (5.12)
    has_tls = True
    roots = ("/",)
    waggle, ways = WAGGLE, WAYS
    extra = {}

    @classmethod
    def families(cls):
        return [family for family in FAMILIES if cls.has_mptcp or family != "mptcp"]

    @classmethod
    def rows(cls, hook):
        """(family, read, write, body): every read and write once, every family, pages and io_uring."""
        rows = [("ipv4", READS[i % len(READS)], WRITES[i % len(WRITES)], 3000) for i in range(max(len(READS), len(WRITES)))]
        rows += [(family, *way, 20000) for family in cls.families() for way in (("recvmsg", "sendmsg"), ("read", "write"), ("readv", "writev"))]
        rows += [("ipv4", "splice_read", "sendfile", 100000), ("ipv4", "read", "splice_write", 100000), ("unix", "read", "sendfile", 50000)]
        if cls.has_mptcp:
            rows.append(("mptcp", "read", "sendfile", 50000))
        forms = [("uring_read", "uring_write"), ("uring_recv", "uring_send")]
        if cls.has_async:
            forms.append(("uring_recv_async", "uring_send_async"))
        if hook != "tp_btf":  # what it does not see as text
            forms += [("uring_recvmsg", "uring_sendmsg"), ("uring_readv", "uring_writev")]
            rows.append(("unix", "splice_read", "sendfile", 50000))
        return rows + [("ipv4", read, write, 3000) for read, write in forms] + [("unix", "uring_read", "uring_write", 3000)]

    @classmethod
    def finds_late(cls, hook):
        return "tp_btf" not in cls.hooks[hook]

    @classmethod
    def reads_tls(cls, hook):
        return cls.has_tls and hook in ("tp_btf", "fentry")

    @classmethod
    def talks(cls, hook):
        return cls.reads_tls(hook) and cls.finds_late(hook)

    @classmethod
    def turn(cls, hook):
        rows = cls.rows(hook)
        commands = "".join(f'echo "{f} {r} {w} {b} {COUNT} t{i}" >&3\n' for i, (f, r, w, b) in enumerate(rows))
        spans = 3 + 2 * COUNT * len(rows) + 2 * THREADS * ROUNDS + 4 * cls.reads_tls(hook) + (2 + 2 * COUNT) * cls.finds_late(hook)
        spans += 2 * (len(NAMES) + len(STATEMENTS)) * cls.talks(hook) + 2 * (len(cls.families()) + 1 + PIPELINED)
        spans += not cls.finds_late(hook)
        tls = TLS.replace("KERNEL-TLS-RUN", SHORT_LIVED if cls.finds_late(hook) else WAITING)
        more = tls * cls.reads_tls(hook) + (LATE if cls.finds_late(hook) else LOOKED_FOR) + TALKS * cls.talks(hook)
        queue_time = "" if hook == "tp_btf" else "--set ebpf.queue_time=true"  # has no effect
        replaced = {"HOOK": hook, "DISABLE": cls.hooks[hook], "QUEUE-TIME": queue_time, "MORE": more, "COMMANDS": commands, "NUMBER": str(3 + len(rows) + len(cls.families())),
                    "FAMILIES": " ".join(cls.families()), "PIECES": str(PIECES), "PIPELINED": str(PIPELINED),
                    "SPANS": str(spans), "THREADS": str(THREADS), "ROUNDS": str(ROUNDS), "COUNT": str(COUNT)}
        text = TURN
        for name, value in replaced.items():
            text = text.replace(name, value)
        return text + under_filter.AFTERWARDS * cls.has_tls

    @classmethod
    def setUpClass(cls):
        start = under_filter.START if cls.has_tls else "nginx -c /nginx.conf\n"
        script = PREPARE.replace("START-NGINX\n", start) + "".join(cls.turn(hook) for hook in cls.hooks)
        programs = {cls.ways: "/usr/bin/ways", **cls.extra}
        if cls.has_tls:
            programs.update({KERNEL_TLS: "/usr/bin/kernel_tls", TALKERS: "/usr/bin/talkers", **under_filter.PROGRAMS})
        with tempfile.TemporaryDirectory() as folder:
            files = {**certificate(folder), **(modules(cls.version) if cls.has_tls else {})}
            cls.log = guest.run(cls.version, script, pathlib.Path(cls.waggle), extra=programs, files=files, memory=2048,
                                seconds=int(os.environ.get("WAGGLE_GUEST_SECONDS", 300)) * len(cls.hooks), arch=cls.arch, roots=cls.roots)
        cls.spans = {hook: spans_of(cls.log, hook) for hook in cls.hooks}

    def of(self, hook, path):
        return [span for span in self.spans[hook] if span["url.path"] == path]

    def tail(self, hook):
        """What the guest said of the hook's turn, but for spans."""
        lines = [line for line in self.log.splitlines() if not line.startswith("SPAN")]
        return "\n".join(line[:300] for line in lines if f" {hook} " in line or not line.split(" ")[0].isupper())[-6000:]

    def check_exchange(self, hook, path, body, request=100):
        spans = self.of(hook, path)
        self.assertEqual(sorted(span.kind for span in spans), ["client", "server"], f"{self.version} {hook} {path}")
        for span in spans:
            self.assertEqual(span["http.response.status_code"], 200)
            self.assertEqual(span["http.request.body.size"], request)
            self.assertEqual(span["http.response.body.size"], body)

    def test_the_agent_runs_and_ends_clean(self):
        for hook in self.hooks:
            self.assertIn(f"sockets: by {hook}\n", self.log, self.tail(hook))
            self.assertIn(f"AGENT-STATUS {hook} 0\n", self.log, self.tail(hook))
            self.assertIn(f"PROBES-LEFT {hook} 0\n", self.log, self.tail(hook))
            if hook not in self.misses:
                self.assertNotIn(f"WAITED {hook} ", self.log, self.tail(hook))
            self.assertNotIn(f"ANSWER {hook} ", self.log, self.tail(hook))

    def test_queue_time_needs_tp_btf(self):
        for hook in set(self.hooks) - {"tp_btf"}:
            self.assertRegex(self.log, rf"LOG {hook} .*ebpf.queue_time: this kernel does not tell when bytes arrive")

    def test_one_reader_for_one_processor(self):
        for hook in self.hooks:
            self.assertIn(f"READERS {hook} 0: 1\n", self.log, self.tail(hook))

    def test_nginx(self):
        for hook in self.hooks:
            for path, status in (("/ok", 200), ("/file", 200), ("/missing", 404)):
                spans = [span for span in self.of(hook, path) if span["server.port"] == 8080]
                self.assertEqual(len(spans), 1, f"{self.version} {hook} {path}")
                span = spans[0]
                self.assertEqual(span["http.response.status_code"], status, f"{hook} {span}\n{self.tail(hook)}")

    def test_every_way(self):
        for hook in self.hooks:
            for i, (family, read, write, body) in enumerate(self.rows(hook)):
                for number in range(COUNT):
                    with self.subTest(kernel=self.version, hook=hook, family=family, read=read, write=write, number=number):
                        self.check_exchange(hook, f"/t{i}/{number}", body)

    def test_threads_that_were_blocked_in_a_read(self):
        for hook in self.hooks:
            self.check_exchanges(hook, "/crowd/", [10] * (THREADS * ROUNDS))

    def test_an_answer_read_after_the_connection_ended(self):
        for hook in self.hooks:
            for family in self.families():
                with self.subTest(kernel=self.version, hook=hook, family=family):
                    self.check_exchange(hook, f"/late-{family}/0", 3000)

    def test_an_answer_in_many_pieces(self):
        for hook in self.hooks:
            self.check_exchange(hook, "/pieces/0", 100 * PIECES)

    def test_one_writer_and_one_reader_thread(self):
        for hook in self.hooks:
            self.check_exchanges(hook, "/duplex/", [number % 500 for number in range(PIPELINED)])

    def counted(self, hook, series):
        return sum(float(value) for value in re.findall(rf"^METRIC {hook} {re.escape(series)} (\S+)$", self.log, re.M))

    def check_exchanges(self, hook, path, bodies):
        """Of several threads: one may be lost with a call that the kernel kept from the program. None is wrong, and all are counted."""
        if hook not in self.misses:
            for number, body in enumerate(bodies):
                self.check_exchange(hook, f"{path}{number}", body)
            return
        whole = 0
        for number, body in enumerate(bodies):
            spans = self.of(hook, f"{path}{number}")
            for kind in ("server", "client"):
                self.assertLessEqual(sum(span.kind == kind for span in spans), 1, f"{hook} {number}")
            for span in spans:
                if span["waggle.incomplete"] is None:
                    self.assertEqual((span["http.response.status_code"], span["http.response.body.size"]), (200, body), span)
                    whole += 1
        self.assertGreater(whole, len(bodies))
        lost = self.counted(hook, 'waggle_events_lost_total{cause="program_busy"}')
        self.assertLessEqual(2 * len(bodies) - whole, lost + self.counted(hook, 'waggle_turns_lost_total{cause="hole",protocol="http"}'))

    def test_tls(self):
        for hook in self.hooks:
            if self.reads_tls(hook):
                spans = self.of(hook, "/secure")
                self.assertEqual(len(spans), 1, f"{self.version} {hook} /secure")
                span = spans[0]
                self.assertEqual((span.kind, span["url.scheme"], span["http.response.status_code"]), ("server", "https", 200))

    def test_what_the_kernel_encrypts(self):
        """nginx's sends go through the kernel's TLS, files by SSL_sendfile; a program's own are counted, and no span is made up."""
        for hook in self.hooks:
            if not self.reads_tls(hook):
                continue
            tail = self.tail(hook)
            self.assertIn(f"KERNEL-TLS {hook} done\n", self.log, tail)
            self.assertRegex(self.log, rf"STATISTICS {hook} TlsTxSw *\t[1-9]", tail)
            spans = [span for span in self.spans[hook] if span["server.port"] == 8444]
            self.assertEqual([(s["url.path"], s["http.response.status_code"], s["url.scheme"]) for s in spans],
                             [("/large", 200, "https"), ("/file", 200, "https"), ("/missing", 404, "https")], tail)
            self.assertEqual([s["http.response.body.size"] for s in spans][:2], [300000, 6], tail)
            self.assertEqual(self.of(hook, "/kernel-tls"), [], tail)
            self.assertRegex(self.log, rf"METRIC {hook} waggle_undecoded_connections_total.*kernel_tls.* 2\n", tail)

    def test_datagrams_and_messages_in_long_calls(self):
        for hook in self.hooks:
            if not self.talks(hook):
                continue
            for talk in ("names", "messages"):
                self.assertIn(f"TALKERS {hook} {talk} done\n", self.log, self.tail(hook))
            for kind in ("client", "server"):
                spans = [span for span in self.spans[hook] if span.kind == kind]
                self.assertEqual({s["dns.question.name"]: s["waggle.dns.response_code"] for s in spans if s["dns.question.name"]}, NAMES,
                                 f"{hook} {kind}\n{self.tail(hook)}")
                self.assertEqual(sorted(s["db.query.text"] for s in spans if s["db.query.text"]), sorted(STATEMENTS),
                                 f"{hook} {kind}\n{self.tail(hook)}")

    def test_what_begins_later(self):
        for hook in self.hooks:
            if not self.finds_late(hook):
                span, = self.of(hook, "/looked-for")
                self.assertEqual((span.kind, span["server.port"], span["http.response.status_code"]), ("server", 8082, 200))
                continue
            span, = self.of(hook, "/late")
            self.assertEqual((span.kind, span["server.port"], span["http.response.status_code"]), ("server", 8081, 404))
            for number in range(COUNT):
                self.check_exchange(hook, f"/short/{number}", 100)
