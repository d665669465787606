// SPDX-License-Identifier: Apache-2.0
// Codec: what is kept of an HTTP/2 exchange, and what its span says.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "protocols/http/content.h"
#include "protocols/http/grpc.h"
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
    // The first bytes of a body that may be a call, while none of them are missing.
    std::string front;
    bool wants_front = false;

    void add_front(std::string_view bytes) {
        front += bytes.substr(0, http::kMaxFront - std::min(http::kMaxFront, front.size()));
    }

    void clear() {
        fields.clear();
        why = spans::Incomplete::No;
        is_lost = false;
        front.clear();
        wants_front = false;
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
    bool is_web = false;      // gRPC-Web's
    http::GrpcWebTrailers web_trailers;

    void clear() {
        Message::clear();
        trailers.clear();
        web_trailers.clear();
        status = 0;
        content = lost_ns = lost_position = 0;
        is_reset = is_web = false;
        error = 0;
    }
};

struct Codec {
    using Key = std::uint32_t;  // the stream's identifier
    using Request = http2::Request;
    using Response = http2::Response;

    static std::optional<spans::TraceContext> trace_context(const Request& request);
    static std::array<spans::Attribute, 2> open_attributes(const Request& request);
    static bool is_in_gauge(const Request& request);
    // The fronts of both bodies, where they are kept.
    static std::size_t memory(const Request& request) { return request.wants_front ? 2 * http::kMaxFront : 0; }
    static void describe(const Exchange<Codec>& exchange, const ConnectionInfo& info, const Options& options,
                         spans::SpanBatch& batch, spans::Span& span);
};

// The length that the head declares.
std::optional<std::uint64_t> declared_length(const Fields& fields);

}  // namespace waggle::protocols::http2
