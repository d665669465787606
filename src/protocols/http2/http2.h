// SPDX-License-Identifier: Apache-2.0
// HTTP/2 (RFC 9113) without TLS: prior knowledge, upgraded from HTTP/1.1, and attached in the middle; gRPC
// where its content type says so. OpenTelemetry HTTP and RPC conventions.
#pragma once

#include "protocols/protocol.h"

namespace waggle::protocols::http2 {

extern const Protocol kHttp2;

}  // namespace waggle::protocols::http2
