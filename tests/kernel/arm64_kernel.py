#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`make arm64-boot`: the cross-built agent on an arm64 kernel in QEMU, by every hook that the kernel has."""
import pathlib
import subprocess
import unittest

from on_kernel import OnKernel, guest
from every_kernel import TRACEPOINTS

BUILD = guest.ROOT / "build/arm64"


class Arm64(OnKernel, unittest.TestCase):
    version = "6.12"
    arch = "arm64"
    hooks = TRACEPOINTS
    has_tls = False  # where probes go is read from x86's instructions
    waggle = str(BUILD / "waggle")
    ways = str(BUILD / "tests/kernel/ways")

    @classmethod
    def setUpClass(cls):
        root = pathlib.Path(subprocess.run([guest.ROOT / "tools/sysroot", "arm64"], capture_output=True, text=True,
                                           check=True).stdout.strip())
        cls.roots = (str(root),)
        cls.extra = {str(root / "usr/sbin/nginx"): "/usr/sbin/nginx", str(root / "usr/bin/curl"): "/usr/bin/curl",
                     str(root / "bin/busybox"): "/bin/busybox"}
        super().setUpClass()



if __name__ == "__main__":
    unittest.main(verbosity=2)
