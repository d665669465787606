# SPDX-License-Identifier: Apache-2.0
"""Containers without a container runtime: programs in network, pid, mount and cgroup namespaces of their own."""
import os
import subprocess
import uuid

from harness import Child, wait_for


# A first process that waits for whatever child it is given, as one of a container should.
INIT = ["sh", "-c", "while :; do sleep 1000; done"]


def sandboxed(argv, net=False, cgroup=False, mounts="", group=None, **more):
    """A Child with argv as process 1 of a pid namespace, which sees its own /proc. mounts: shell commands that
    prepare its mounts. With net it has a loopback of its own, with cgroup the group is the root it sees."""
    script = "set -e; mount --make-rprivate /; " + ("ip link set lo up; " if net else "") + mounts + ' exec "$@"'
    command = ["unshare", "--pid", "--fork", "--kill-child", "--mount", "--mount-proc"]
    command += (["--net"] if net else []) + (["--cgroup"] if cgroup else [])
    if group:
        command = group.joined(command)
    return Child([*command, "sh", "-c", script, "sh", *argv], **more)


def inner(child, depth=1):
    """The host's pid of the process that a sandboxed Child runs."""
    def found():
        pid = child.pid
        for _ in range(depth):
            try:
                with open(f"/proc/{pid}/task/{pid}/children") as file:
                    children = file.read().split()
            except OSError:
                return None
            if not children:
                return None
            pid = int(children[0])
        return pid
    return wait_for(found, "the sandboxed process")


def enter(pid, argv, **more):
    """Runs a command in the namespaces of a process; returns its output."""
    done = subprocess.run(["nsenter", "-t", str(pid), "-n", "-m", "-p", *argv], capture_output=True, text=True, timeout=30, **more)
    assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
    return done.stdout


class Group:
    """A cgroup of the test's own, called as a container runtime would call it."""

    def __init__(self, *parts):
        root = _hierarchy()
        self.top = os.path.join(root, f"waggle-test-{uuid.uuid4().hex[:8]}")
        self.path = os.path.join(self.top, *parts)
        os.makedirs(self.path)

    def take(self, pid):
        with open(os.path.join(self.path, "cgroup.procs"), "w") as file:
            file.write(str(pid))

    def joined(self, argv):
        """The command, run in the group."""
        return ["sh", "-c", f'echo $$ > {self.path}/cgroup.procs; exec "$@"', "sh", *argv]

    def remove(self):
        def gone():
            for folder, _, _ in os.walk(self.top, topdown=False):
                try:
                    os.rmdir(folder)
                except OSError:
                    return False
            return not os.path.exists(self.top)
        wait_for(gone, f"the end of {self.top}")


def _hierarchy():
    """Where groups can be made: version 2's, else systemd's or any other of version 1."""
    with open("/proc/mounts") as file:
        mounts = [line.split()[1:4] for line in file]
    by_kind = [path for path, kind, _ in mounts if kind == "cgroup2"] + [path for path, kind, _ in mounts if kind == "cgroup"]
    for path in by_kind:
        if os.access(path, os.W_OK):
            probe = os.path.join(path, f"waggle-probe-{os.getpid()}")
            try:
                os.mkdir(probe)
                os.rmdir(probe)
                return path
            except OSError:
                continue
    raise AssertionError(f"no cgroup hierarchy can be written to: {by_kind}")
