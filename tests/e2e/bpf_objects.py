# SPDX-License-Identifier: Apache-2.0
"""BPF objects: which of them a process holds, and which there are."""
import json
import os
import subprocess

KINDS = ("prog", "link", "map")


def held(kind, pid):
    """Ids of the BPF objects of that kind that the process holds open."""
    found = set()
    for name in os.listdir(f"/proc/{pid}/fdinfo"):
        try:
            with open(f"/proc/{pid}/fdinfo/{name}") as file:
                found |= {int(line.split()[1]) for line in file if line.startswith(f"{kind}_id:")}
        except OSError:
            continue
    return found


def alive(kind):
    """Ids of all BPF objects of that kind in the kernel."""
    listed = subprocess.run(["bpftool", "--json", kind, "show"], capture_output=True, text=True, check=True, timeout=60).stdout
    return {entry["id"] for entry in json.loads(listed or "[]")}
