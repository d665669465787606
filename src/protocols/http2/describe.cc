// SPDX-License-Identifier: Apache-2.0
#include "protocols/http2/describe.h"

#include <cstring>

#include "base/strings.h"
#include "protocols/http/describe.h"
#include "protocols/http2/frames.h"
#include "protocols/http2/grpc.h"
#include "protocols/http2/http2.h"
#include "spans/attribute_names.h"

namespace waggle::protocols::http2 {
namespace {

// Names the attributes that must be there and nobody can know.
void describe_unknown(const Exchange<Codec>& exchange, bool is_call, spans::SpanBatch& batch, spans::Span& span) {
    const Fields& request = exchange.request.fields;
    const Fields& response = exchange.response.fields;
    std::array<std::string_view, 3> names;
    std::size_t count = 0;
    const bool was_answered = exchange.has_response || exchange.incomplete == spans::Incomplete::Hole;
    if (is_call) {
        if (!request.has(Name::Path)) names[count++] = attr::rpc_method;
        if (was_answered && !span.attributes.find(attr::rpc_response_status_code))
            names[count++] = attr::rpc_response_status_code;
    } else {
        if (!request.has(Name::Method)) names[count++] = attr::http_request_method;
        if (!request.has(Name::Path) && request.may_have(Name::Path)) names[count++] = attr::url_path;
        if (was_answered && !response.has(Name::Status)) names[count++] = attr::http_response_status_code;
    }
    if (!count) return;
    std::size_t size = count - 1;
    for (std::size_t i = 0; i < count; ++i) size += names[i].size();
    char* const text = batch.arena().allocate(size);
    char* at = text;
    for (std::size_t i = 0; i < count; ++i) {
        if (i) *at++ = ',';
        std::memcpy(at, names[i].data(), names[i].size());
        at += names[i].size();
    }
    span.attributes.add(attr::waggle_unknown, std::string_view(text, size));
}

std::string_view scheme_of(const Fields& fields) { return fields.text(Name::Scheme) == "https" ? "https" : "http"; }

}  // namespace

std::optional<std::uint64_t> declared_length(const Fields& fields) {
    return parse_int<std::uint64_t>(fields.text(Name::ContentLength));
}

std::optional<spans::TraceContext> Codec::trace_context(const Request& request) {
    if (!request.fields.has(Name::Traceparent)) return {};
    return spans::parse_traceparent(request.fields.text(Name::Traceparent));
}

std::array<spans::Attribute, 2> Codec::open_attributes(const Request& request) {
    return http::open_attributes(request.fields.text(Name::Method), scheme_of(request.fields));
}

bool Codec::is_in_gauge(const Request& request) { return !is_grpc(request); }

void Codec::describe(const Exchange<Codec>& exchange, const ConnectionInfo& info, const Options& options,
                     spans::SpanBatch& batch, spans::Span& span) {
    const Fields& request = exchange.request.fields;
    const bool is_call = is_grpc(exchange.request, exchange.response);
    if (is_call) {
        describe_grpc(exchange, info, batch, span);
    } else {
        const std::string_view authority = request.text(request.has(Name::Authority) ? Name::Authority : Name::Host);
        const bool is_connect = request.text(Name::Method) == "CONNECT" && !request.has(Name::Path);
        const http::Facts facts{
            .protocol = kHttp2.name,
            .version = "2",
            .method = request.text(Name::Method),
            .target = is_connect ? authority : request.text(Name::Path),
            .authority = authority,
            .scheme = scheme_of(request),
            .user_agent = request.text(Name::UserAgent),
            .tracestate = request.text(Name::Tracestate),
            .status = exchange.has_response ? exchange.response.status : std::uint16_t{0},
            .failure = exchange.response.is_reset ? error_text(exchange.response.error) : std::string_view{},
            .product = exchange.response.fields.text(Name::ElasticProduct),
            .content = exchange.request.front,
            .answer = exchange.response.front,
        };
        http::describe(facts, exchange, info, options, batch, span);
    }
    describe_unknown(exchange, is_call, batch, span);
}

}  // namespace waggle::protocols::http2
