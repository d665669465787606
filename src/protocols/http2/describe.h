// SPDX-License-Identifier: Apache-2.0
// Codec: what is kept of an HTTP/2 exchange, and what its span says.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "protocols/http2/fields.h"
#include "protocols/keyed.h"

namespace waggle::protocols::http2 {

// One side of an exchange.
struct Message {
    Fields fields;
    // Why fields are unknown, where they are.
    spans::Incomplete why = spans::Incomplete::No;
    // Frames of it may have gone by unseen: body and end are not known.
    bool is_lost = false;

    void clear() {
        fields.clear();
        why = spans::Incomplete::No;
        is_lost = false;
    }
};

struct Request : Message {
    std::uint64_t content = 0;  // bytes of DATA so far, without padding

    void clear() {
        Message::clear();
        content = 0;
    }
};

struct Response : Message {
    Fields trailers;
    std::uint16_t status = 0;  // 0: unknown
    std::uint64_t content = 0;
    std::uint64_t lost_ns = 0;        // when frames were lost that may have ended it
    std::uint64_t lost_position = 0;  // … and from where
    bool is_reset = false;
    std::uint32_t error = 0;  // of RST_STREAM

    void clear() {
        Fields kept_fields = std::move(fields);
        Fields kept_trailers = std::move(trailers);
        *this = {};
        fields = std::move(kept_fields);
        trailers = std::move(kept_trailers);
        fields.clear();
        trailers.clear();
    }
};

struct Codec {
    using Key = std::uint32_t;  // the stream's identifier
    using Request = http2::Request;
    using Response = http2::Response;

    static std::optional<spans::TraceContext> trace_context(const Request& request);
    static std::array<spans::Attribute, 2> open_attributes(const Request& request);
    static bool is_in_gauge(const Request& request);
    static void describe(const Exchange<Codec>& exchange, const ConnectionInfo& info, const Options& options,
                         spans::SpanBatch& batch, spans::Span& span);
};

// The length that the head declares.
std::optional<std::uint64_t> declared_length(const Fields& fields);

}  // namespace waggle::protocols::http2
