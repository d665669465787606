// SPDX-License-Identifier: Apache-2.0
// What an HTTP exchange carries, where that is a protocol of its own: GraphQL, JSON-RPC, and what Elasticsearch and
// OpenSearch are asked. Told as attributes of the exchange; a call to a search engine is a database's.
#pragma once

#include <string_view>

#include "protocols/http/describe.h"
#include "protocols/http/target.h"

namespace waggle::protocols::http {

inline constexpr std::size_t kMaxFront = 2048;  // kept of a content that may be a call, and of its answer

// May a request's content be a call, by what its head says?
bool may_carry_call(std::string_view method, std::string_view content_type);

// May the content that begins so be GraphQL's or JSON-RPC's?
bool may_be_call(std::string_view content);

void refine(const Facts& facts, const Target& target, const ConnectionInfo& info, spans::SpanBatch& batch,
            spans::Span& span);

}  // namespace waggle::protocols::http
