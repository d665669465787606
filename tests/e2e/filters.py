# SPDX-License-Identifier: Apache-2.0
"""A filter of system calls as Chromium has it (tests/kernel/filtered.c), and what shows that it is as strict as it says."""
import os

from harness import ROOT

FILTERED = os.path.join(os.environ.get("WAGGLE_BUILD", os.path.join(ROOT, "build/dev")), "tests/kernel/filtered")
# The calls by which the kernel's return probes (6.11) and its faster ones (6.18) come back. A kernel that knows them lets them
# pass every filter, but for the first ones with uretprobe, until early in 2025; for one that does not they are calls like others.
URETPROBE, UPROBE = "--call 335", "--call 336"
# What is let through is so in one of its forms only.
PASS = {"getpid": "--call 39", "ioctl TCGETS": "--call 16 0 0x5401", "mmap": "--call 9 0 4096 3 0x22 -1", "clone3": "--call 435"}
TRAPPED = {"no such call": "--call 999", "ptrace": "--call 101", "a call by x32's number": "--call 0x40000027",
           "another architecture's getpid": "--foreign 20", "clone into a user's namespace": "--call 56 0x10000011",
           "ioctl TIOCSTI": "--call 16 0 0x5412", "mmap of huge pages": "--call 9 0 4096 3 0x40022 -1",
           "mprotect that grows down": "--call 10 0 4096 0x01000001", "a packet socket": "--call 41 17 3 0",
           "prctl PR_SET_SECCOMP": "--call 157 22 2 0"}
