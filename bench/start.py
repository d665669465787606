# SPDX-License-Identifier: Apache-2.0
"""How long a start takes: from the agent's exec to the moment at which it says that it is ready, so that nothing that comes is missed.
And a stop: from SIGTERM to the moment at which nothing of it is left in the kernel."""
import http.client
import signal
import statistics
import time

import harness
from bpf_objects import alive, held
from harness import Child, free_port
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


def start_and_stop_ms(arguments):
    port = free_port()
    began = time.monotonic()
    agent = Child([harness.WAGGLE, "run", "--set", f"prometheus_export.port={port}", *arguments])
    while not is_ready(port):
        assert time.monotonic() < began + 30, agent.output()
        time.sleep(0.002)
    started = time.monotonic()
    links = held("link", agent.pid)
    assert links
    stopped = time.monotonic()
    agent.process.send_signal(signal.SIGTERM)
    agent.process.wait(30)
    ended = time.monotonic()
    assert not links & alive("link")
    return (started - began) * 1000, (ended - stopped) * 1000


def report(rounds):
    server, port = nginx_tls(workers=1)
    text = "\n| | from exec to ready | | from SIGTERM to the end | |\n|---|---|---|---|---|\n"
    for name, arguments in (("nginx with TLS is watched", ["--open-port", str(port)]), ("whoever listens is watched", []),
                            ("… and TLS libraries are not", ["--set", "ebpf.tls=false"]),
                            ("… three copies of the programs, as 7.x wants them", ["--set", "ebpf.program_copies=3"])):
        both = zip(*[start_and_stop_ms(arguments) for _ in range(rounds + 1)][1:])
        text += f"| {name} |" + "".join(f" {statistics.median(taken):.0f} ms | {min(taken):.0f}–{max(taken):.0f} ms |"
                                        for taken in both) + "\n"
    server.stop()
    return text
