// SPDX-License-Identifier: Apache-2.0
// gRPC's status codes: their numbers and names, and what clients read an HTTP status as where no gRPC server has
// answered (gRPC's http-grpc-status-mapping).
#pragma once

#include <array>
#include <string_view>

namespace waggle::spans {

enum GrpcCode : unsigned {
    kGrpcOk,
    kGrpcCancelled,
    kGrpcUnknown,
    kGrpcInvalidArgument,
    kGrpcDeadlineExceeded,
    kGrpcNotFound,
    kGrpcAlreadyExists,
    kGrpcPermissionDenied,
    kGrpcResourceExhausted,
    kGrpcFailedPrecondition,
    kGrpcAborted,
    kGrpcOutOfRange,
    kGrpcUnimplemented,
    kGrpcInternal,
    kGrpcUnavailable,
    kGrpcDataLoss,
    kGrpcUnauthenticated,
};

inline constexpr std::array<std::string_view, 17> kGrpcCodes = {
    "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"};
static_assert(kGrpcCodes[kGrpcUnauthenticated] == "UNAUTHENTICATED");

constexpr GrpcCode grpc_code_of_status(int http_status) {
    switch (http_status) {
        case 400:
            return kGrpcInternal;
        case 401:
            return kGrpcUnauthenticated;
        case 403:
            return kGrpcPermissionDenied;
        case 404:
            return kGrpcUnimplemented;
        case 429:
        case 502:
        case 503:
        case 504:
            return kGrpcUnavailable;
        default:
            return kGrpcUnknown;
    }
}

}  // namespace waggle::spans
