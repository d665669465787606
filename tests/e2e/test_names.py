#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What services are called and what their resource says: by environment, selector, unit and program, with real
programs; workers are one instance."""
import os
import platform
import pwd
import re
import shutil
import socket
import tempfile
import unittest

from harness import WAGGLE, Agent, Child, free_port, request
from namespaces import Group
from services import nginx
from talk import service_folder

PYTHON = "/usr/bin/python3"
ORDERS = os.path.join(service_folder("python"), "orders.py")

NODE = "require('http').createServer((q, a) => a.end('x')).listen(process.argv[2], '127.0.0.1')"
RUBY = """require 'socket'
listener = TCPServer.new('127.0.0.1', ARGV[0].to_i)
loop do
  caller = listener.accept
  line = caller.gets until line.to_s.strip.empty? && !line.nil? || caller.eof?
  caller.write "HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n" rescue nil
  caller.close
end
"""
WSGI = "def app(environment, start):\n    start('200 OK', [('Content-Length', '0')])\n    return [b'']\n"
ASGI = ("async def app(scope, receive, send):\n    if scope['type'] != 'http': return\n"
        "    await send({'type': 'http.response.start', 'status': 200, 'headers': [(b'content-length', b'0')]})\n"
        "    await send({'type': 'http.response.body', 'body': b''})\n")
SERVER = "import http.server, sys\nhttp.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()\n"


# The agent in a place where the host has a domain.
WITH_DOMAIN = """hostname bee && echo '127.0.1.1 bee.hive.example bee' > "$0" && mount --bind "$0" /etc/hosts && exec "$@\""""

# … and where only a name server would know of one.
WITHOUT_DOMAIN = """hostname bee && echo '127.0.0.1 localhost' > "$0" && mount --bind "$0" /etc/hosts &&
echo "nameserver $1" > "$0.resolver" && mount --bind "$0.resolver" /etc/resolv.conf && shift && exec "$@\""""


class Names(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="tmp-waggle-names-")
        os.chmod(cls.folder, 0o755)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def file(self, path, text):
        path = os.path.join(self.folder, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
        return path

    def resources(self, *starts, selector=None):
        """The resource of each of the programs: (argv with {port}, working directory, environment)."""
        children, ports = [], []
        for argv, cwd, env in starts:
            ports.append(free_port())
            children.append(Child([a.replace("{port}", str(ports[-1])) for a in argv], cwd=cwd, env=env))
            self.addCleanup(children[-1].stop)
        for child, port in zip(children, ports):
            child.wait_port(port)
        services = [{"open_ports": ",".join(map(str, ports)), **(selector or {})}]
        with Agent(services=services) as agent:
            for port in ports:
                request(port, path="/hello")
            spans = {s["server.port"]: s for s in agent.expect_spans(len(ports))}
        return [spans[port].resource for port in ports]

    def names(self, *starts):
        return [r["service.name"] for r in self.resources(*[(*start, {}) for start in starts])]

    def test_python(self):
        self.file("shop/app.py", SERVER)
        self.file("books/manage.py", SERVER)
        self.file("cart/__main__.py", SERVER)
        self.file("till/wsgi.py", WSGI)
        self.file("menu/main.py", ASGI)
        at = lambda name: os.path.join(self.folder, name)
        self.assertEqual(self.names(
            ([PYTHON, ORDERS, "{port}"], "/"),
            ([PYTHON, "-u", "app.py", "{port}"], at("shop")),
            ([PYTHON, at("books/manage.py"), "{port}"], "/"),
            ([PYTHON, "-m", "http.server", "--bind", "127.0.0.1", "{port}"], "/"),
            ([PYTHON, "-m", "cart", "{port}"], self.folder),
            (["gunicorn", "-w", "2", "-b", "127.0.0.1:{port}", "till.wsgi:app"], self.folder),
            (["gunicorn", "-b", "127.0.0.1:{port}", "wsgi:app"], at("till")),
            (["gunicorn", "-n", "named", "-b", "127.0.0.1:{port}", "wsgi:app"], at("till")),
            ([PYTHON, "-m", "uvicorn", "--port", "{port}", "menu.main:app"], self.folder),
            ([PYTHON, self.file("bin/uvicorn", "import uvicorn\nuvicorn.main()\n"), "main:app", "--port", "{port}"], at("menu"))),
            ["orders", "shop", "books", "http.server", "cart", "till", "till", "named", "menu", "menu"])

    def test_node(self):
        self.file("basket.js", NODE)
        self.file("shop/dist/index.js", NODE)
        self.file("web/package.json", '{"name": "@acme/storefront", "version": "1.0.0"}')
        self.file("web/server.js", NODE)
        at = lambda name: os.path.join(self.folder, name)
        self.assertEqual(self.names(
            (["node", at("basket.js"), "{port}"], "/"),
            (["node", "dist/index.js", "{port}"], at("shop")),
            (["node", "server.js", "{port}"], at("web")),
            (["node", "--max-http-header-size=9000", at("web/server.js"), "{port}"], "/"),
            (["node", "-e", NODE.replace("process.argv[2]", "process.argv[1]"), "{port}"], at("web"))),
            ["basket", "shop", "storefront", "storefront", "storefront"])

    def test_others(self):
        script = self.file("catalog.rb", RUBY)
        gallery = self.file("gallery/public/index.php", "<?php echo 'x';")
        java = self.file("Lamp.java", "import com.sun.net.httpserver.*; import java.net.*; public class Lamp { public static void main(String[] a) "
                         "throws Exception { var s = HttpServer.create(new InetSocketAddress(\"127.0.0.1\", Integer.parseInt(a[0])), 0); "
                         "s.createContext(\"/\", x -> { x.sendResponseHeaders(200, -1); x.close(); }); s.start(); } }")
        self.assertEqual(self.names(
            (["ruby", script, "{port}"], "/"),
            (["php", "-S", "127.0.0.1:{port}", "-t", os.path.dirname(gallery)], "/"),
            (["java", java, "{port}"], "/"),
            (["busybox", "httpd", "-f", "-p", "127.0.0.1:{port}", "-h", os.path.dirname(gallery)], "/")),
            ["catalog", "gallery", "Lamp", "httpd"])

    def test_environment_of_the_program(self):
        first, second, third, fourth = self.resources(
            ([PYTHON, ORDERS, "{port}"], "/", {"OTEL_SERVICE_NAME": "checkout", "OTEL_RESOURCE_ATTRIBUTES": "service.name=no,team=blue"}),
            ([PYTHON, ORDERS, "{port}"], "/", {"OTEL_RESOURCE_ATTRIBUTES": "service.name=payments,service.namespace=eu%20west,"
                                               "service.instance.id=seven,service.version=1.2,deployment.environment.name=prod"}),
            ([PYTHON, ORDERS, "{port}"], "/", {"OTEL_RESOURCE_ATTRIBUTES": "team=red"}),
            ([PYTHON, ORDERS, "{port}"], "/", {}),
            selector={"name": "chosen", "namespace": "space"})
        self.assertEqual((first["service.name"], first["service.namespace"], first["team"]), ("checkout", "space", "blue"))
        self.assertEqual((second["service.name"], second["service.instance.id"], second["service.version"], second["deployment.environment.name"]),
                         ("payments", "seven", "1.2", "prod"))
        self.assertEqual((third["service.name"], third["service.namespace"], third["team"]), ("chosen", "space", "red"))
        self.assertEqual((fourth["service.name"], fourth["service.namespace"]), ("chosen", "space"))

    def test_namespace_of_the_program(self):
        resource, = self.resources(([PYTHON, ORDERS, "{port}"], "/", {"OTEL_RESOURCE_ATTRIBUTES": "service.namespace=eu%20west"}))
        self.assertEqual((resource["service.name"], resource["service.namespace"]), ("orders", "eu west"))

    def test_unit(self):
        """systemd's group names the service, not python's script; what the unit's program starts has its own name."""
        group = Group("system.slice", "storefront@eu.service")
        self.addCleanup(group.remove)
        port = free_port()
        child = Child(group.joined([PYTHON, ORDERS, str(port)]))
        self.addCleanup(child.stop)
        child.wait_port(port)
        with Agent(services=[{"open_ports": str(port)}]) as agent:
            request(port, path="/hello")
            span, = agent.expect_spans(1)
            self.assertEqual(span.service, "storefront")
        child.stop()

    def test_a_resolver_that_does_not_answer(self):
        """It is asked before the programs are loaded, and nobody waits for it longer than for them, or not much."""
        port = free_port()
        child = Child([PYTHON, ORDERS, str(port)]).wait_port(port)
        self.addCleanup(child.stop)
        address = f"127.83.{os.getpid() >> 8 & 255}.{os.getpid() & 255}"
        with socket.socket(type=socket.SOCK_DGRAM) as resolver:
            resolver.bind((address, 53))
            resolver.settimeout(30)
            command = ("unshare", "-mu", "sh", "-c", WITHOUT_DOMAIN, self.file("hosts", ""), address, WAGGLE)
            with Agent(services=[{"open_ports": str(port)}], command=command, wait=False) as agent:
                self.assertIn(b"\x03bee", resolver.recv(512))
                self.assertNotIn("sockets: by", agent.child.output())
                agent.wait_ready()
                request(port, path="/hello")
                span, = agent.expect_spans(1)
        self.assertEqual(span.resource["host.name"], "bee")

    def test_whole_resource(self):
        """Everything a resource says, and nothing else."""
        port = free_port()
        child = Child([PYTHON, ORDERS, str(port)])
        self.addCleanup(child.stop)
        child.wait_port(port)
        command = ("unshare", "-mu", "sh", "-c", WITH_DOMAIN, self.file("hosts", ""), WAGGLE)
        with Agent(services=[{"open_ports": str(port)}], command=command) as agent:
            request(port, path="/hello")
            span, = agent.expect_spans(1)
        host = "bee.hive.example"
        resource = dict(span.resource)
        self.assertTrue(resource.pop("host.id"))
        self.assertTrue(resource.pop("telemetry.sdk.version"))
        self.assertEqual(resource, {
            "service.name": "orders", "service.instance.id": f"{host}:{child.pid}", "telemetry.sdk.language": "python",
            "telemetry.sdk.name": "waggle", "process.pid": str(child.pid), "process.executable.name": os.path.basename(os.path.realpath(PYTHON)),
            "process.executable.path": os.path.realpath(PYTHON), "process.command": PYTHON, "process.owner": pwd.getpwuid(os.getuid()).pw_name,
            "process.runtime.name": "python", "host.name": host, "host.arch": {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()],
            "os.type": "linux", **self.group_of(child.pid)})

    def group_of(self, pid):
        """Where the tests themselves run in a container, their children say so."""
        with open(f"/proc/{pid}/cgroup") as file:
            ids = re.findall(r"[0-9a-f]{64}", file.read())
        return {"container.id": ids[0]} if ids else {}

    def test_agents_own_attributes(self):
        """Given to the agent, they are for programs that have none."""
        port = free_port()
        child = Child([PYTHON, ORDERS, str(port)]).wait_port(port)
        self.addCleanup(child.stop)
        config = "attributes:\n  instance_id:\n    override_hostname: elsewhere\n"
        with Agent(services=[{"open_ports": str(port)}], config=config, env={"OTEL_RESOURCE_ATTRIBUTES": "region=north"}) as agent:
            request(port, path="/hello")
            span, = agent.expect_spans(1)
        self.assertEqual((span.resource["region"], span.resource["host.name"], span.resource["service.instance.id"]),
                         ("north", "elsewhere", f"elsewhere:{child.pid}"))

    def test_workers_are_one_instance(self):
        server, port = nginx(workers=32, http="keepalive_timeout 0;")
        self.addCleanup(server.stop)
        with Agent(services=[{"open_ports": str(port)}]) as agent:
            with open(f"/proc/{server.pid}/task/{server.pid}/children") as file:
                self.assertEqual(len(file.read().split()), 32)
            for _ in range(100):
                request(port)
            spans = agent.expect_spans(100)
            self.assertEqual({s.resource["service.instance.id"] for s in spans}, {f"{spans[0].resource['host.name']}:{server.pid}"})
            self.assertEqual({s.resource["process.pid"] for s in spans}, {str(server.pid)})
            instances = {dict(labels)["instance"] for (name, labels), _ in agent.metrics().items()
                         if name == "http_server_request_duration_seconds_count"}
            self.assertEqual(len(instances), 1)

    def test_two_instances_of_one_program(self):
        first, second = (nginx() for _ in range(2))
        self.addCleanup(first[0].stop)
        self.addCleanup(second[0].stop)
        with Agent(services=[{"open_ports": f"{first[1]},{second[1]}"}]) as agent:
            request(first[1])
            request(second[1])
            spans = agent.expect_spans(2)
            self.assertEqual([s.resource["process.pid"] for s in spans], [str(first[0].pid), str(second[0].pid)])


if __name__ == "__main__":
    unittest.main(verbosity=2)
