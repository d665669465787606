#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The Debian package, installed by dpkg into a copy-on-write view of this host that goes with the test; its service, started
with exactly the unit's user and capabilities; and the unit itself, as systemd's own tools judge it."""
import configparser
import glob
import os
import re
import signal
import socket
import subprocess
import tempfile
import unittest
import urllib.request

from harness import ROOT, WAGGLE, Child, free_port, request, wait_for
from services import nginx

BUILD = os.environ.get("WAGGLE_BUILD", os.path.dirname(WAGGLE))
UNIT = os.path.join(ROOT, "packaging/waggle.service")
CONFIG = "/etc/waggle/waggle.yaml"
FOUR = {"CAP_BPF", "CAP_PERFMON", "CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"}
# Holds the view open: other commands enter its mount namespace.
VIEW = """set -e
mount --make-rprivate /
mount -t tmpfs tmpfs {folder}
mkdir {folder}/upper {folder}/work {folder}/root
mount -t overlay overlay -o lowerdir=/,upperdir={folder}/upper,workdir={folder}/work {folder}/root
for name in proc sys dev; do mount --rbind /$name {folder}/root/$name; done
mkdir -p {shared} {folder}/root{shared}
mount --bind {shared} {folder}/root{shared}
echo ready
exec sleep infinity
"""


def unit():
    parser = configparser.RawConfigParser(strict=False, delimiters=("=",))
    parser.optionxform = str
    parser.read(UNIT)
    return parser["Service"]


class View:
    """A root folder that looks like this host's, and keeps what is written to it to itself."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="waggle-view-")
        self.shared = tempfile.mkdtemp(prefix="waggle-shared-")
        os.chmod(self.shared, 0o777)
        self.holder = Child(["unshare", "--mount", "sh", "-c", VIEW.format(folder=self.folder, shared=self.shared)])
        wait_for(lambda: "ready" in self.holder.output() or self.holder.process.poll() is not None, "the view")
        assert self.holder.process.poll() is None, self.holder.output()

    def command(self, *argv):
        return ["nsenter", "-t", str(self.holder.pid), "-m", "chroot", self.folder + "/root", *argv]

    def run(self, *argv, status=0):
        done = subprocess.run(self.command(*argv), capture_output=True, text=True, timeout=120,
                              env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"})
        assert status is None or done.returncode == status, f"{argv}: {done.stdout}{done.stderr}"
        return done.stdout

    def path(self, path):
        """Seen from outside, by way of the holder."""
        return f"/proc/{self.holder.pid}/root{self.folder}/root{path}"

    def read(self, path):
        with open(self.path(path)) as file:
            return file.read()

    def stop(self):
        self.holder.stop()
        os.rmdir(self.folder)


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        for old in glob.glob(os.path.join(BUILD, "waggle_*.deb")):
            os.remove(old)
        subprocess.run(["cpack", "-G", "DEB"], cwd=BUILD, check=True, capture_output=True)
        cls.deb, = glob.glob(os.path.join(BUILD, "waggle_*.deb"))
        cls.before = cls.host()
        cls.view = View()
        cls.view.run("cp", "/dev/null", "/etc/.probe")

    @classmethod
    def tearDownClass(cls):
        cls.view.stop()

    @staticmethod
    def host():
        with open("/etc/passwd") as file:
            return (file.read(), os.path.exists("/etc/waggle"), os.path.exists("/usr/bin/waggle"), os.path.exists("/etc/.probe"),
                    os.path.exists("/etc/systemd/system/multi-user.target.wants/waggle.service"))

    def status(self):
        return self.view.run("dpkg-query", "-W", "-f", "${db:Status-Status}", "waggle", status=None)

    def wanted(self):
        return os.path.islink(self.view.path("/etc/systemd/system/multi-user.target.wants/waggle.service"))

    def test_a_life(self):
        """Installed, run, changed, installed again, removed, purged: in order, since each needs the one before."""
        view = self.view
        with open(self.deb, "rb") as source, open(view.path("/root/waggle.deb"), "wb") as to:
            to.write(source.read())
        view.run("dpkg", "-i", "/root/waggle.deb")
        self.assertEqual(self.status(), "installed")
        self.assertTrue(self.wanted())
        user = next(line for line in view.read("/etc/passwd").splitlines() if line.startswith("waggle:")).split(":")
        self.assertLess(int(user[2]), 1000)
        self.assertEqual(user[5:], ["/nonexistent", "/usr/sbin/nologin"])
        self.check_modes(int(user[3]))
        self.assertIn("prometheus_export", view.run("waggle", "config", "check", CONFIG))
        self.assertEqual(view.run("dpkg", "--verify", "waggle"), "")
        self.check_service()

        # The administrator's own configuration, and what was disabled, survive an upgrade.
        with open(view.path(CONFIG), "a") as file:
            file.write("log_level: WARN\n")
        view.run("systemctl", "disable", "waggle.service")
        self.assertFalse(self.wanted())
        view.run("chmod", "0600", CONFIG)
        view.run("dpkg", "-i", "--force-confold", "/root/waggle.deb")
        self.assertIn("log_level: WARN", view.read(CONFIG))
        self.assertEqual(os.stat(view.path(CONFIG)).st_mode & 0o777, 0o600)
        self.assertFalse(self.wanted())

        view.run("dpkg", "-r", "waggle")
        self.assertFalse(os.path.exists(view.path("/usr/bin/waggle")))
        self.assertIn("log_level: WARN", view.read(CONFIG))
        view.run("dpkg", "-P", "waggle")
        self.assertFalse(os.path.exists(view.path("/etc/waggle")))
        self.assertFalse(os.path.lexists(view.path("/etc/systemd/system/waggle.service")))
        self.assertFalse(self.wanted())
        # None of it was this host's.
        self.assertEqual(self.host(), self.before)

    def check_modes(self, group):
        for path, mode in (("/etc/waggle", 0o750), (CONFIG, 0o640)):
            found = os.stat(self.view.path(path))
            self.assertEqual((found.st_mode & 0o777, found.st_uid, found.st_gid), (mode, 0, group), path)

    def check_service(self):
        """As systemd would start it, tell it to reload, and stop it."""
        service = unit()
        names = service["AmbientCapabilities"].lower().replace("cap_", "").split()
        changes = ",".join(["-all", *(f"+{name}" for name in names)])
        self.assertEqual(service["NoNewPrivileges"], "yes")
        path = os.path.join(self.view.shared, "notify")
        server, port = nginx("location / { return 200 'hello'; }")
        self.addCleanup(server.stop)
        # As packaged it would watch this host's own services, on a port of theirs.
        prometheus = free_port()
        text = self.view.read(CONFIG)
        self.assertIn("\n  port: 9464\n", text)
        with open(self.view.path(CONFIG), "w") as file:
            file.write(text.replace("port: 9464", f"port: {prometheus}") + f"discovery: {{services: [{{open_ports: {port}}}]}}\n")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(path)
            os.chmod(path, 0o777)
            notify.settimeout(30)
            child = Child(self.view.command("setpriv", "--reuid=" + service["User"], "--regid=" + service["Group"], "--clear-groups",
                                            "--no-new-privs", f"--inh-caps={changes}", f"--ambient-caps={changes}",
                                            f"--bounding-set={changes}", *service["ExecStart"].split()),
                          env={"NOTIFY_SOCKET": path, "ASAN_OPTIONS": "detect_leaks=0"})
            self.addCleanup(child.stop)
            wait_for(lambda: child.process.poll() is not None or "watching" in child.output(), "the start")
            self.assertIsNone(child.process.poll(), child.output())
            self.assertIn("READY=1", notify.recv(1000).decode())
            self.assertNotIn("without CAP_", child.output())
            self.assertNotIn("not available", child.output())
            with open(f"/proc/{child.pid}/status") as file:
                status = dict(line.split(":", 1) for line in file.read().splitlines())
            self.assertNotEqual(status["Uid"].split()[0], "0")
            self.assertEqual(bin(int(status["CapEff"], 16)).count("1"), len(FOUR))

            def counted():
                request(port, path="/packaged")
                with urllib.request.urlopen(f"http://127.0.0.1:{prometheus}/metrics", timeout=5) as answer:
                    return re.search(r'http_server_request_duration_seconds_count\{[^}]*http_route="/packaged"[^}]*job="nginx"', answer.read().decode())
            wait_for(counted, "nginx's requests")
            self.assertEqual(service["ExecReload"], "/bin/kill -HUP $MAINPID")
            child.process.send_signal(signal.SIGHUP)
            wait_for(lambda: "reloaded" in child.output(), "the reload: the file is readable for the agent's user")
            child.process.send_signal(signal.SIGTERM)
            self.assertIn("STOPPING=1", notify.recv(1000).decode())
            self.assertEqual(child.process.wait(20), 0, child.output())

    def test_the_unit(self):
        service = unit()
        self.assertEqual(set(service["AmbientCapabilities"].split()), FOUR)
        self.assertEqual(set(service["CapabilityBoundingSet"].split()), FOUR)
        self.assertEqual(service["Type"], "notify")
        # The program it names is not on this host.
        folder = tempfile.mkdtemp(prefix="waggle-unit-")
        path = os.path.join(folder, "waggle.service")
        with open(UNIT) as source, open(path, "w") as to:
            to.write(source.read().replace("/usr/bin/waggle", WAGGLE))
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", path], capture_output=True, text=True, timeout=60)
        # Other packages' units are read as well.
        self.assertEqual((done.returncode, [line for line in done.stderr.splitlines() if "waggle" in line]), (0, []), done.stderr)
        # Of 10; below 3 is "OK". What it has is what BPF and /proc need.
        done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=30", path], capture_output=True, text=True,
                              timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout[-3000:])


if __name__ == "__main__":
    unittest.main(verbosity=2)
