#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a start is made of. How long it takes depends on the machine (`bench/run --only start`), what it asks of the kernel's verifier
does not: nearly all of the time goes there."""
import unittest

from bpf_objects import descriptors, held
from harness import Agent, wait_for
from services import nginx

# Instructions that the verifier walks through, of all programs together and of one: half as many again as there are.
MOST, MOST_OF_ONE = 210_000, 100_000


def told(pid, number, what):
    """{id: number} of the BPF objects of that kind that the process holds."""
    return {int(lines[f"{what}_id"]): int(lines[number]) for lines in descriptors(pid) if f"{what}_id" in lines and number in lines}


class StartTest(unittest.TestCase):
    def test_what_the_verifier_walks_through(self):
        server, port = nginx("location / { return 200 'hello'; }", workers=1)
        self.addCleanup(server.stop)
        with Agent(services=[{"open_ports": str(port)}], config="ebpf: {queue_time: true}\n", traces=False) as agent:
            programs = told(agent.child.pid, "verified_insns", "prog")
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
            self.assertEqual(set(self.maps(agent)), held("map", agent.child.pid))
            # Entries come and go with the processes of this host.
            used = lambda: agent.metric_sum("waggle_memory_usage_bytes", part="kernel")  # noqa: E731
            wait_for(lambda: used() == sum(self.maps(agent).values()), "the memory to be told as the kernel counts it")

    def maps(self, agent):
        return told(agent.child.pid, "memlock", "map")


if __name__ == "__main__":
    unittest.main(verbosity=2)
