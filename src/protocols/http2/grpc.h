// SPDX-License-Identifier: Apache-2.0
// gRPC over HTTP/2: what makes an exchange a call, how it ended, and what its span says (OpenTelemetry RPC
// conventions). A status that nobody saw is unknown, not OK.
#pragma once

#include <optional>

#include "protocols/http2/describe.h"

namespace waggle::protocols::http2 {

bool is_grpc(const Request& request);
bool is_grpc(const Request& request, const Response& response);

// As the call's client has it; is_client: whether the span is the client's.
std::optional<unsigned> grpc_status(const Exchange<Codec>& exchange, bool is_client);

// "OK", "CANCELLED", …; empty beyond the codes there are.
std::string_view grpc_status_text(unsigned code);

// ns of a grpc-timeout ("250m"), nothing when it is none.
std::optional<std::uint64_t> parse_grpc_timeout(std::string_view text);

void describe_grpc(const Exchange<Codec>& exchange, const ConnectionInfo& info, spans::SpanBatch& batch,
                   spans::Span& span);

}  // namespace waggle::protocols::http2
