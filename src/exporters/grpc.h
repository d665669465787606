// SPDX-License-Identifier: Apache-2.0
// The part of gRPC over HTTP/2 that a unary call needs: frames, status, retry advice
// (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "http/client.h"

namespace waggle::exporters {

// One message with its five-byte prefix.
std::string grpc_frame(std::string_view message, bool is_compressed);

// The first message of a response; nothing when it is cut off. Compressed ones are inflated.
std::optional<std::string> grpc_message(std::string_view body);

struct GrpcStatus {
    int code = 0;
    std::string message;
    std::optional<std::chrono::milliseconds> retry_delay;  // RetryInfo
};

// From the trailers, the headers of a response without body, or the HTTP status.
GrpcStatus grpc_status(const http::ClientResponse& response);

// Whether OTLP wants the call again (codes of the OTLP specification).
bool grpc_may_retry(const GrpcStatus& status);

}  // namespace waggle::exporters
