# SPDX-License-Identifier: Apache-2.0
"""A gRPC service of raw bytes: "serve <port>"; "call <port>" waits for a line, makes a call, waits for another line,
makes one call of each kind on the same connection, and waits for the last. With TLS where CERTIFICATE (and for a server KEY)
names a file."""
import os
import sys
import time
from concurrent import futures

import grpc


def content(variable):
    path = os.environ.get(variable)
    return open(path, "rb").read() if path else None


def missing(_, context):
    context.abort(grpc.StatusCode.NOT_FOUND, "none")


def broken(_, context):
    context.abort(grpc.StatusCode.INTERNAL, "oops")


def slow(request, _):
    time.sleep(2)
    return request


def chat(requests, _):
    yield from requests


def watch(request, _):
    for _ in range(3):
        yield request


def collect(requests, _):
    return list(requests)[-1]


def serve(port):
    server = grpc.server(futures.ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("depot.Board", {
        "Echo": grpc.unary_unary_rpc_method_handler(lambda request, _: request),
        "Missing": grpc.unary_unary_rpc_method_handler(missing),
        "Broken": grpc.unary_unary_rpc_method_handler(broken),
        "Slow": grpc.unary_unary_rpc_method_handler(slow),
        "Chat": grpc.stream_stream_rpc_method_handler(chat),
        "Watch": grpc.unary_stream_rpc_method_handler(watch),
        "Collect": grpc.stream_unary_rpc_method_handler(collect),
    })])
    if content("CERTIFICATE"):
        server.add_secure_port(f"127.0.0.1:{port}", grpc.ssl_server_credentials([(content("KEY"), content("CERTIFICATE"))]))
    else:
        server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    server.wait_for_termination()


def calls(port):
    print("ready", flush=True)
    sys.stdin.readline()
    address = f"127.0.0.1:{port}"
    is_secure = content("CERTIFICATE")
    with grpc.secure_channel(address, grpc.ssl_channel_credentials(is_secure)) if is_secure else grpc.insecure_channel(address) as channel:
        channel.unary_unary("/depot.Board/Echo")(b"x" * 12000, timeout=20)
        print("begun", flush=True)
        sys.stdin.readline()
        for method, size, limit in (("Echo", 5, 20), ("Missing", 1, 20), ("Broken", 1, 20), ("Unknown", 1, 20),
                                    ("Slow", 1, 0.3)):
            try:
                channel.unary_unary(f"/depot.Board/{method}")(b"x" * size, timeout=limit)
            except grpc.RpcError:
                pass
        for is_cancelled in (False, True):
            call = None

            def messages():
                for _ in range(3):
                    yield b"hello"
                if is_cancelled:
                    time.sleep(1)
            call = channel.stream_stream("/depot.Board/Chat")(messages())
            for _ in range(3):
                next(call)
            if is_cancelled:
                call.cancel()
            else:
                list(call)
        assert list(channel.unary_stream("/depot.Board/Watch")(b"hello")) == [b"hello"] * 3
        assert channel.stream_unary("/depot.Board/Collect")(iter([b"hello"] * 3)) == b"hello"
        channel.unary_unary("/depot.Board/Echo")(b"x" * 7, timeout=20)
        print("done", flush=True)
        sys.stdin.readline()


serve(sys.argv[2]) if sys.argv[1] == "serve" else calls(sys.argv[2])
