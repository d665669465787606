// SPDX-License-Identifier: Apache-2.0
// gRPC over HTTP/2: what makes an exchange a call and how it ended; http/grpc.h says what any call's span tells.
#pragma once

#include <optional>

#include "protocols/http2/describe.h"

namespace waggle::protocols::http2 {

bool is_grpc(const Request& request);
bool is_grpc(const Request& request, const Response& response);

// As the call's client has it; is_client: whether the span is the client's.
std::optional<unsigned> grpc_status(const Exchange<Codec>& exchange, bool is_client);

// ns of a grpc-timeout ("250m"), nothing when it is none.
std::optional<std::uint64_t> parse_grpc_timeout(std::string_view text);

void describe_grpc(const Exchange<Codec>& exchange, const ConnectionInfo& info, spans::SpanBatch& batch,
                   spans::Span& span);

}  // namespace waggle::protocols::http2
