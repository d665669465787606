// SPDX-License-Identifier: Apache-2.0
// From what is known of an HTTP exchange to the attributes of the OpenTelemetry HTTP semantic conventions;
// for every version of HTTP.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "protocols/exchange.h"
#include "protocols/http/target.h"

namespace waggle::protocols::http {

struct Facts {
    std::string_view protocol;  // the protocol table's name
    std::string_view version;
    std::string_view method;     // empty: unknown
    std::string_view target;     // empty: unknown
    std::string_view authority;  // as the client wrote it
    std::string_view scheme = "http";
    std::string_view user_agent;
    std::string_view tracestate;
    std::uint16_t status = 0;  // 0: none, or unknown
    std::string_view failure;  // error.type of an exchange that was ended otherwise
    std::string_view product;  // what the server says that it is
    std::string_view content;  // the first bytes of a request that may be a call, and of its answer
    std::string_view answer;
};

void describe(const Facts& facts, const ExchangeState& exchange, const ConnectionInfo& info, const Options& options,
              spans::SpanBatch& batch, spans::Span& span);

// Who talks to whom; authority: what the client calls its server.
void describe_addresses(const ConnectionInfo& info, const Authority& authority, bool wants_details,
                        spans::SpanBatch& batch, spans::Span& span);

// A text as an attribute's value: bounded, and the batch's own.
std::string_view keep(std::string_view text, spans::SpanBatch& batch);

std::array<spans::Attribute, 2> open_attributes(std::string_view method, std::string_view scheme);

}  // namespace waggle::protocols::http
