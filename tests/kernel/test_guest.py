#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Debian 12's own kernel, booted in QEMU: all of on_kernel.py by each of the hooks it has, and what a normal user can do.
every_kernel.py has the other kernels."""
import json
import pathlib
import shutil
import unittest

from on_kernel import WAGGLE, OnKernel, guest


class Debian12(OnKernel, unittest.TestCase):
    version = "6.1"


# Hooks that are disabled, kernel.perf_event_paranoid (3 is Debian's own), capabilities, and the hook that is left to a
# user that is not root.
PRIVILEGES = (("", 3, "bpf,perfmon", "fentry"), ("fentry", 3, "bpf,perfmon", "fentry_plain"),
              ("fentry,fentry_plain", 2, "bpf,perfmon", ""), ("fentry,fentry_plain", 3, "bpf,perfmon,dac_override", ""),
              ("fentry,fentry_plain", 2, "bpf,perfmon,dac_override", "kprobe"))
ASK = r"""
export ASAN_OPTIONS=detect_leaks=0
chmod 755 / /usr/bin/waggle
ask() {
    echo $3 > /proc/sys/kernel/perf_event_paranoid
    changes=-all; for name in $(echo $4 | tr , ' '); do changes=$changes,+$name; done
    /usr/sbin/setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=$changes --ambient-caps=$changes \
        --bounding-set=$changes /usr/bin/waggle doctor --json ${2:+--set ebpf.disable=$2} > /tmp/answer
    echo "STATUS $1 $?"; tr -d '\n' < /tmp/answer | sed "s/^/ANSWER $1 /"; echo
}
"""


class Debian12AsANormalUser(unittest.TestCase):
    def test_hooks_by_privileges(self):
        script = ASK + "".join(f"ask {i} '{disable}' {paranoid} {capabilities}\n"
                               for i, (disable, paranoid, capabilities, _) in enumerate(PRIVILEGES))
        setpriv = shutil.which("setpriv")
        log = guest.run("6.1", script, pathlib.Path(WAGGLE), extra={setpriv: "/usr/sbin/setpriv"}, memory=2048, seconds=400)
        lines = log.replace("\r", "").splitlines()
        for i, (disable, paranoid, capabilities, hook) in enumerate(PRIVILEGES):
            with self.subTest(disable=disable, paranoid=paranoid, capabilities=capabilities):
                answers = [line for line in lines if line.startswith(f"ANSWER {i} ")]
                self.assertEqual(len(answers), 1, log[-4000:])
                facts = json.loads(answers[0].split(" ", 2)[2])
                sockets = next(s for s in facts["sensors"] if s["name"] == "sockets")
                self.assertEqual(sockets["hook"], hook, sockets)
                # Other users' services are not to be looked into with these.
                self.assertTrue([line for line in lines if line.endswith(f"STATUS {i} {1 if hook else 3}")], log[:2000])
                if not hook:
                    self.assertTrue([r for r in sockets["reasons"] if "CAP_DAC_OVERRIDE" in r or "perf_event_paranoid" in r], sockets)


if __name__ == "__main__":
    unittest.main(verbosity=2)
