# SPDX-License-Identifier: Apache-2.0
"""An OTLP/gRPC back end on the C core: python3 grpc_backend.py PORT. It prints a line of JSON for each call: method,
size, metadata, time left. The first call is refused with RESOURCE_EXHAUSTED and a google.rpc.RetryInfo of one second."""
import json
import sys
import time
from concurrent import futures

import grpc

# google.rpc.Status {code: 8, details: [Any {RetryInfo {retry_delay: {seconds: 1}}}]}
INFO = b"\x0a\x02\x08\x01"
TYPE = b"type.googleapis.com/google.rpc.RetryInfo"
ANY = b"\x0a" + bytes([len(TYPE)]) + TYPE + b"\x12" + bytes([len(INFO)]) + INFO
STATUS = b"\x08\x08\x1a" + bytes([len(ANY)]) + ANY


class Export(grpc.GenericRpcHandler):
    calls = 0

    def service(self, details):
        def answer(message, context):
            Export.calls += 1
            print(json.dumps({"method": details.method, "size": len(message), "at": time.monotonic(),
                              "left": context.time_remaining(),
                              "metadata": {k: v for k, v in details.invocation_metadata if isinstance(v, str)}}), flush=True)
            if Export.calls == 1:
                context.set_trailing_metadata((("grpc-status-details-bin", STATUS),))
                context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "wait")
            return b""

        return grpc.unary_unary_rpc_method_handler(answer)


server = grpc.server(futures.ThreadPoolExecutor(1))
server.add_generic_rpc_handlers((Export(),))
server.add_insecure_port(f"127.0.0.1:{sys.argv[1]}")
server.start()
server.wait_for_termination()
