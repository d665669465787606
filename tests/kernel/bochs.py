# SPDX-License-Identifier: Apache-2.0
"""Boots a kernel in Bochs, an emulator of a processor that has shadow stacks (QEMU's has none). The Bochs is Debian 13's, whose
processor keeps them with the rest of a thread's state (Debian 12's does not); it and what makes a CD to boot from are unpacked
in the kernels' cache and run from there. Needs no root."""
import os
import pathlib
import pty
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import tty

from guest import ENDS_WITH_US, wait_for_end
from kernels import CACHE
from private_apt import configure, update

PACKAGES = ("bochs", "bochs-term", "bochsbios", "vgabios", "isolinux", "syslinux-common", "xorriso", "ncurses-base")
LIBRARIES = "usr/lib/x86_64-linux-gnu"
# Instructions in a second there, so that nothing depends on how busy this host is. The counter that the kernel tells the time by
# goes by them, whatever the emulated processor says of its own speed.
SPEED = 100_000_000
MACHINE = """display_library: term
cpu: model=tigerlake, count=1, ips={speed}, reset_on_triple_fault=0
megs: {memory}
romimage: file={tools}/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file={tools}/usr/share/vgabios/vgabios.bin
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=cdrom, path={work}/cd.iso, status=inserted
boot: cdrom
clock: sync=none, time0=local
com1: enabled=1, mode=file, dev={serial}
log: {work}/log
panic: action=fatal
error: action=ignore
info: action=ignore
debug: action=ignore
"""
MENU = """DEFAULT linux
PROMPT 0
LABEL linux
 KERNEL /vmlinuz
 APPEND initrd=/initrd console=ttyS0 tsc=reliable tsc_early_khz={khz} no_timer_check cryptomgr.notests quiet panic=-1
"""


def find_tools():
    """The folder with the packages' files."""
    folder = CACHE / "bochs"
    folder.mkdir(parents=True, exist_ok=True)
    tools = folder / "tools"
    if tools.exists():
        return tools
    environment = configure(folder, ("trixie",), "amd64")
    update(folder, environment)
    done = subprocess.run(["apt-get", "install", "-qq", "-y", "--no-install-recommends", "--download-only", *PACKAGES], env=environment,
                          capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"Bochs cannot be downloaded: {done.stderr.strip()}")
    with tempfile.TemporaryDirectory(dir=folder) as work:
        for package in (folder / "cache/archives").glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", str(package), f"{work}/tools"], check=True)
        os.rename(f"{work}/tools", tools)
    shutil.rmtree(folder / "cache/archives")
    return tools


def command(tools, name):
    return [f"{tools}/{LIBRARIES}/ld-linux-x86-64.so.2", "--library-path", f"{tools}/{LIBRARIES}", f"{tools}/usr/bin/{name}"]


def make_cd(tools, kernel, initramfs, path):
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        (work / "isolinux").mkdir()
        for source, place in ((f"{tools}/usr/lib/ISOLINUX/isolinux.bin", "isolinux/isolinux.bin"), (kernel, "vmlinuz"),
                              (f"{tools}/usr/lib/syslinux/modules/bios/ldlinux.c32", "isolinux/ldlinux.c32"), (initramfs, "initrd")):
            shutil.copy(source, work / place)
        (work / "isolinux/isolinux.cfg").write_text(MENU.format(khz=SPEED // 1000))
        subprocess.run([*command(tools, "xorriso"), "-as", "mkisofs", "-quiet", "-o", path, "-b", "isolinux/isolinux.bin", "-c",
                        "isolinux/boot.cat", "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table", folder], check=True,
                       stderr=subprocess.DEVNULL)


def boot(kernel, initramfs, memory, seconds, _arch="amd64"):
    """The serial log; WAGGLE_GUEST_LOG names a file for it."""
    tools = find_tools()
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        serial = pathlib.Path(os.environ.get("WAGGLE_GUEST_LOG", work / "serial"))
        serial.unlink(missing_ok=True)
        make_cd(tools, kernel, initramfs, f"{folder}/cd.iso")
        (work / "machine").write_text(MACHINE.format(speed=SPEED, memory=memory, tools=tools, work=folder, serial=serial))
        (work / "commands").write_text("c\n")  # it begins in its debugger
        environment = dict(os.environ, TERM="linux", TERMINFO=f"{tools}/usr/share/terminfo", LTDL_LIBRARY_PATH=f"{tools}/{LIBRARIES}/bochs/plugins")
        screen, terminal = pty.openpty()
        process = subprocess.Popen([*ENDS_WITH_US, *command(tools, "bochs-bin"), "-q", "-f", f"{folder}/machine", "-rc", f"{folder}/commands"],
                                   stdin=terminal, stdout=terminal, stderr=terminal, env=environment)
        os.close(terminal)
        drawn = []
        reader = threading.Thread(target=read_all, args=(screen, drawn), daemon=True)
        reader.start()
        look_at_screen(process.pid)
        end = wait_for_end(process, seconds)
        reader.join(5)
        os.close(screen)
        if not serial.exists():
            said = re.sub(rb"\x1b[^A-Za-z]*[A-Za-z]", b"", b"".join(drawn)).decode(errors="replace")
            raise AssertionError(f"Bochs did not begin: {said[-2000:]}")
        return serial.read_text(errors="replace").replace("\r", "") + end


def look_at_screen(pid):
    """It draws on a terminal that it makes for itself, and stops when that is full because nobody looks."""
    until = time.monotonic() + 30
    while time.monotonic() < until and os.path.exists(f"/proc/{pid}/fdinfo"):
        for info in pathlib.Path(f"/proc/{pid}/fdinfo").iterdir():
            made = re.search(r"^tty-index:\s*(\d+)", read_or_nothing(info), re.M)
            if made:
                terminal = os.open(f"/dev/pts/{made[1]}", os.O_RDWR | os.O_NOCTTY)
                tty.setraw(terminal)
                threading.Thread(target=read_all, args=(terminal, []), daemon=True).start()
                return
        time.sleep(0.05)


def read_or_nothing(path):
    try:
        return path.read_text()
    except OSError:
        return ""


def read_all(descriptor, into):
    try:
        while piece := os.read(descriptor, 65536):
            into[:] = [*into[-9:], piece]
    except OSError:  # the other end has gone
        pass
