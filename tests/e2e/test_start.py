#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a start is made of. How long it takes depends on the machine (`bench/run --only start`), what it asks of the kernel's verifier
does not: nearly all of the time goes there."""
import os
import unittest

from bpf_objects import held
from harness import Agent
from services import nginx

# Instructions that the verifier walks through, of all programs together and of one: half as many again as there are.
MOST, MOST_OF_ONE = 210_000, 100_000


def verified(pid):
    """{program id: instructions} of the programs that the process holds."""
    found = {}
    for name in os.listdir(f"/proc/{pid}/fdinfo"):
        try:
            with open(f"/proc/{pid}/fdinfo/{name}") as file:
                lines = dict(line.split(":", 1) for line in file if ":" in line)
        except OSError:
            continue
        if "verified_insns" in lines:
            found[int(lines["prog_id"])] = int(lines["verified_insns"])
    return found


class StartTest(unittest.TestCase):
    def test_what_the_verifier_walks_through(self):
        server, port = nginx("location / { return 200 'hello'; }", workers=1)
        self.addCleanup(server.stop)
        with Agent(services=[{"open_ports": str(port)}], config="ebpf: {queue_time: true}\n", traces=False) as agent:
            programs = verified(agent.child.pid)
            self.assertEqual(set(programs), held("prog", agent.child.pid))
        for program, instructions in programs.items():
            self.assertGreater(instructions, 0, program)
            self.assertLess(instructions, MOST_OF_ONE, programs)
        self.assertLess(sum(programs.values()), MOST, programs)


if __name__ == "__main__":
    unittest.main(verbosity=2)
