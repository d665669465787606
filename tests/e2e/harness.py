# SPDX-License-Identifier: Apache-2.0
"""What every end-to-end test needs: the agent on chosen processes, a sink that receives its OTLP/JSON,
real services as children, and waiting for conditions. Nothing here sleeps for a fixed time; everything
is ended by pid, on every exit."""
import atexit
import collections
import errno
import functools
import hashlib
import http.client
import http.server
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WAGGLE = os.environ.get("WAGGLE_BINARY", os.path.join(ROOT, "build/dev/waggle"))
DEADLINE = float(os.environ.get("WAGGLE_TEST_DEADLINE", "30"))

# All that a test writes goes at its end; other users' programs may enter.
tempfile.tempdir = tempfile.mkdtemp(prefix="waggle-test-")
os.chmod(tempfile.tempdir, 0o711)
atexit.register(shutil.rmtree, tempfile.tempdir, ignore_errors=True)

_children = []


def _end_children():
    for child in reversed(_children):
        child.stop()


atexit.register(_end_children)
for _signal in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(_signal, lambda *_: os._exit(143) if not _children else (_end_children(), os._exit(143)))


def wait_for(condition, what, deadline=DEADLINE):
    """The first true value of condition(); fails naming what was waited for."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {deadline:.0f} s for {what}")
        time.sleep(0.02)


_own_ports = collections.deque(maxlen=256)  # each held by a socket with its name


def free_port(host="127.0.0.1"):
    """Below those that the kernel gives to clients, which may have it before the server begins; and no other test that runs
    beside this one is given it."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as file:
        first = max(int(file.read().split()[0]), 20000)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    while True:
        port = random.randrange(10000, first)
        held = socket.socket(socket.AF_UNIX)
        try:
            held.bind(f"\0waggle-test-port-{port}")
            with socket.socket(family) as s:
                s.bind((host, port))
        except OSError as error:
            held.close()
            if error.errno != errno.EADDRINUSE:
                raise
            continue
        _own_ports.append(held)
        return port


def can_connect(port, host="127.0.0.1"):
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


class Child:
    """A process of the test, in a session of its own so that all of it can be ended."""

    def __init__(self, argv, cwd=None, env=None, stdout=None, stderr=None, stdin=None):
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(argv, cwd=cwd, env={**os.environ, **(env or {})}, stdin=stdin or subprocess.DEVNULL,
                                        stdout=stdout or self.log, stderr=stderr or self.log, start_new_session=True)
        self.pid = self.process.pid
        _children.append(self)

    def output(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def stop(self, sig=signal.SIGTERM, wait=5):
        if self in _children:
            _children.remove(self)
        if self.process.poll() is None:
            for attempt in (sig, signal.SIGKILL):
                try:
                    os.killpg(self.pid, attempt)
                except ProcessLookupError:
                    pass
                try:
                    self.process.wait(wait)
                    break
                except subprocess.TimeoutExpired:
                    continue
        else:
            try:
                os.killpg(self.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass
        return self.process.returncode

    def wait_port(self, port, host="127.0.0.1", deadline=DEADLINE):
        def ready():
            if self.process.poll() is not None:
                raise AssertionError(f"ended with {self.process.returncode}:\n{self.output()}")
            return can_connect(port, host)
        wait_for(ready, f"port {port}", deadline)
        return self


class Sink:
    """An OTLP receiver for http/json: keeps every span and metric it was sent."""

    def __init__(self):
        self.spans = []
        self.metrics = []
        self.lock = threading.Lock()
        self.bodies = set()
        sink = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    import gzip
                    body = gzip.decompress(body)
                # The same once more: the answer did not reach the agent in time.
                digest = hashlib.sha256(body).digest()
                with sink.lock:
                    is_new = digest not in sink.bodies
                    sink.bodies.add(digest)
                if is_new:
                    sink.take(json.loads(body))
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, message):
        with self.lock:
            for group in message.get("resourceSpans", []):
                resource = attributes(group.get("resource", {}))
                for scope in group.get("scopeSpans", []):
                    self.spans += [Span(s, resource) for s in scope.get("spans", [])]
            for group in message.get("resourceMetrics", []):
                self.metrics.append(group)

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def value_of(value):
    if "intValue" in value:
        return int(value["intValue"])
    for kind in ("stringValue", "boolValue", "doubleValue"):
        if kind in value:
            return value[kind]
    return value


def attributes(holder):
    return {a["key"]: value_of(a["value"]) for a in holder.get("attributes", [])}


@functools.cache
def own_metrics():
    """Patterns of the names in Prometheus of the agent's own metrics in docs/metrics.md, which does not tell their units."""
    endings = {"counter": "_total", "gauge": "", "histogram": "_(bucket|count|sum)"}
    with open(os.path.join(ROOT, "docs/metrics.md")) as file:
        return [re.compile(name.replace(".", "_") + "(_bytes|_seconds)?" + endings[kind])
                for name, kind in re.findall(r"^\| `(waggle\.[\w.]+)` \| (\w+) \|", file.read(), re.M)]


def check_metric(name, scraped):
    """A name under waggle_ that no metric has would be 0 for ever. A series may be missing, its row may not; the unit is as scraped."""
    if name.startswith("waggle_") and name not in scraped:
        row = next((row for row in own_metrics() if row.fullmatch(name)), None)
        assert row and not any(row.fullmatch(other) for other in scraped), f"the agent has no metric {name}"


KINDS = {1: "internal", 2: "server", 3: "client", 4: "producer", 5: "consumer"}


class Span:
    def __init__(self, raw, resource):
        self.raw = raw
        self.resource = resource
        self.name = raw["name"]
        self.kind = KINDS.get(raw.get("kind"), raw.get("kind"))
        self.attributes = attributes(raw)
        self.trace_id = raw["traceId"]
        self.span_id = raw["spanId"]
        self.parent = raw.get("parentSpanId", "")
        self.links = raw.get("links", [])
        self.start = int(raw["startTimeUnixNano"])
        self.end = int(raw["endTimeUnixNano"])
        self.is_error = raw.get("status", {}).get("code", 0) == 2
        self.service = resource.get("service.name")

    def __getitem__(self, key):
        return self.attributes.get(key)

    def __repr__(self):
        return f"<{self.kind} {self.name} {self.service} {self.attributes}>"


class Agent:
    """waggle on the given selectors, with an OTLP sink and a Prometheus port."""

    def __init__(self, *arguments, services=None, config="", sink=None, env=None, traces=True, prometheus=True, wait=True,
                 command=(WAGGLE,), subcommand=("run",)):
        self.sink = sink or Sink()
        self.expected = set()  # ids of the spans that a test has asked for
        self.prometheus_port = free_port() if prometheus else None
        self.folder = tempfile.mkdtemp(prefix="waggle-e2e-")
        path = os.path.join(self.folder, "waggle.yaml")
        text = config
        if services is not None:
            text += "discovery:\n  services:\n" + "".join(f"    - {json.dumps(s)}\n" for s in services)
        if traces:
            text += (f"otel_traces_export:\n  endpoint: http://127.0.0.1:{self.sink.port}/v1/traces\n"
                     "  protocol: http/json\n  batch_timeout: 50ms\n  max_queue_size: 200000\n")
        if prometheus:
            text += f"prometheus_export:\n  port: {self.prometheus_port}\n  address: 127.0.0.1\n"
        with open(path, "w") as file:
            file.write(text)
        if command[0] != WAGGLE:  # another user's
            os.chmod(self.folder, 0o755)
        self.child = Child([*command, *subcommand, "--config", path, *arguments],
                           env={"ASAN_OPTIONS": "detect_leaks=0", **(env or {})})
        if wait:
            self.wait_ready()

    def wait_ready(self):
        def ready():
            if self.child.process.poll() is not None:
                raise AssertionError("the agent ended:\n" + self.child.output())
            return self.get("/readyz", check=False) == 200
        wait_for(ready, "the agent to be ready")

    def get(self, path, check=True):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.prometheus_port}{path}", timeout=20) as answer:
                body = answer.read().decode()
                return body if check else answer.status
        except (urllib.error.URLError, OSError, http.client.HTTPException):
            if check:
                raise
            return 0

    def metrics(self):
        """{(name, frozenset(labels)): value} of a scrape."""
        found = {}
        for line in self.get("/metrics").split("\n"):  # label values may hold what str takes for ends of lines
            match = re.match(r'([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)', line)
            if match and not line.startswith("#"):
                labels = re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', match[2] or "")
                found[(match[1], frozenset(labels))] = float(match[3])
        return found

    def metric_sum(self, name, **labels):
        wanted, metrics = set(labels.items()), self.metrics()
        check_metric(name, {n for n, _ in metrics})
        return sum(v for (n, have), v in metrics.items() if n == name and wanted <= have)

    def losses(self):
        """What the agent says it has not seen."""
        if not self.prometheus_port or self.child.process.poll() is not None:
            return {}
        return {k: v for k, v in self.metrics().items() if v and k[0].startswith("waggle_") and ("lost" in k[0] or "missed" in k[0])}

    def check_books(self):
        """Of each protocol: every request that was seen is under way or has ended, and it is known how."""
        def unbalanced():
            sums = {}
            for (name, labels), value in self.metrics().items():
                if name.startswith("waggle_requests_") and "protocol" in dict(labels):
                    of = sums.setdefault(dict(labels)["protocol"], {})
                    of[name] = of.get(name, 0) + value
            assert sums, "no protocol has books"
            return {protocol: of for protocol, of in sums.items()
                    if of["waggle_requests_unaccounted"] or
                    of["waggle_requests_seen_total"] != of["waggle_requests_ended_total"] + of["waggle_requests_in_flight"]}
        try:
            wait_for(lambda: not unbalanced(), "the books to balance", deadline=10)
        except AssertionError as error:
            raise AssertionError(f"{error}: {unbalanced()}") from None

    def spans(self, where=lambda span: True):
        with self.sink.lock:
            return sorted((s for s in self.sink.spans if where(s)), key=lambda s: s.start)

    def expect_spans(self, count, where=lambda span: True, deadline=DEADLINE):
        """Exactly count spans, as soon as so many are there; what comes later is expect_no_more's."""
        try:
            wait_for(lambda: len(self.spans(where)) >= count, f"{count} spans", deadline)
        except AssertionError as error:
            found = self.spans(where)
            names = "\n".join(f"{times} x {name}" for name, times in collections.Counter(f"{s.kind} {s.name}" for s in found).most_common(40))
            losses = "\n".join(f"{name} {dict(labels)} {value}" for (name, labels), value in self.losses().items())
            raise AssertionError(f"{error}; there are {len(found)}\n{names}\n{losses}\n{self.child.output()[-3000:]}\n"
                                 f"{found[:6]} … {found[-6:]}") from None
        found = self.spans(where)
        assert len(found) == count, f"{count} spans wanted, {len(found)} found: {found[:20]}"
        self.expected |= {span.span_id for span in found}
        return found

    def expect_no_more(self):
        """Once the agent has stopped, which sends what is left: each span was asked for, and came once."""
        assert self.child.process.poll() is not None
        found = self.spans()
        more = [span for span in found if span.span_id not in self.expected]
        assert not more, f"{len(more)} spans that nobody wanted: {more[:20]}"
        assert len(found) == len({span.span_id for span in found}), "some spans came twice"

    def stop(self, sig=signal.SIGTERM):
        status = self.child.stop(sig, wait=20)
        shutil.rmtree(self.folder, ignore_errors=True)
        return status

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind:
            print(self.child.output()[-4000:])
        self.stop()
        self.sink.stop()


def request(port, method="GET", path="/", body=None, headers=None, host="127.0.0.1", connection=None):
    """One exchange by Python's client; returns (status, body)."""
    own = connection or http.client.HTTPConnection(host, port, timeout=10)
    own.request(method, path, body=body, headers=headers or {})
    answer = own.getresponse()
    data = answer.read()
    if connection is None:
        own.close()
    return answer.status, data


def raw_request(port, data, host="127.0.0.1", until=None, timeout=10):
    """Bytes to a socket, everything until the peer closes (or until `until` is in it)."""
    with socket.create_connection((host, port), timeout=timeout) as s:
        s.sendall(data)
        received = b""
        while not (until and until in received):
            piece = s.recv(65536)
            if not piece:
                break
            received += piece
        return received


def server_is(span, port):
    return span.kind == "server" and span["server.port"] == port


def subset(span, **expected):
    """Asserts attributes by name, '__' for '.'."""
    for key, value in expected.items():
        name = key.replace("__", ".")
        assert span[name] == value, f"{name}: {span[name]!r} is not {value!r} in {span}"
