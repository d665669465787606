#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every BPF object is relocated against the BTF of each of Debian's kernels, for both processors, without booting any."""
import pathlib
import subprocess
import tempfile
import unittest

import kernels
from relocation import Relocation, relocate

PROGRAM = r"""
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
struct sock_common { unsigned short skc_family; int skc_never_was; } __attribute__((preserve_access_index));
char _license[] SEC("license") = "GPL";
static __attribute__((noinline)) int look(struct sock_common *sk) { return BPF_CORE_READ(sk, skc_never_was); }
SEC("raw_tp/sys_enter")
int program(void *context) {
    struct sock_common *sk = *(struct sock_common **)context;
    if (GUARD) return look(sk) + BPF_CORE_READ(sk, skc_never_was);
    return BPF_CORE_READ(sk, skc_family);
}
"""


for each in kernels.VERSIONS:
    name = "Relocation" + each.replace(".", "_")
    globals()[name] = type(name, (Relocation, unittest.TestCase), {"version": each, "archs": ("amd64", "arm64")})


class Messages(unittest.TestCase):
    def relocate(self, guard):
        with tempfile.TemporaryDirectory() as folder:
            source = pathlib.Path(folder) / "program.bpf.c"
            source.write_text(PROGRAM)
            subprocess.run(["clang-19", "-target", "bpf", "-mcpu=v3", "-O2", "-g", f"-DGUARD={guard}", "-idirafter",
                            "/usr/include/x86_64-linux-gnu", "-c", str(source), "-o", folder + "/program.bpf.o"], check=True)
            return relocate(kernels.btf_of("6.1"), [folder + "/program.bpf.o"])

    def test_what_is_missing_is_named(self):
        status, text = self.relocate("1")
        self.assertEqual(status, 1)
        self.assertEqual(text.count("not in this kernel: <byte_off>"), 2, text)  # in the function as well
        self.assertIn("sock_common.skc_never_was", text)

    def test_what_is_asked_for_first_may_be_missing(self):
        status, text = self.relocate("bpf_core_field_exists(sk->skc_never_was)")
        self.assertEqual(status, 0, text)
        self.assertIn("0 of them needed", text)


if __name__ == "__main__":
    unittest.main(verbosity=2)
