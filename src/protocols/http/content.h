// SPDX-License-Identifier: Apache-2.0
// What an HTTP exchange carries, where that is a protocol of its own: GraphQL, JSON-RPC, and what Elasticsearch and
// OpenSearch are asked. Told as attributes of the exchange; a call to a search engine is a database's.
#pragma once

#include <string_view>

#include "protocols/http/describe.h"
#include "protocols/http/target.h"

namespace waggle::protocols::http {

// May the content that begins so be GraphQL's or JSON-RPC's?
bool may_be_call(std::string_view content);

void refine(const Facts& facts, const Target& target, const ConnectionInfo& info, spans::SpanBatch& batch,
            spans::Span& span);

}  // namespace waggle::protocols::http
