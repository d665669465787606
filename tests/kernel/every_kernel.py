#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`make test-kernels`: the kernels that are not Debian 12's own. All of on_kernel.py runs on each
by every hook it has."""
import unittest

from on_kernel import TYPED, OnKernel
from under_filter import DIES, KILLED_BY_THE_KERNEL, UPROBE, URETPROBE

# Newer kernels' first choice, and what is left without it.
TRACEPOINTS = {"tp_btf": "", "fentry": "tp_btf", **{hook: f"tp_btf, {others}" for hook, others in TYPED.items()}}


class Debian11(OnKernel, unittest.TestCase):
    version = "5.10"
    hooks = {"fentry_plain": "", "kprobe": "fentry_plain"}
    has_mptcp = has_async = has_tls = False


class Debian13(OnKernel, unittest.TestCase):
    version = "6.12"
    hooks = TRACEPOINTS
    probe_calls = {URETPROBE: KILLED_BY_THE_KERNEL, UPROBE: DIES}


class Newest(OnKernel, unittest.TestCase):
    version = "newest"
    hooks = TRACEPOINTS
    misses = ("fentry_plain",)
    probe_calls = {URETPROBE: KILLED_BY_THE_KERNEL, UPROBE: "0"}


if __name__ == "__main__":
    unittest.main(verbosity=2)
