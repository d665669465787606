# SPDX-License-Identifier: Apache-2.0
"""nginx under a filter of system calls as Chromium has it (filtered.c), as on_kernel.py begins it where TLS is read: it and
its worker die of what the filter does not allow, and notice nothing of any hook."""
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from filters import FILTERED, PASS, TRAPPED, UPROBE, URETPROBE  # noqa: E402

DIES = str(128 + signal.SIGSYS)
KILLED_BY_THE_KERNEL = str(128 + signal.SIGILL)  # of a call that passes the filter, and that only a probe may make
PROGRAMS = {FILTERED: "/usr/bin/filtered"}
START = "".join(f'filtered {call}; echo "FILTER {call}: $?"\n' for call in (*PASS.values(), *TRAPPED.values(), URETPROBE, UPROBE))
START += "filtered nginx -c /nginx.conf\n"
# At the end of a hook's turn, when the agent has gone.
AFTERWARDS = r"""
master=$(cat /run/nginx.pid)
for pid in $master $(cat /proc/$master/task/$master/children); do
    echo "FILTERED $hook $pid $(sed -n 's/^Seccomp:[^0-9]*//p' /proc/$pid/status)"
done
curl -s -k https://127.0.0.1:8443/secure | sed "s/^/AFTERWARDS $hook /"; echo
"""


class UnderFilter:
    probe_calls = {URETPROBE: DIES, UPROBE: DIES}  # where the kernel does not let them pass

    def test_the_filter_is_strict(self):
        if not self.has_tls:
            return
        expected = {**dict.fromkeys(PASS.values(), "0"), **dict.fromkeys(TRAPPED.values(), DIES), **self.probe_calls}
        for call, status in expected.items():
            self.assertIn(f"FILTER {call}: {status}\n", self.log)

    def test_who_is_under_a_filter_does_not_notice(self):
        before = None
        for hook in self.hooks if self.has_tls else ():
            begin = f"FILTERED {hook} "
            processes = [line[len(begin):].split() for line in self.log.splitlines() if line.startswith(begin)]
            self.assertEqual([mode for _, mode in processes], ["2", "2"], f"nginx and its worker\n{self.tail(hook)}")
            self.assertIn(before, (None, processes), f"nginx began another worker\n{self.tail(hook)}")
            before = processes
            self.assertIn(f"AFTERWARDS {hook} secret\n", self.log, self.tail(hook))
            if self.reads_tls(hook):
                span, = self.of(hook, "/secure")
                told = [span[name] for name in ("server.port", "tls.protocol.version", "http.response.body.size")]
                self.assertEqual(told, [8443, "1.2", 6])
