#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Boots a Debian kernel in QEMU (no KVM, no root) with the built agent, nginx and curl in an initramfs,
and runs a script there. guest.py --kernel 6.1 [--script FILE]. Images are cached outside the tree (kernels.py).
WAGGLE_GUEST_LOG names a file for the serial log."""
import argparse
import functools
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

from kernels import find_kernel

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
INIT = """#!/bin/busybox sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
/bin/busybox --install -s /bin
mkdir -p /proc /sys /dev /tmp /run /var/log/nginx /var/lib/nginx /root
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev 2>/dev/null
mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null
mkdir -p /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup 2>/dev/null
mount -t tmpfs tmpfs /tmp; mount -t tmpfs tmpfs /run
ip link set lo up
sh /script
echo "GUEST-STATUS $?"
stty sane < /dev/console  # waits until all has gone out
sleep 3
poweroff -f
"""
MACHINES = {
    "amd64": ["qemu-system-x86_64", "-cpu", "qemu64", "-append", "console=ttyS0 tsc=reliable no_timer_check"],
    "arm64": ["qemu-system-aarch64", "-machine", "virt", "-cpu", "cortex-a57", "-append", "console=ttyAMA0"],
}
# Whoever ends a test ends its machine.
ENDS_WITH_US = ["setpriv", "--pdeathsig", "KILL"]
TUPLES = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}


@functools.cache
def needs(binary):
    """What the program or library is linked with, its loader included."""
    out = subprocess.run(["readelf", "-ldW", binary], capture_output=True, text=True, check=True).stdout
    return tuple(re.findall(r"\(NEEDED\).*\[(.+)\]", out) +
                 [os.path.basename(path) for path in re.findall(r"interpreter: (.+)\]", out)])


def libraries(binaries, arch, roots):
    """{place in the guest: file}, as the loader there finds them."""
    folders = [f"{root}/{prefix}/{TUPLES[arch]}" for root in roots for prefix in ("lib", "usr/lib")] + ["/lib64"] * (arch == "amd64")
    found = {}
    left = list(binaries)
    while left:
        for name in needs(left.pop()):
            path = next((f"{folder}/{name}" for folder in folders if os.path.exists(f"{folder}/{name}")), None)
            if not path:
                raise FileNotFoundError(f"{name}: in none of {', '.join(folders)}")
            place = f"/lib64/{name}" if name.startswith("ld-linux-x86") else f"/lib/{name}" if name.startswith("ld-linux") \
                else f"/lib/{TUPLES[arch]}/{name}"
            if place not in found:
                found[place] = path
                left.append(path)
    return found


def build_initramfs(path, script, binaries, files, arch="amd64", roots=("/",)):
    with tempfile.TemporaryDirectory() as work:
        tree = pathlib.Path(work)
        tree.chmod(0o755)
        wanted = {place: binary for binary, place in binaries.items()}
        wanted.update(libraries(binaries, arch, roots))
        wanted.update({place: source for place, source in files.items()})
        for place, source in wanted.items():
            to = tree / place.lstrip("/")
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, to)
        # What only a debugger reads is most of what the guest would have to unpack.
        for binary, place in binaries.items():
            subprocess.run(["llvm-strip-19", "--strip-debug", tree / place.lstrip("/")], check=True)
        for folder in ("bin", "etc", "dev", "var/www", "usr/share"):
            (tree / folder).mkdir(parents=True, exist_ok=True)
        if not (tree / "bin/busybox").exists():
            shutil.copy(shutil.which("busybox"), tree / "bin/busybox")
        (tree / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n")
        (tree / "etc/group").write_text("root:x:0:\nnogroup:x:65534:\n")
        (tree / "etc/hosts").write_text("127.0.0.1 localhost\n")
        (tree / "init").write_text(INIT)
        (tree / "init").chmod(0o755)
        (tree / "script").write_text(script)
        names = subprocess.run(["find", ".", "-print0"], cwd=tree, capture_output=True, check=True).stdout
        with open(path, "wb") as out:
            subprocess.run(["cpio", "--null", "-o", "-H", "newc", "-R", "0:0", "--quiet"], cwd=tree, input=names, stdout=out,
                           check=True)


def wait_for_end(machine, seconds):
    """What is to be said in the log of how it ended."""
    try:
        machine.wait(seconds)
        return ""
    except subprocess.TimeoutExpired:
        return f"\nended after {seconds} s\n"
    finally:
        machine.kill()
        machine.wait()


def boot(kernel, initramfs, memory, seconds, arch="amd64"):
    """The guest's clock goes by instructions, a nanosecond each, and skips what the guest waits: nothing there depends on how
    busy this host is."""
    command = MACHINES[arch].copy()
    command[-1] += " cryptomgr.notests quiet panic=-1"
    command += ["-accel", "tcg", "-icount", "shift=0,sleep=off", "-smp", "1", "-m", str(memory),
                "-kernel", kernel, "-initrd", initramfs, "-nographic", "-no-reboot"]
    kept = os.environ.get("WAGGLE_GUEST_LOG")
    with open(kept, "w+b") if kept else tempfile.TemporaryFile() as log:
        process = subprocess.Popen([*ENDS_WITH_US, *command], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        end = wait_for_end(process, seconds)
        log.seek(0)
        return log.read().decode(errors="replace").replace("\r", "") + end


def run(version, script, waggle, extra=None, files=None, memory=1024, seconds=300, arch="amd64", roots=("/",), machine=boot):
    """The serial log of a boot of this kernel that ran the script."""
    kernel = find_kernel(version, arch)
    binaries = {str(waggle): "/usr/bin/waggle"}
    if arch == "amd64":
        binaries.update({shutil.which("nginx") or "/usr/sbin/nginx": "/usr/sbin/nginx", shutil.which("curl"): "/usr/bin/curl"})
    binaries.update(extra or {})
    with tempfile.TemporaryDirectory() as work:
        initramfs = work + "/initramfs"
        build_initramfs(initramfs, script, binaries, files or {}, arch, roots)
        return machine(kernel, initramfs, memory, seconds, arch)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kernel", default="6.1")
    parser.add_argument("--script", help="file with the guest's script")
    parser.add_argument("--waggle", default=str(ROOT / "build/release/waggle"))
    arguments = parser.parse_args()
    script = pathlib.Path(arguments.script).read_text() if arguments.script else "waggle doctor"
    print(run(arguments.kernel, script, arguments.waggle))


if __name__ == "__main__":
    main()
