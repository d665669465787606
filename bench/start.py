# SPDX-License-Identifier: Apache-2.0
"""How long a start takes: from the agent's exec to the moment at which it says that it is ready, so that nothing that comes is missed."""
import http.client
import statistics
import time

import harness
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


def start_ms(arguments):
    port = free_port()
    began = time.monotonic()
    agent = Child([harness.WAGGLE, "run", "--set", f"prometheus_export.port={port}", *arguments])
    while not is_ready(port):
        assert time.monotonic() < began + 30, agent.output()
        time.sleep(0.002)
    taken = (time.monotonic() - began) * 1000
    agent.stop()
    return taken


def report(rounds):
    server, port = nginx_tls(workers=1)
    text = "\n| from exec to ready | median | range |\n|---|---|---|\n"
    for name, arguments in (("nginx with TLS is watched", ["--open-port", str(port)]), ("whoever listens is watched", []),
                            ("… and TLS libraries are not", ["--set", "ebpf.tls=false"])):
        taken = [start_ms(arguments) for _ in range(rounds + 1)][1:]
        text += f"| {name} | {statistics.median(taken):.0f} ms | {min(taken):.0f}–{max(taken):.0f} ms |\n"
    server.stop()
    return text
