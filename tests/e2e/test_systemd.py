#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The packaged service under systemd itself, with everything its unit forbids: systemd is process 1 of namespaces of its own, over a
copy-on-write view of this host. The agent reads what it is there for, plain and over TLS, and nothing of it fails in the sandbox."""
import glob
import os
import re
import shutil
import subprocess
import tempfile
import unittest
import urllib.request

from harness import WAGGLE, Sink, free_port, request, wait_for
from namespaces import Group, inner, sandboxed
from test_tls_attach import get
from tls import certificate, key

BUILD = os.environ.get("WAGGLE_BUILD", os.path.dirname(WAGGLE))
# /sys and /proc of the namespaces: the unit makes them read-only, which this host's are not to be.
MOUNTS = """mount -t tmpfs tmpfs {folder}; mkdir {folder}/upper {folder}/work {root}
mount -t overlay overlay -o lowerdir=/,upperdir={folder}/upper,workdir={folder}/work {root}
mount -t proc proc {root}/proc; mount -t sysfs sysfs {root}/sys; mount -t cgroup2 cgroup2 {root}/sys/fs/cgroup
mount --rbind /dev {root}/dev; mount -t tmpfs tmpfs {root}/run; mount -t tmpfs tmpfs {root}/tmp; chmod 1777 {root}/tmp
rm -rf {root}/etc/systemd/system; mkdir {root}/etc/systemd/system
"""
# The target that systemd reaches: no login, no network, no clock of its own.
TARGET = "[Unit]\nDescription=nothing but what is started\nDefaultDependencies=no\n"
NGINX_UNIT = """[Unit]
DefaultDependencies=no
[Service]
ExecStart=/usr/sbin/nginx -c /etc/front.conf -p /run
"""
NGINX = """daemon off; worker_processes 1; pid /run/front.pid; error_log stderr; events {{ }}
http {{ access_log off; ssl_certificate /etc/front.certificate; ssl_certificate_key /etc/front.key;
       server {{ listen 127.0.0.1:{plain}; listen 127.0.0.1:{tls} ssl; location / {{ return 200 'hello'; }} }} }}
"""
# What a test adds to the unit: there is no journal, and a sanitizer would trace the agent at its end.
DROP_IN = """[Unit]
DefaultDependencies=no
[Service]
StandardOutput=file:/run/waggle.log
StandardError=file:/run/waggle.log
Environment=ASAN_OPTIONS=detect_leaks=0
"""


class Machine:
    def __init__(self, files):
        self.folder = tempfile.mkdtemp(prefix="waggle-systemd-")
        self.group = Group("machine")
        root = self.folder + "/root"
        mounts = MOUNTS.format(folder=self.folder, root=root)
        argv = ["env", "-i", "container=waggle-test", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "chroot", root, "/lib/systemd/systemd",
                "--system", "--unit=small.target", "--log-target=console", "--show-status=no"]
        staged = os.path.join(self.folder, "staged")
        os.mkdir(staged)
        for path, text in {"/etc/systemd/system/small.target": TARGET, **files}.items():
            os.makedirs(staged + os.path.dirname(path), exist_ok=True)
            with open(staged + path, "wb" if isinstance(text, bytes) else "w") as file:
                file.write(text)
        # What is staged lies beneath the mount: it is put there before, and copied once there is a root.
        mounts = f"exec 3<{staged}; {mounts} cp -a /proc/self/fd/3/. {root}/; exec 3<&-\n"
        self.child = sandboxed(argv, cgroup=True, group=self.group, mounts=mounts)
        self.pid = inner(self.child)
        try:
            wait_for(lambda: os.path.basename(os.readlink(f"/proc/{self.pid}/exe")) == "systemd"
                     and self.run("systemctl", "is-system-running", status=None).strip() in ("running", "degraded"), "systemd", 60)
        except BaseException:
            self.stop()
            raise

    def run(self, *argv, status=0):
        done = subprocess.run(["nsenter", "-t", str(self.pid), "-m", "-p", "-C", "-u", "chroot", self.folder + "/root", *argv], timeout=120,
                              capture_output=True, text=True, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8",
                                                                  "DEBIAN_FRONTEND": "noninteractive"})
        assert status is None or done.returncode == status, f"{argv}: {done.stdout}{done.stderr}{self.child.output()}"
        return done.stdout

    def show(self, unit, name):
        return self.run("systemctl", "show", "-P", name, unit).strip()

    def read(self, path):
        with open(f"/proc/{self.pid}/root{path}") as file:
            return file.read()

    def stop(self):
        self.child.stop()
        self.group.remove()
        shutil.rmtree(self.folder)


class Packaged(unittest.TestCase):
    def setUp(self):
        built = tempfile.mkdtemp(prefix="waggle-deb-")
        self.addCleanup(shutil.rmtree, built)
        subprocess.run(["cpack", "-G", "DEB", "-B", built], cwd=BUILD, check=True, capture_output=True)
        package, = glob.glob(built + "/*.deb")
        self.plain, self.tls, self.prometheus = free_port(), free_port(), free_port()
        self.sink = Sink()
        self.addCleanup(self.sink.stop)
        files = {"/etc/front.conf": NGINX.format(plain=self.plain, tls=self.tls), "/etc/systemd/system/front.service": NGINX_UNIT,
                 "/etc/systemd/system/waggle.service.d/test.conf": DROP_IN}
        for name, path in (("/etc/front.certificate", certificate()), ("/etc/front.key", key()), ("/waggle.deb", package)):
            with open(path, "rb") as file:
                files[name] = file.read()
        self.machine = Machine(files)
        self.addCleanup(self.machine.stop)

    def metrics(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.prometheus}/metrics", timeout=10) as answer:
            return answer.read().decode()

    def test_in_the_units_sandbox(self):
        machine = self.machine
        # Its own script would start it as packaged, on a port of this host.
        machine.run("systemctl", "mask", "--runtime", "waggle.service")
        machine.run("dpkg", "-i", "/waggle.deb")
        machine.run("systemctl", "unmask", "--runtime", "waggle.service")
        config = (f"discovery: {{services: [{{open_ports: '{self.plain},{self.tls}'}}]}}\n"
                  f"prometheus_export: {{port: {self.prometheus}, address: 127.0.0.1}}\n"
                  f"otel_traces_export: {{endpoint: 'http://127.0.0.1:{self.sink.port}', protocol: http/json, batch_timeout: 200ms}}\n")
        machine.run("sh", "-c", 'printf %s "$1" > /etc/waggle/waggle.yaml', "sh", config)
        machine.run("systemctl", "daemon-reload")
        machine.run("systemctl", "start", "front.service", "waggle.service")  # which waits until it says that it is ready
        self.assertEqual(machine.show("waggle.service", "ActiveState"), "active")
        pid = machine.show("waggle.service", "MainPID")
        status = dict(line.split(":", 1) for line in machine.run("cat", f"/proc/{pid}/status").splitlines())
        self.assertNotEqual(status["Uid"].split()[0], "0")
        self.assertEqual((status["NoNewPrivs"].strip(), status["Seccomp"].strip(), bin(int(status["CapEff"], 16)).count("1")), ("1", "2", 4))
        mounts = {line.split()[4]: line.split()[5] for line in machine.run("cat", f"/proc/{pid}/mountinfo").splitlines()}
        for path in ("/", "/proc/sys", "/sys"):
            self.assertIn("ro", mounts[path].split(","), mounts)

        wait_for(lambda: re.search(r"^waggle_tls_processes [1-9]", self.metrics(), re.M), "TLS to be read")
        request(self.plain, path="/plain")
        get(self.tls, "/secret")
        expected = [(self.plain, "/plain", "http"), (self.tls, "/secret", "https")]
        spans = wait_for(lambda: (lambda found: found if len(found) == 2 else None)(
            [s for s in self.sink.spans if s["url.path"] in ("/plain", "/secret")]), "both spans")
        self.assertEqual(sorted((s["server.port"], s["url.path"], s["url.scheme"]) for s in spans), sorted(expected))
        self.assertEqual({(s.kind, s["http.response.status_code"], s.resource["service.name"]) for s in spans}, {("server", 200, "front")})
        machine.run("systemctl", "reload", "waggle.service")
        wait_for(lambda: "reloaded" in machine.read("/run/waggle.log"), "the reload")
        log = machine.read("/run/waggle.log")
        for bad in ("not available", "without CAP_", "not permitted", "denied"):
            self.assertNotIn(bad, log)
        machine.run("systemctl", "stop", "waggle.service")
        self.assertEqual((machine.show("waggle.service", "Result"), machine.show("waggle.service", "ExecMainStatus")), ("success", "0"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
