// SPDX-License-Identifier: Apache-2.0
// The attributes that databases have in common (OpenTelemetry database conventions). A codec fills
// DatabaseCall; what is empty is unknown and not told.
#pragma once

#include <cstdint>
#include <string_view>

#include "protocols/exchange.h"
#include "protocols/protocol.h"

namespace waggle::protocols {

struct DatabaseCall {
    std::string_view system;
    std::string_view name;  // of the span; empty: the operation, else the system
    std::string_view operation;
    std::string_view collection;
    std::string_view summary;
    std::string_view text;
    bool is_text_unknown = false;  // there is one, which nobody saw
    std::string_view database;
    std::string_view status_code;  // of an error
    std::string_view error_type;   // empty: none
    std::uint32_t batch_size = 0;  // 2 and more are told
    std::int64_t returned_rows = -1;
};

// When and how an exchange went, without what its protocol knows.
struct CallFacts {
    spans::Incomplete incomplete;
    std::uint64_t start_ns;
    std::uint64_t first_byte_ns;
};

void describe_database(const DatabaseCall& call, const CallFacts& facts, const ConnectionInfo& info,
                       spans::SpanBatch& batch, spans::Span& span);

}  // namespace waggle::protocols
