# SPDX-License-Identifier: Apache-2.0
"""The bench's servers, and the loads that are driven at them: each returns how many requests there were, their rate, and p50 and
p99 in microseconds."""
import csv
import os
import pathlib
import re
import subprocess
import tempfile

from harness import Child, free_port

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("WAGGLE_BUILD", ROOT / "build/bench"))
LOAD = str(BUILD / "bench/load")


def children_of(pid):
    return [int(p) for p in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def nginx(folder):
    from services import nginx as start
    return start("location / { return 200 'hello'; } location /big { sendfile on; }", workers=1, folder=folder)


def unit(text):
    """wrk's times in microseconds."""
    number, scale = re.match(r"([\d.]+)(us|ms|s)", text).groups()
    return float(number) * {"us": 1, "ms": 1e3, "s": 1e6}[scale]


def nginx_tls(folder):
    from tls import nginx_tls as start
    return start(workers=1, folder=folder)


def go_tls():
    from artefacts import go_tls as program
    from tls import certificate, key
    port = free_port()
    return Child([program("vault"), "serve", str(port), certificate(), key()]).wait_port(port), port


def node_tls():
    from talk import service_folder
    from tls import certificate, key
    port = free_port()
    return Child(["node", service_folder("tls/server.mjs"), str(port), certificate(), key()]).wait_port(port), port


def wrk(port, seconds, connections, path="/", close=False, scheme="http"):
    argv = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency"]
    if close:
        argv += ["-H", "Connection: close"]
    out = subprocess.run([*argv, f"{scheme}://127.0.0.1:{port}{path}"], capture_output=True, text=True, check=True).stdout
    return {"requests": int(re.search(r"(\d+) requests in", out)[1]), "rate": float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1]),
            "p50": unit(re.search(r"\n +50%\s+(\S+)", out)[1]), "p99": unit(re.search(r"\n +99%\s+(\S+)", out)[1])}


def pace(port, seconds, rate, connections=16, how="pace"):
    return four([LOAD, how, str(port), str(rate), str(seconds), str(connections)])


def redis_benchmark(port, seconds, connections, pipeline=1):
    out = subprocess.run(["redis-benchmark", "-p", str(port), "-t", "get", "-c", str(connections), "-P", str(pipeline), "--csv",
                          "-n", str(seconds * (150000 if pipeline > 1 else 30000))], capture_output=True, text=True, check=True).stdout
    values = next(csv.DictReader(out.splitlines()))
    return {"requests": seconds * (150000 if pipeline > 1 else 30000), "rate": float(values["rps"]), "p50": float(values["p50_latency_ms"]) * 1000,
            "p99": float(values["p99_latency_ms"]) * 1000}


def pgbench(port, seconds, clients):
    """Each transaction is one statement; latencies come from its log."""
    folder = tempfile.mkdtemp(prefix="waggle-pgbench-")
    out = subprocess.run(["pgbench", "-S", "-n", "-h", "127.0.0.1", "-p", str(port), "-U", "shop", "-c", str(clients), "-T", str(seconds),
                          "-M", "extended", "--log", "shop"], cwd=folder, capture_output=True, text=True, check=True).stdout
    times = sorted(int(line.split()[2]) for path in pathlib.Path(folder).iterdir() for line in path.read_text().splitlines())
    subprocess.run(["rm", "-rf", folder], check=True)
    return {"requests": len(times), "rate": float(re.search(r"tps = ([\d.]+)", out)[1]), "p50": times[len(times) // 2],
            "p99": times[len(times) * 99 // 100]}


def four(argv, **more):
    """A load program's line: requests, seconds, p50 and p99 in microseconds."""
    out = subprocess.run(argv, capture_output=True, text=True, check=True, **more).stdout.split()
    return {"requests": int(out[0]), "rate": int(out[0]) / float(out[1]), "p50": float(out[2]), "p99": float(out[3])}


def grpc_calls(port, seconds, callers):
    from artefacts import go_grpc
    return four([go_grpc(), "load", str(port), str(seconds), str(callers)])


def kafka_sends(port, seconds):
    from brokers import confluent
    return four(["/usr/bin/python3", str(ROOT / "bench/kafka_sends.py"), str(port), str(seconds)], env={**os.environ, **confluent()})


def start_server(kind, folder):
    """What is to be stopped, its port, and the function that lists its processes."""
    if kind.startswith("nginx"):
        server, port = nginx(folder) if kind == "nginx" else nginx_tls(folder)
    elif kind == "go_tls":
        server, port = go_tls()
    elif kind == "node_tls":
        server, port = node_tls()
    elif kind == "redis":
        from databases import redis
        server, port = redis()
    elif kind == "postgres":
        from databases import Postgres
        server = Postgres()
        port, pid = server.port, server.child.pid
        subprocess.run(["pgbench", "-i", "-q", "-h", "127.0.0.1", "-p", str(port), "-U", "shop", "shop"], capture_output=True, check=True)
        return server, port, lambda: [pid, *children_of(pid)]
    elif kind == "kafka":
        from brokers import Kafka
        server = Kafka("orders")
        return server, server.port, lambda: [server.child.pid]
    else:
        port = free_port()
        if kind.startswith("grpc"):
            from artefacts import cpp_grpc, go_grpc
            argv = [cpp_grpc() if kind == "grpc_cpp" else go_grpc(), "serve", str(port)]
        else:
            argv = [LOAD, "echo", str(port)] if kind == "echo" else [LOAD, "serve", str(port), "100"]
        server = Child(argv).wait_port(port)
    return server, port, lambda: [server.pid, *children_of(server.pid)]
