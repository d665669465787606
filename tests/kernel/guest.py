#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Boots a Debian kernel in QEMU (no KVM, no root) with the built agent, nginx and curl in an initramfs,
and runs a script there. guest.py --kernel 6.1 [--script FILE]. Images are cached outside the tree."""
import argparse
import glob
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CACHE = pathlib.Path(os.environ.get("WAGGLE_KERNEL_CACHE", pathlib.Path.home() / ".cache/waggle-kernels"))
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
poweroff -f
"""


def package_names(version):
    names = subprocess.run(["apt-cache", "pkgnames", f"linux-image-{version}"], capture_output=True, text=True,
                           check=True).stdout.split()
    return [n for n in names if re.fullmatch(rf"linux-image-{re.escape(version)}[.-][\d.+a-z-]*-cloud-amd64", n)]


def find_kernel(version):
    """The newest cloud kernel of this version in the configured package lists, unpacked."""
    names = package_names(version)
    if not names:
        subprocess.run(["apt-get", "update", "-qq"], check=True)
        names = package_names(version)
    if not names:
        sys.exit(f"no cloud kernel {version} in the package lists (apt-get update?)")
    name = max(names, key=lambda n: [int(x) for x in re.findall(r"\d+", n)])
    folder = CACHE / name
    found = glob.glob(str(folder / "boot/vmlinuz-*"))
    if found:
        return found[0]
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        subprocess.run(["apt-get", "download", "-qq", name], cwd=work, check=True)
        package = glob.glob(work + "/*.deb")[0]
        subprocess.run(["dpkg", "-x", package, work + "/tree"], check=True)
        shutil.copytree(work + "/tree/boot", folder / "boot")
    return glob.glob(str(folder / "boot/vmlinuz-*"))[0]


def libraries(binary):
    out = subprocess.run(["ldd", binary], capture_output=True, text=True).stdout
    return re.findall(r"(/[^ ]+) \(0x", out)


def build_initramfs(path, script, binaries, files):
    with tempfile.TemporaryDirectory() as work:
        tree = pathlib.Path(work)
        tree.chmod(0o755)
        wanted = {}
        for binary, place in binaries.items():
            wanted[place] = binary
            for library in libraries(binary):
                wanted[library] = library
        wanted.update(files)
        for place, source in wanted.items():
            to = tree / place.lstrip("/")
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, to)
        for folder in ("bin", "etc", "dev", "var/www", "usr/share"):
            (tree / folder).mkdir(parents=True, exist_ok=True)
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


def boot(kernel, initramfs, memory, seconds):
    command = ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "qemu64", "-smp", "1", "-m", str(memory), "-kernel", kernel,
               "-initrd", initramfs, "-append",
               "console=ttyS0 tsc=reliable no_timer_check cryptomgr.notests quiet panic=-1", "-nographic", "-no-reboot"]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds)
        return done.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as expired:
        return (expired.stdout or b"").decode(errors="replace") + f"\nended after {seconds} s\n"


def run(version, script, waggle, extra=None, memory=1024, seconds=300):
    """The serial log of a boot of this kernel that ran the script."""
    kernel = find_kernel(version)
    binaries = {str(waggle): "/usr/bin/waggle", shutil.which("nginx") or "/usr/sbin/nginx": "/usr/sbin/nginx",
                shutil.which("curl"): "/usr/bin/curl"}
    binaries.update(extra or {})
    with tempfile.TemporaryDirectory() as work:
        initramfs = work + "/initramfs"
        build_initramfs(initramfs, script, binaries, {})
        return boot(kernel, initramfs, memory, seconds)


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
