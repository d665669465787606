# SPDX-License-Identifier: Apache-2.0
"""What happens to a host: its disk is full, its clock is set."""
import glob
import os
import subprocess
import tempfile
import time

from harness import WAGGLE, Agent, request, wait_for


class SmallDisk:
    """A file system of so many bytes."""

    def __init__(self, size):
        self.path = tempfile.mkdtemp(prefix="waggle-disk-")
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", self.path], check=True)

    def __enter__(self):
        return self.path

    def __exit__(self, *_):
        subprocess.run(["umount", self.path], check=True)


def full_disk(port):
    """A record file that finds no room: it is said, the agent goes on, and the file gives the spans that it has."""
    with SmallDisk("256k") as folder:
        path = os.path.join(folder, "traffic.wgl")
        agent = Agent(services=[{"open_ports": str(port)}], subcommand=("record", path))
        try:
            asked = 0

            def is_full():
                nonlocal asked
                for _ in range(200):
                    request(port, path="/full")
                    asked += 1
                return "nothing more is recorded" in agent.child.output()
            wait_for(is_full, "the disk to be full")
            for _ in range(50):
                request(port, path="/full")
            agent.expect_spans(asked + 50)
            assert agent.child.output().count("nothing more is recorded") == 1, agent.child.output()
        finally:
            status = agent.stop()
            agent.sink.stop()
        assert status == 1 and "is not complete" in agent.child.output(), (status, agent.child.output())
        replayed = subprocess.run([WAGGLE, "replay", path], capture_output=True, text=True, timeout=60,
                                  env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})
        assert replayed.returncode == 1 and "it was cut off" in replayed.stderr, replayed
        assert 0 < replayed.stdout.count("/full") <= asked, replayed.stdout[-2000:]


def faketime_library():
    return next(iter(glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")))


def clock_is_set(port):
    """The wall clock goes an hour forth and two back: durations stay what they are, each request is told once, and a span
    has the time that the clock showed."""
    offsets = os.path.join(tempfile.mkdtemp(prefix="waggle-clock-"), "offset")

    def set_clock(seconds):
        with open(offsets + ".new", "w") as file:
            file.write(f"{seconds:+d}")
        os.rename(offsets + ".new", offsets)
    set_clock(0)
    agent = Agent(services=[{"open_ports": str(port)}],
                  env={"LD_PRELOAD": faketime_library(), "FAKETIME_TIMESTAMP_FILE": offsets, "FAKETIME_NO_CACHE": "1",
                       "DONT_FAKE_MONOTONIC": "1", "ASAN_OPTIONS": "detect_leaks=0:verify_asan_link_order=0"})
    try:
        total = 0
        for step, seconds in enumerate((0, 3600, -3600, 0)):
            set_clock(seconds)
            for _ in range(20):
                request(port, path=f"/clock/{step}")
            total += 20
            spans = agent.expect_spans(20, lambda span, path=f"/clock/{step}": span["url.path"] == path)
            for span in spans:
                assert 0 < span.end - span.start < 10e9, span.raw
                assert abs(span.start / 1e9 - (time.time() + seconds)) < 60, (seconds, span.raw)
        agent.expect_spans(total)
        assert agent.metric_sum("waggle_requests_unaccounted") == 0
    finally:
        status = agent.stop()
        agent.sink.stop()
    assert status == 0, agent.child.output()
