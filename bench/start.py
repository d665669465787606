# SPDX-License-Identifier: Apache-2.0
"""How long a start takes: from the agent's exec to the moment at which it says that it is ready, so that nothing that comes is missed.
And a stop: from SIGTERM to the moment at which nothing of it is left in the kernel."""
import http.client
import os
import shutil
import signal
import statistics
import tempfile
import time

import harness
from bpf_objects import alive, held
from harness import Child, free_port, wait_for
from test_tls_attach import function_library
from tls import nginx_tls


def is_ready(port):
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
        connection.request("GET", "/readyz")
        status = connection.getresponse().status
        connection.close()
        return status == 200
    except OSError:
        return False


def metric(port, name):
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
        connection.close()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))
    except OSError:
        return 0


def start_and_stop_ms(arguments, processes=0, link_count=None):
    """The stop begins when so many processes are read, by as many links to their files as `link_count` says."""
    port = free_port()
    began = time.monotonic()
    agent = Child([harness.WAGGLE, "run", "--set", f"prometheus_export.port={port}", *arguments])
    while not is_ready(port):
        assert time.monotonic() < began + 30, agent.output()
        time.sleep(0.002)
    started = time.monotonic()
    if processes:
        wait_for(lambda: metric(port, "waggle_tls_processes ") == processes and link_count(len(held("link", agent.pid))),
                 "all of them to be read", 120)
    links = held("link", agent.pid)
    assert links
    stopped = time.monotonic()
    agent.process.send_signal(signal.SIGTERM)
    agent.process.wait(60)
    ended = time.monotonic()
    assert not links & alive("link")
    return (started - began) * 1000, (ended - stopped) * 1000


def cells(pairs, which):
    return "".join(f" {statistics.median(taken):.0f} ms | {min(taken):.0f}–{max(taken):.0f} ms |" if is_wanted else " | |"
                   for taken, is_wanted in zip(zip(*pairs), which))


def many_processes(rounds):
    """nginx's, with a copy of the library for themselves: nobody else on the host maps it, but for the stranger who has it so that there
    is not one link for all."""
    text = ""
    with tempfile.TemporaryDirectory(prefix="waggle-bench-") as folder:
        shutil.copy(function_library(), os.path.join(folder, "libssl.so.3"))
        own = {"LD_LIBRARY_PATH": folder}
        for processes, has_stranger in ((64, True), (500, False)):
            server, port = nginx_tls(workers=processes - 1, env=own)
            stranger = nginx_tls(workers=1, env=own)[0] if has_stranger else None
            watched = ["--open-port", str(port), "--set", "discovery.poll_interval=1s"]
            enough = (lambda links: links > processes) if has_stranger else (lambda links: links < 64)
            pairs = [start_and_stop_ms(watched, processes, enough) for _ in range(rounds)]
            name = f"{processes} processes with TLS, " + ("each with a link of its own" if has_stranger else "one link for all")
            text += f"| {name} |{cells(pairs, (False, True))}\n"
            for child in (server, stranger):
                if child:
                    child.stop()
    return text


def report(rounds):
    server, port = nginx_tls(workers=1)
    text = "\n| | from exec to ready | | from SIGTERM to the end | |\n|---|---|---|---|---|\n"
    for name, arguments in (("nginx with TLS is watched", ["--open-port", str(port)]), ("whoever listens is watched", []),
                            ("… and TLS libraries are not", ["--set", "ebpf.tls=false"]),
                            ("… three copies of the programs, as 7.x wants them", ["--set", "ebpf.program_copies=3"])):
        pairs = [start_and_stop_ms(arguments) for _ in range(rounds + 1)][1:]
        text += f"| {name} |{cells(pairs, (True, True))}\n"
    server.stop()
    return text + many_processes(rounds)
