#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a start is made of. How long it takes depends on the machine (`bench/run --only start`), what it asks of the kernel's verifier
does not: nearly all of the time goes there."""
import os
import unittest

from bpf_objects import held
from harness import Agent, wait_for
from services import nginx

# Instructions that the verifier walks through, of all programs together and of one: half as many again as there are.
MOST, MOST_OF_ONE = 210_000, 100_000


def descriptor(pid, name):
    """What the kernel says of it; nothing when it was closed."""
    try:
        with open(f"/proc/{pid}/fdinfo/{name}") as file:
            return dict(line.split(":", 1) for line in file if ":" in line)
    except OSError:
        return {}


def verified(pid):
    """{program id: instructions} of the programs that the process holds."""
    found = {}
    for name in os.listdir(f"/proc/{pid}/fdinfo"):
        lines = descriptor(pid, name)
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


    def test_a_map_counts_once(self):
        """Whoever shares it: a third of the memory were three copies' maps else."""
        server, port = nginx("location / { return 200 'hello'; }", workers=1)
        self.addCleanup(server.stop)
        with Agent(services=[{"open_ports": str(port)}], config="ebpf: {program_copies: 3}\n", traces=False) as agent:
            maps = {}
            for name in os.listdir(f"/proc/{agent.child.pid}/fdinfo"):
                lines = descriptor(agent.child.pid, name)
                if "map_id" in lines:
                    maps[int(lines["map_id"])] = int(lines["memlock"])
            self.assertEqual(set(maps), held("map", agent.child.pid))
            told = lambda: agent.metric_sum("waggle_memory_usage_bytes", part="kernel")
            wait_for(told, "the memory to be told")
            self.assertEqual(told(), sum(maps.values()))


if __name__ == "__main__":
    unittest.main(verbosity=2)
