# SPDX-License-Identifier: Apache-2.0
"""gRPC-Web by sonora, a WSGI application: a call of each outcome, told by trailers in the body, and one by the head alone."""
import grpc
from sonora.wsgi import grpcWSGI


def outcome(code):
    def answer(request, context):
        if code:
            context.set_code(code)
        return request
    return answer


def refused(request, context):
    context.abort(grpc.StatusCode.UNAVAILABLE, "secret")


METHODS = {"Echo": outcome(None), "Missing": outcome(grpc.StatusCode.NOT_FOUND), "Broken": outcome(grpc.StatusCode.INTERNAL), "Refused": refused}
app = grpcWSGI(None)
app.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("depot.Board", {
    name: grpc.unary_unary_rpc_method_handler(method, bytes, bytes) for name, method in METHODS.items()}),))
