# SPDX-License-Identifier: Apache-2.0
"""BPF objects: which of them a process holds, and which there are."""
import json
import os
import subprocess

KINDS = ("prog", "link", "map")


def descriptors(pid):
    """What the kernel says of each descriptor of the process that is not closed meanwhile."""
    for name in os.listdir(f"/proc/{pid}/fdinfo"):
        try:
            with open(f"/proc/{pid}/fdinfo/{name}") as file:
                yield dict(line.split(":", 1) for line in file if ":" in line)
        except OSError:
            continue


def held(kind, pid):
    """Ids of the BPF objects of that kind that the process holds open."""
    return {int(lines[f"{kind}_id"]) for lines in descriptors(pid) if f"{kind}_id" in lines}


def alive(kind):
    """Ids of all BPF objects of that kind in the kernel."""
    for attempt in range(50):  # it gives up at one that goes while it is being listed
        listed = subprocess.run(["bpftool", "--json", kind, "show"], capture_output=True, text=True, timeout=60)
        if listed.returncode == 0:
            return {entry["id"] for entry in json.loads(listed.stdout or "[]")}
    raise AssertionError(f"bpftool {kind} show: {listed.stdout[-500:]} {listed.stderr}")


def map_of(pid, name):
    """The entries of the map of that name that the process holds, as bpftool tells them by the map's types."""
    for number in held("map", pid):
        shown = json.loads(subprocess.run(["bpftool", "--json", "map", "show", "id", str(number)], capture_output=True, text=True, check=True).stdout)
        if shown.get("name") != name:
            continue
        listed = subprocess.run(["bpftool", "--json", "map", "dump", "id", str(number)], capture_output=True, text=True, check=True)
        return [entry["formatted"] for entry in json.loads(listed.stdout)]
    raise AssertionError(f"process {pid} holds no map {name}")
