#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Services in network, pid, mount and cgroup namespaces of their own, and the agent itself in such: addresses, pids and
names are right from wherever one looks."""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import unittest

from harness import WAGGLE, Agent, Child, Sink, free_port, request, subset, wait_for
from namespaces import INIT, Group, enter, inner, sandboxed
from talk import TALK, expected_client, expected_server, service_folder, steady

PYTHON = "/usr/bin/python3"
ID = "c0ffee" * 10 + "1234"
POD = "7260904b-bb36-4f84-bd52-8ee4a8fd9a50"
PORT = 8080  # in a network namespace of its own any is free


def orders(port=PORT):
    return [PYTHON, os.path.join(service_folder("python"), "orders.py"), str(port)]


def listens(pid, port=PORT):
    def found():
        with open(f"/proc/{pid}/net/tcp") as file:
            return f":{port:04X} 00000000:0000 0A" in file.read()
    wait_for(found, f"port {port} of process {pid}")


def curl(pid, path, port=PORT):
    return enter(pid, ["curl", "-sS", "-A", "probe/1", f"http://127.0.0.1:{port}{path}"])


class ServiceInContainer(unittest.TestCase):
    """The agent on the host, the service in a container."""

    def contained(self, *group, **more):
        child = sandboxed(orders(), net=True, **more)
        self.addCleanup(child.stop)
        if group:
            cgroup = Group(*group)
            self.addCleanup(cgroup.remove)
            self.addCleanup(child.stop)
            cgroup.take(inner(child))
        pid = inner(child)
        listens(pid)
        return pid

    def check(self, agent, pid, service="orders", **resource):
        self.assertEqual(curl(pid, "/hello"), "hello")
        span, = agent.expect_spans(1)
        self.assertEqual((span.kind, span.name, span.service), ("server", "GET /hello", service))
        subset(span, server__address="127.0.0.1", server__port=PORT, client__address="127.0.0.1", http__response__status_code=200)
        self.assertEqual(span.resource["process.pid"], str(pid))
        self.assertTrue(span.resource["service.instance.id"].endswith(f":{pid}"), span.resource)
        found = {key: span.resource.get(key) for key in ("container.id", "container.name", "k8s.pod.uid")}
        self.assertEqual(found, {"container.id": None, "container.name": None, "k8s.pod.uid": None, **resource})

    def test_older_than_the_agent(self):
        pid = self.contained("docker", ID)
        with Agent(services=[{"open_ports": str(PORT)}]) as agent:
            self.check(agent, pid, **{"container.id": ID})

    def test_started_later(self):
        with Agent(services=[{"open_ports": str(PORT)}]) as agent:
            self.check(agent, self.contained("kubepods", "burstable", "pod" + POD, ID), **{"container.id": ID, "k8s.pod.uid": POD})

    def test_pod_by_systemds_driver(self):
        """CRI-O keeps on the host what Kubernetes calls the container, by which the service is called."""
        bundle = os.path.join("/run/containers/storage/overlay-containers", ID)
        os.makedirs(os.path.join(bundle, "userdata"))
        self.addCleanup(os.removedirs, os.path.dirname(bundle))  # those that nobody else has something in
        self.addCleanup(shutil.rmtree, bundle)
        with open(os.path.join(bundle, "userdata/config.json"), "w") as file:
            json.dump({"annotations": {"io.kubernetes.container.name": "till"}}, file)
        pid = self.contained("kubepods.slice", f"kubepods-pod{POD.replace('-', '_')}.slice", f"crio-{ID}.scope")
        with Agent(services=[{"any_listener": True, "cmd_args": "orders.py"}]) as agent:
            self.check(agent, pid, service="till", **{"container.id": ID, "container.name": "till", "k8s.pod.uid": POD})

    def test_name_from_files_of_its_own(self):
        """node's package.json is read where the container sees it, not where the host has another."""
        folder = tempfile.mkdtemp(prefix="waggle-container-")
        self.addCleanup(shutil.rmtree, folder)
        image = os.path.join(folder, "image")
        service = os.path.join(folder, "service")
        for path, name in ((image, "inside"), (service, "outside")):
            os.mkdir(path)
            with open(os.path.join(path, "package.json"), "w") as file:
                file.write('{"name": "@acme/%s"}' % name)
            with open(os.path.join(path, "server.js"), "w") as file:
                file.write(f"require('http').createServer((q, a) => a.end('hello')).listen({PORT}, '127.0.0.1')")
        child = sandboxed(["node", os.path.join(service, "server.js")], net=True, mounts=f"mount --bind {image} {service};")
        self.addCleanup(child.stop)
        pid = inner(child)
        listens(pid)
        with Agent(services=[{"open_ports": str(PORT)}]) as agent:
            curl(pid, "/")
            span, = agent.expect_spans(1)
            self.assertEqual((span.service, span.resource["telemetry.sdk.language"]), ("inside", "nodejs"))

    def test_same_address_in_two_networks(self):
        """Both have 127.0.0.1:8080; connections and services stay apart."""
        first, second = self.contained(), self.contained()
        with Agent(services=[{"open_ports": str(PORT)}]) as agent:
            for turn in range(5):
                curl(first, "/hello")
                curl(second, "/big")
            spans = agent.expect_spans(10)
            by_pid = {(s.resource["process.pid"], s["url.path"]) for s in spans}
            self.assertEqual(by_pid, {(str(first), "/hello"), (str(second), "/big")})

    def test_calls_from_a_container_join(self):
        """A client inside and its server are the same call when both are watched."""
        pid = self.contained()
        with Agent(services=[{"open_ports": str(PORT)}, {"exe_path": "/curl$", "cmd_args": "probe/1"}]) as agent:
            curl(pid, "/hello")
            spans = agent.expect_spans(2)
            by_kind = {s.kind: s for s in spans}
            self.assertEqual(by_kind["server"].parent, by_kind["client"].span_id)
            self.assertEqual(by_kind["client"].service, "curl")


class TwoNetworks(unittest.TestCase):
    """A client and a server in two networks, joined by a cable: each end's address is its own, and never taken for the other's."""
    maxDiff = None
    FORMS = {"ipv4": (8080, "0.0.0.0", "10.9.0.1", "10.9.0.2"),  # port, where the server listens, the client's address, the server's
             "ipv6": (8081, "fd09::2", "fd09::1", "fd09::2"),
             "mapped": (8082, "::", "10.9.0.1", "10.9.0.2")}

    def network(self):
        """A process that holds one; as the first of its own it hears nothing milder."""
        child = sandboxed(INIT, net=True)
        self.addCleanup(child.stop, signal.SIGKILL)
        return inner(child)

    def within(self, network, argv, **more):
        child = Child(["nsenter", "-t", str(network), "-n", *argv], **more)
        self.addCleanup(child.stop)
        return child

    def ip(self, network, *arguments):
        done = self.within(network, ["ip", *arguments])
        self.assertEqual(done.process.wait(30), 0, f"{arguments}: {done.output()}")

    def test_addresses(self):
        near, far = self.network(), self.network()
        self.ip(near, "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", str(far))
        for network, end in ((near, "1"), (far, "2")):
            self.ip(network, "link", "set", "cable", "up")
            self.ip(network, "address", "add", f"10.9.0.{end}/24", "dev", "cable")
            self.ip(network, "address", "add", f"fd09::{end}/64", "dev", "cable", "nodad")
        for port, address, _, _ in self.FORMS.values():
            self.within(far, [*orders(port), address])
            wait_for(lambda: self.is_heard(far, port), f"port {port}")
        client = self.within(near, ["curl", "-K", "-"], stdin=subprocess.PIPE)
        with Agent(services=[{"open_ports": "8080-8082", "cmd_args": "orders.py"}, {"pids": [client.pid]}]) as agent:
            wait_for(lambda: agent.metric_sum("waggle_processes_watched") == 4, "all to be watched")
            said = [f'url = "{self.url(port, far)}"\noutput = "/dev/null"\nuser-agent = "talk/1"\nsilent\n'
                    for port, _, _, far in self.FORMS.values()]
            client.process.stdin.write("next\n".join(said).encode())
            client.process.stdin.close()
            spans = {(s.kind, s["server.port"]): s for s in agent.expect_spans(6)}
            for form, (port, _, near, far) in self.FORMS.items():
                with self.subTest(form):
                    self.check(port, near, far, spans["client", port], spans["server", port])

    def check(self, port, near, far, call, answer):
        self.assertEqual(steady(call), expected_client(TALK[0], port, **{
            "server.address": far, "network.peer.address": far, "url.full": self.url(port, far)}))
        self.assertEqual(steady(answer), expected_server(TALK[0], port, **{
            "server.address": far, "client.address": near, "network.peer.address": near, "waggle.parent": "exact"}))
        self.assertEqual((answer.trace_id, answer.parent), (call.trace_id, call.span_id))

    def url(self, port, host):
        return f"http://[{host}]:{port}{TALK[0].target}" if ":" in host else f"http://{host}:{port}{TALK[0].target}"

    def is_heard(self, network, port):
        for table in ("tcp", "tcp6"):
            with open(f"/proc/{network}/net/{table}") as file:
                if any(line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A" for line in file):
                    return True
        return False


class AgentInContainer(unittest.TestCase):
    """The agent in pid, mount and cgroup namespaces of its own: it sees what lives in there, by the numbers it has there."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="waggle-inside-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.sink = Sink()
        self.addCleanup(self.sink.stop)
        # The container's first process; the others are put beside it. Its group is the root that it sees.
        group = Group("docker", "0" * 64)
        self.addCleanup(group.remove)
        self.container = sandboxed(INIT, cgroup=True, group=group)
        self.addCleanup(self.container.stop)
        self.first = inner(self.container)

    def inside(self, argv, **more):
        """A process of the container, and its pid there."""
        child = Child(["nsenter", "-t", str(self.first), "-p", "-m", "-C", *argv], **more)
        self.addCleanup(child.stop)
        pid = inner(child)
        with open(f"/proc/{pid}/status") as file:
            numbers = next(line for line in file if line.startswith("NSpid:")).split()[1:]
        return child, int(numbers[1])

    def agent(self, services):
        path = os.path.join(self.folder, "waggle.yaml")
        port = free_port()
        self.write(path, services, port)
        child, _ = self.inside([WAGGLE, "run", "--config", path], env={"ASAN_OPTIONS": "detect_leaks=0"})
        self.wait(child, port)
        return child

    def write(self, path, services, port):
        with open(path, "w") as file:
            file.write("discovery:\n  services:\n" + "".join(f"    - {s}\n" for s in services) +
                       f"otel_traces_export:\n  endpoint: http://127.0.0.1:{self.sink.port}/v1/traces\n  protocol: http/json\n"
                       f"  batch_timeout: 50ms\nprometheus_export:\n  port: {port}\n  address: 127.0.0.1\n")

    def wait(self, child, port):
        try:
            child.wait_port(port)
            wait_for(lambda: request(port, path="/readyz")[0] == 200, "the agent to be ready")
        except AssertionError as error:
            raise AssertionError(f"{error}: {child.output()}") from None

    def expect(self, count):
        wait_for(lambda: len(self.sink.spans) >= count, f"{count} spans; there are {self.sink.spans}")
        self.assertEqual(len(self.sink.spans), count, self.sink.spans)
        return sorted(self.sink.spans, key=lambda s: s.start)

    def check(self, span, pid, port):
        self.assertEqual((span.service, span.kind, span["server.port"]), ("orders", "server", port))
        self.assertEqual(span.resource["process.pid"], str(pid))
        self.assertTrue(span.resource["service.instance.id"].endswith(f":{pid}"), span.resource)

    def test_older_than_the_agent(self):
        port, other = free_port(), free_port()
        server, pid = self.inside(orders(port))
        server.wait_port(port)
        outside = Child(orders(other)).wait_port(other)
        self.addCleanup(outside.stop)
        self.agent([f"{{open_ports: '{port},{other}'}}"])
        request(other, path="/hello")
        request(port, path="/hello")
        span, = self.expect(1)
        self.check(span, pid, port)

    def test_started_later(self):
        port, other = free_port(), free_port()
        self.agent([f"{{open_ports: '{port},{other}'}}"])
        server, pid = self.inside(orders(port))
        server.wait_port(port)
        outside = Child(orders(other)).wait_port(other)
        self.addCleanup(outside.stop)
        request(other, path="/hello")
        request(port, path="/hello")
        span, = self.expect(1)
        self.check(span, pid, port)

    def test_container_in_the_container(self):
        """What the agent's namespace holds below it has a number there too."""
        port = free_port()
        nested = Child(["nsenter", "-t", str(self.first), "-p", "-m", "-C", "unshare", "--pid", "--fork", "--kill-child", "--mount",
                        "--mount-proc", *orders(port)])
        self.addCleanup(nested.stop)
        nested.wait_port(port)
        self.agent([f"{{open_ports: {port}}}"])
        request(port, path="/hello")
        span, = self.expect(1)
        # Of the numbers in the host's, the agent's and its own namespace: the second.
        host = next(int(p) for p in os.listdir("/proc") if p.isdigit() and self.command_of(p) == orders(port))
        with open(f"/proc/{host}/status") as file:
            numbers = next(line for line in file if line.startswith("NSpid:")).split()[1:]
        self.assertEqual(len(numbers), 3)
        self.check(span, int(numbers[1]), port)

    def command_of(self, pid):
        try:
            with open(f"/proc/{pid}/cmdline") as file:
                return file.read().rstrip("\0").split("\0")
        except OSError:
            return None

    def test_with_the_hosts_proc(self):
        """In a pid namespace of its own, but with the host's /proc: it sees the host, by the host's numbers."""
        older, port = free_port(), free_port()
        config = os.path.join(self.folder, "waggle.yaml")
        self.write(config, [f"{{open_ports: '{older},{port}'}}"], scrapes := free_port())
        before = Child(orders(older)).wait_port(older)
        self.addCleanup(before.stop)
        agent = Child(["unshare", "--pid", "--fork", "--kill-child", WAGGLE, "run", "--config", config], env={"ASAN_OPTIONS": "detect_leaks=0"})
        self.addCleanup(agent.stop)
        self.wait(agent, scrapes)
        after = Child(orders(port)).wait_port(port)
        self.addCleanup(after.stop)
        request(older, path="/hello")
        request(port, path="/hello")
        spans = self.expect(2)
        self.check(spans[0], before.pid, older)
        self.check(spans[1], after.pid, port)

    def test_another_containers_id(self):
        """Seen from the agent's cgroup namespace the service's group is beside its own root."""
        group = Group("docker", ID)
        self.addCleanup(group.remove)
        port = free_port()
        server, pid = self.inside(orders(port))
        group.take(inner(server))
        server.wait_port(port)
        self.agent([f"{{open_ports: {port}}}"])
        request(port, path="/hello")
        span, = self.expect(1)
        self.check(span, pid, port)
        self.assertEqual(span.resource["container.id"], ID)
        server.stop()

    def test_forked_workers(self):
        port = free_port()
        self.agent([f"{{open_ports: {port}}}"])
        script = os.path.join(self.folder, "forking.py")
        with open(script, "w") as file:
            file.write("import http.server, os, sys\n"
                       f"server = http.server.HTTPServer(('127.0.0.1', {port}), http.server.SimpleHTTPRequestHandler)\n"
                       "for _ in range(3): os.fork()\n"
                       "server.serve_forever()\n")
        server, pid = self.inside([PYTHON, script])
        server.wait_port(port)
        for _ in range(20):
            request(port)
        spans = self.expect(20)
        self.assertEqual({(s.service, s.resource["process.pid"]) for s in spans}, {("forking", str(pid))})


if __name__ == "__main__":
    unittest.main(verbosity=2)
