# SPDX-License-Identifier: Apache-2.0
"""What it takes to come to read a program's TLS: how long after its exec the first request is read, how many of the calls of programs
that make one and end, and what memory the agent takes to look through many programs' files."""
import http.client
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import tempfile
import time

from artefacts import static_tls
from harness import Child, free_port, wait_for
from tls import certificate, client_context, key, nginx_tls

REQUESTS = 60
IMAGES = 200
CALLS = 100


def request(port):
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=client_context())
    connection.request("GET", "/")
    connection.getresponse().read()
    connection.close()


def first_span(agent_for, settle, rounds):
    """Milliseconds from nginx's exec to the first request that is read, and how many went by before."""
    waits, missed = [], []
    first, _ = nginx_tls(workers=1)
    agent = agent_for([{"exe_path": "/nginx$"}])
    for _ in range(rounds):
        seen_before = agent.scrape("waggle_requests_exported_total")
        began = time.monotonic()
        server, port = nginx_tls(workers=1)
        sent = []
        for _ in range(REQUESTS):
            sent.append(time.monotonic() - began)
            request(port)
        settle(agent, REQUESTS, seen_before)
        unread = REQUESTS - int(agent.scrape("waggle_requests_exported_total") - seen_before)
        assert unread < REQUESTS, "nothing was read"
        waits.append(sent[unread] * 1000)
        missed.append(unread)
        server.stop()
    agent.stop()
    first.stop()
    return statistics.median(waits), max(waits), max(missed)


def short_lives(agent_for, settle):
    """How many of so many calls by curl, a process for each, are read."""
    server, port = nginx_tls(workers=1)
    agent = agent_for([{"open_ports": str(port)}, {"exe_path": "/curl$"}])
    for _ in range(CALLS):
        subprocess.run(["curl", "-s", "-o", "/dev/null", "--cacert", certificate(), f"https://127.0.0.1:{port}/"], check=True)
    settle(agent, 2 * CALLS, 0)
    read = int(agent.scrape("http_client_request_duration_seconds_count"))
    agent.stop()
    server.stop()
    return read


def memory_of(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return [int(re.search(rf"{name}:\s+(\d+)", text)[1]) / 1024 for name in ("VmRSS", "VmHWM")]


def many_images(agent_for):
    """Seconds until the TLS libraries of many stripped programs are found, and the agent's memory in MiB: then, and at most."""
    folder = tempfile.mkdtemp(prefix="waggle-bench-images-")
    servers = []
    for number in range(IMAGES):
        program = shutil.copy(static_tls(), f"{folder}/image{number}")
        port = free_port()
        servers.append((Child([program, "serve", str(port), certificate(), key()]), port))
    for server, port in servers:
        server.wait_port(port)
    began = time.monotonic()
    agent = agent_for([{"exe_path": "^" + re.escape(folder) + "/"}])
    wait_for(lambda: agent.scrape("waggle_tls_processes") == IMAGES, "all of them to be read", 120)
    seconds = time.monotonic() - began
    resident, most = memory_of(agent.pid)
    agent.stop()
    for server, _ in servers:
        server.stop()
    shutil.rmtree(folder)
    return seconds, resident, most


def report(agent_for, settle, rounds):
    middle, worst, missed = first_span(agent_for, settle, rounds)
    read = short_lives(agent_for, settle)
    seconds, resident, most = many_images(agent_for)
    return (f"\nFrom nginx's exec to the first request over TLS that is read: {middle:.0f} ms, at most {worst:.0f} ms, when {missed} "
            f"requests had gone by.\nOf {CALLS} calls by curl, a process for each, one after the other: {read} read.\n"
            f"{IMAGES} stripped programs with TLS linked in, {os.path.getsize(static_tls()) >> 20} MiB each: all "
            f"found after {seconds:.1f} s; the agent has {resident:.0f} MiB resident, at most {most:.0f} MiB.\n")
