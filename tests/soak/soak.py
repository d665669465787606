#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The agent among programs that come and go, are killed, and lie, for SECONDS (3600): afterwards it holds no more memory,
descriptors and BPF objects than after it had warmed up, and its books balance. SEED makes the same choices again."""
import http.client
import json
import os
import random
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))
from artefacts import go_grpc  # noqa: E402
from bpf_objects import KINDS, alive, held  # noqa: E402
from harness import ROOT, Agent, Child, can_connect, free_port, wait_for  # noqa: E402
from namespaces import sandboxed  # noqa: E402
from services import nginx  # noqa: E402
from tls import certificate, client_context, key, listens  # noqa: E402
sys.path.insert(0, HERE)
from mishaps import clock_is_set, full_disk  # noqa: E402
from programs import FIND, GOOD, message  # noqa: E402

BUILD = os.environ.get("WAGGLE_BUILD", os.path.join(ROOT, "build/dev"))
CROWD = os.path.join(BUILD, "tests/crowd")
TALKS = os.path.join(ROOT, "src/protocols")
QUIET = 180  # s: how long what is under way may take to end; after an hour a scrape alone takes seconds on a busy host


class Steady:
    """A client and a server that nothing is done to: it knows how many requests there were."""
    ANSWER = len(message(1, 1, GOOD))

    def __init__(self):
        self.port = free_port()
        self.server = Child([sys.executable, os.path.join(HERE, "programs.py"), "mongo", str(self.port)]).wait_port(self.port)
        self.asked, self.failure = 0, None
        self.is_over = threading.Event()
        self.thread = None

    def start(self):
        self.is_over.clear()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            while not self.is_over.is_set():
                with socket.create_connection(("127.0.0.1", self.port), timeout=20) as s:
                    for number in range(50):
                        self.ask(s, number + 1)
                        if self.is_over.wait(0.002):
                            return
        except Exception as error:  # whatever goes wrong is what the test is about
            self.failure = error

    def ask(self, s, number):
        s.sendall(message(number, 0, FIND))
        self.asked += 1
        left = self.ANSWER
        while left > 0:
            piece = s.recv(left)
            if not piece:
                raise AssertionError("the steady server has gone")
            left -= len(piece)

    def stop(self):
        self.is_over.set()
        self.thread.join(30)
        assert self.failure is None, self.failure


class SteadyTls(Steady):
    """The same over TLS, to nginx, each request with an answer."""
    ROUTE = "/steady"

    def __init__(self, port):
        self.port, self.asked, self.failure = port, 0, None
        self.is_over, self.thread = threading.Event(), None

    def run(self):
        try:
            while not self.is_over.is_set():
                connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=20, context=client_context())
                for _ in range(50):
                    self.asked += 1
                    connection.request("GET", self.ROUTE)
                    assert connection.getresponse().read() == b"steady"
                    if self.is_over.wait(0.02):
                        break
                connection.close()
        except Exception as error:
            self.failure = error


class Victim:
    """A server that is killed now and then, and begins anew at the same port."""

    def __init__(self, name, argv, port, env=None):
        self.name, self.argv, self.port, self.env = name, argv, port, env
        self.child = None
        self.start()

    def start(self):
        self.child = Child(self.argv, env=self.env).wait_port(self.port)

    def kill(self):
        self.child.stop(signal.SIGKILL)
        wait_for(lambda: not can_connect(self.port), f"{self.name} to be gone")
        self.start()


def without_pipes():
    """The undefined-behaviour sanitizer opens a pipe to look at an object's type: without a descriptor it takes each for a bad
    one. So that the agent lives without, it is not to say so."""
    path = os.path.join(tempfile.mkdtemp(prefix="waggle-soak-"), "suppressions")
    with open(path, "w") as file:
        file.write("vptr:*\n")
    return {"UBSAN_OPTIONS": f"suppressions={path}"}


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(child) for child in file.read().split()]


class Soak:
    def __init__(self, seconds, seed):
        self.seconds, self.chance = seconds, random.Random(seed)
        self.word = f"soak-{uuid.uuid4().hex[:8]}"
        self.rounds = 0
        self.steady = Steady()
        self.web_port, tls_port = free_port(), free_port()
        self.web, _ = nginx(f"location / {{ return 200 'hello'; }} location = {SteadyTls.ROUTE} {{ return 200 'steady'; }}", workers=2,
                            port=self.web_port, listen=f"listen 127.0.0.1:{self.web_port}; {listens(tls_port)}")
        self.steady_tls = SteadyTls(tls_port)
        self.victims = []
        for name, argv in (("redis", ["redis-server", "--save", "", "--appendonly", "no", "--port"]),
                           ("memcached", ["memcached", "-u", "nobody", "-l", "127.0.0.1", "-p"])):
            port = free_port()
            self.victims.append(Victim(name, [*argv, str(port)], port))
        port = free_port()
        self.victims.append(Victim("crowd", [CROWD, "serve", str(port)], port))
        port = free_port()
        self.victims.append(Victim("grpc", [go_grpc(), "serve", str(port)], port, {"CERTIFICATE": certificate(), "KEY": key()}))
        ports = ",".join(str(p) for p in (self.steady.port, self.web_port, tls_port, *(v.port for v in self.victims)))
        self.servers = 2 + 2 + len(self.victims)  # the steady one, nginx and its workers, the victims
        self.selectors = [{"open_ports": ports}, {"cmd_args": self.word}]
        self.agent = Agent(services=self.selectors, traces=False, config="ebpf: {ring_bytes: 33554432}\nmemory_limit: 512MiB\n",
                           env=without_pipes())

    @property
    def pid(self):
        return self.agent.child.pid

    def status(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.agent.prometheus_port}/status", timeout=20) as answer:
            return json.loads(answer.read())

    def python(self, program, *arguments):
        return [sys.executable, os.path.join(HERE, program), *map(str, arguments), self.word]

    # What is done. Each returns children that end by themselves, or None.

    def churn_processes(self):
        url, tls = f"http://127.0.0.1:{self.web_port}/{self.rounds}", f"https://127.0.0.1:{self.steady_tls.port}/{self.rounds}"
        return [Child(["curl", "-s", "-k", "-A", self.word, url, url, tls, tls]) for _ in range(5)]

    def churn_connections(self):
        crowd = next(v for v in self.victims if v.name == "crowd")
        child = Child([CROWD, "load", str(crowd.port)], stdin=subprocess.PIPE)
        child.process.stdin.write(b"churn 300\nopen 100\nclose\n")
        child.process.stdin.close()
        return [child]

    def churn_namespaces(self):
        return [sandboxed(self.python("programs.py", "pair", 20), net=True)]

    def churn_services(self):
        return [Child(self.python("programs.py", "pair", 10))]

    def be_hostile(self):
        return [Child(self.python("hostile.py", TALKS, 40, self.chance.randrange(1 << 30)))]

    def call_over_tls(self):
        """Go's gRPC: streams of HTTP/2 by crypto/tls, one of each kind."""
        grpc = next(v for v in self.victims if v.name == "grpc")
        child = Child([go_grpc(), "call", str(grpc.port)], stdin=subprocess.PIPE, env={"CERTIFICATE": certificate()})
        child.process.stdin.write(b"\n\n\n")
        child.process.stdin.close()
        return [child]

    def use_stores(self):
        for victim in self.victims[:2]:
            text = b"SET a 1\r\nGET a\r\nNONSENSE\r\n" if victim.name == "redis" else b"set a 0 0 1\r\n1\r\nget a\r\nnonsense\r\n"
            try:
                with socket.create_connection(("127.0.0.1", victim.port), timeout=5) as s:
                    s.sendall(text)
                    s.recv(4096)
            except OSError:
                pass

    def kill_server(self):
        self.chance.choice(self.victims).kill()

    def kill_client(self):
        for child in self.churn_processes() + self.be_hostile() + self.churn_namespaces():
            time.sleep(self.chance.random() / 20)  # at any moment of its life
            child.stop(signal.SIGKILL)

    def kill_agent(self):
        """A second agent on the same services, at any moment of its life: it leaves nothing, and takes nothing from the first."""
        second = Agent(services=self.selectors, traces=False, wait=False)
        ids = {kind: set() for kind in KINDS}
        end = time.monotonic() + 4 * self.chance.random()
        children = self.churn_processes()
        while time.monotonic() < end and second.child.process.poll() is None:
            for kind in KINDS:
                ids[kind] |= held(kind, second.child.pid)
            time.sleep(0.05)
        status = second.stop(signal.SIGKILL)
        second.sink.stop()
        assert status == -signal.SIGKILL, f"the second agent ended with {status}: {second.child.output()[-8000:]}"
        for kind, mine in ids.items():
            wait_for(lambda kind=kind, mine=mine: not mine & alive(kind), f"the end of the second agent's {kind}s")
        return children

    def exhaust_descriptors(self):
        """For a while the agent can open nothing: no scrape, no look at a new process."""
        limits = resource.prlimit(self.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(self.pid, resource.RLIMIT_NOFILE, (len(os.listdir(f"/proc/{self.pid}/fd")), limits[1]))
        try:
            children = self.churn_processes() + self.churn_services()
            for _ in range(5):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{self.agent.prometheus_port}/metrics", timeout=0.2).close()
                except OSError:
                    pass
            self.wait_for_end(children)
        finally:
            resource.prlimit(self.pid, resource.RLIMIT_NOFILE, limits)

    @staticmethod
    def wait_for_end(children):
        for child in children:
            child.process.wait(60)
            child.stop()

    def turn(self):
        self.rounds += 1
        steps = [self.churn_processes, self.churn_connections, self.churn_namespaces, self.churn_services, self.be_hostile,
                 self.use_stores, self.call_over_tls, self.kill_server, self.kill_client]
        if self.rounds % 5 == 1:
            steps += [self.exhaust_descriptors, self.kill_agent]
        self.chance.shuffle(steps)
        for step in steps:
            self.wait_for_end(step() or [])
            status = self.agent.child.process.poll()
            assert status is None, f"the agent ended with {status} after {step.__name__}:\n{self.agent.child.output()[-8000:]}"

    def turns_until(self, end):
        while True:
            self.turn()
            if time.monotonic() > end:
                return

    # What is compared.

    def rest(self):
        """Waits until nothing is under way, and says what the agent holds then."""
        self.steady.stop()
        self.steady_tls.stop()

        last = {}

        def is_quiet():
            """Nothing open, nobody left but the servers, and nothing new within two publications."""
            now = time.monotonic()
            try:
                status = self.status()
                if last.get("requests") != status["requests"]:
                    last.update(requests=status["requests"], since=now)
                if now - last["since"] <= 2.2 or status["requests"]["in_flight"]:
                    return False
                metrics = self.agent.metrics()
            except OSError:  # a host that is busy with the last ones
                return False
            return metrics[("waggle_processes_watched", frozenset())] == self.servers and \
                metrics.get(("waggle_tls_processes", frozenset()), 0) == self.tls_servers()
        try:
            wait_for(is_quiet, "everything to be over", QUIET)
        except AssertionError as error:
            raise AssertionError(f"{error}: watched {self.agent.metric_sum('waggle_processes_watched')} of {self.servers}, by TLS "
                                 f"{self.agent.metric_sum('waggle_tls_processes')} of {self.tls_servers()}; {self.status()} "
                                 f"{self.agent.child.output()[-4000:]}") from None

    def tls_servers(self):
        """How many of the servers have a TLS library loaded: each of those is probed."""
        pids = [self.steady.server.pid, self.web.pid, *children_of(self.web.pid), *(v.child.pid for v in self.victims if v.name != "grpc")]
        count = 1  # … and Go's, which has no library
        for pid in pids:
            with open(f"/proc/{pid}/maps") as file:
                count += bool(re.search(r"/lib(ssl|gnutls)\.so", file.read()))
        return count

    def holds(self):
        sizes = {f"bpf {kind}s": len(held(kind, self.pid)) for kind in KINDS}
        sizes["descriptors"] = len(os.listdir(f"/proc/{self.pid}/fd"))
        sizes["threads"] = len(os.listdir(f"/proc/{self.pid}/task"))
        sizes["memory"] = int(self.agent.metric_sum("waggle_memory_usage_bytes", part="process"))
        return sizes

    def check_flat(self, before):
        """Descriptors and BPF objects as before; memory too, but for what the allocator keeps."""
        now = {}

        def is_flat():
            now.update(self.holds())
            return all(now[what] <= before[what] for what in before if what != "memory") and \
                now["memory"] <= before["memory"] * 1.25 + (8 << 20)
        try:
            wait_for(is_flat, "what is held to be as before", QUIET)
        except AssertionError as error:
            raise AssertionError(f"{error}: {before}, then {now}") from None
        return now

    def check_books(self):
        status = self.status()
        assert status["requests"]["unaccounted"] == 0, status
        for protocol, one in status["protocols"].items():
            assert one["seen"] == sum(one["ended"].values()), (protocol, one)
        # Each request of the steady client was seen once, or is among those that are said to be missed.
        seen = status["protocols"]["mongodb"]["seen"]
        lost = sum(status["requests_missed"].values()) + sum(status["protocols"]["mongodb"]["turns_lost"].values())
        assert self.steady.asked - lost <= seen <= self.steady.asked, (self.steady.asked, lost, seen, status)
        seen = self.agent.metric_sum("http_server_request_duration_seconds_count", http_route=SteadyTls.ROUTE)
        lost = sum(status["requests_missed"].values()) + sum(status["protocols"]["http"]["turns_lost"].values())
        assert self.steady_tls.asked - lost <= seen <= self.steady_tls.asked, (self.steady_tls.asked, lost, seen, status)
        assert seen > 0 and status["protocols"]["http2"]["seen"] > 0, status
        return status

    def begin(self):
        self.steady.start()
        self.steady_tls.start()

    def run(self):
        start = time.monotonic()
        # The series and tables of the first minutes are no leak.
        self.begin()
        self.turns_until(start + self.seconds / 3)
        self.rest()
        before = self.holds()
        self.begin()
        self.turns_until(start + self.seconds)
        self.rest()
        after = self.check_flat(before)
        status = self.check_books()
        print(json.dumps({"rounds": self.rounds, "before": before, "after": after, "steady": [self.steady.asked, self.steady_tls.asked], "status": status}, indent=1))
        assert self.agent.stop() == 0, self.agent.child.output()[-8000:]
        full_disk(self.web_port)
        clock_is_set(self.web_port)


def main(seconds):
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(1 << 30))
    print(f"SECONDS={seconds:g} SEED={seed}", flush=True)
    Soak(seconds, seed).run()


if __name__ == "__main__":
    main(float(os.environ.get("SECONDS") or 3600))
