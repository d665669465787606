// SPDX-License-Identifier: Apache-2.0
// Codec: what InOrderSession asks of HTTP/1.
#pragma once

#include <array>
#include <string_view>

#include "protocols/http1/body.h"
#include "protocols/http1/message.h"
#include "protocols/in_order.h"

namespace waggle::protocols::http1 {

struct Codec {
    using Request = RequestHead;
    using Response = ResponseHead;
    using Body = http1::Body;

    static constexpr std::uint64_t kLeastRequest = 18;  // "GET / HTTP/1.1", two line ends

    // Empty lines before a request belong to nothing.
    static std::size_t blank_before_request(std::string_view bytes) { return leading_newlines(bytes); }
    static Parsed<std::size_t> parse_request(std::string_view bytes, bool is_final, Request& head);
    static Parsed<std::size_t> parse_response(std::string_view bytes, bool is_final, Response& head) {
        return http1::parse_response(bytes, is_final, head);
    }
    static bool is_cut(const Head& head) { return head.is_cut; }
    static void begin_request(const Request& request, std::uint64_t position, Body& body);
    static Reply begin_response(const Request& request, const Response& response, std::uint64_t position, Body& body);
    // RFC 9110 §10.1.1: a body that waits for a 100, and may never be sent after a final answer.
    static bool may_withhold(const Request& request) {
        return request.expects && (request.is_chunked || request.length > 0);
    }
    static bool goes_on(const Response& interim) { return interim.status == 100; }
    static Continuation after_answer(std::string_view bytes, bool is_final, const Body& body);
    // The content's first bytes; bytes: what follows those that were added before.
    static void add_content(Request& request, std::string_view bytes);
    static void add_content(const Request& request, Response& response, std::string_view bytes);
    static bool is_tunnel(const Request& request) { return request.at(request.method) == "CONNECT"; }
    static const Protocol* switches_to(const Request& request, const Response& response);
    static std::optional<spans::TraceContext> trace_context(const Request& request);
    static std::array<spans::Attribute, 2> open_attributes(const Request& request);
    static void describe(const Exchange<Codec>& exchange, const ConnectionInfo& info, const Options& options,
                         spans::SpanBatch& batch, spans::Span& span);
};

}  // namespace waggle::protocols::http1
