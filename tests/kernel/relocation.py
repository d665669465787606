# SPDX-License-Identifier: Apache-2.0
"""Relocates the built BPF objects against a kernel's BTF, without booting it (relocate.cc)."""
import os
import pathlib
import subprocess

import kernels

BUILD = pathlib.Path(os.environ.get("WAGGLE_BUILD", pathlib.Path(__file__).resolve().parent.parent.parent / "build/dev"))
# The first kernel that each object is for; 6.3 has the socket tracepoints, without which io_uring's object is not loaded.
SINCE = {"sockets": (6, 3), "io_uring": (6, 3), "sockets_exits": (5, 15), "tls": (5, 15), "sockets_plain": (5, 8),
         "process": (5, 8), "tasks": (5, 8)}


def objects(arch):
    return sorted((BUILD / "bpf" / ("arm64" if arch == "arm64" else "")).glob("*.bpf.o"))


def relocate(btf, paths):
    """(exit status, what it says)"""
    done = subprocess.run([BUILD / "tests/kernel/relocate", btf, *map(str, paths)], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


class Relocation:
    """Every object that is for a kernel of this version finds there what it needs."""
    version = ""
    archs = ("amd64",)

    def test_every_object_is_relocated(self):
        for arch in self.archs:
            found = objects(arch)
            self.assertEqual(sorted(path.name.removesuffix(".bpf.o") for path in found), sorted(SINCE))
            for flavour in kernels.flavours(self.version, arch):
                btf = kernels.btf_of(self.version, arch, flavour)
                number = tuple(kernels.number(pathlib.Path(btf).parent.name)[:2])
                for path in found:
                    if number < SINCE[path.name.removesuffix(".bpf.o")]:
                        continue
                    with self.subTest(flavour=flavour, object=path.name):
                        status, text = relocate(btf, [path])
                        self.assertEqual(status, 0, text)
