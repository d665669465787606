// SPDX-License-Identifier: Apache-2.0
#include "protocols/http2/grpc.h"

#include <algorithm>
#include <array>

#include "base/strings.h"
#include "protocols/http2/frames.h"
#include "spans/grpc_codes.h"

namespace waggle::protocols::http2 {
namespace {

// gRPC over HTTP2, "Errors"; nothing where the mapping has none.
std::optional<unsigned> code_of_reset(std::uint32_t error) {
    constexpr std::array<unsigned, 13> kCodes = {
        spans::kGrpcInternal,        spans::kGrpcInternal, spans::kGrpcInternal, spans::kGrpcInternal,
        spans::kGrpcInternal,        spans::kGrpcUnknown,  spans::kGrpcInternal, spans::kGrpcUnavailable,
        spans::kGrpcCancelled,       spans::kGrpcInternal, spans::kGrpcInternal, spans::kGrpcResourceExhausted,
        spans::kGrpcPermissionDenied};
    if (error >= kCodes.size()) return {};
    return kCodes[error];
}

// Either end gives a call up at its deadline, or because it wants no more. The header's timeout is rounded up by
// a percent at most, and its writer may wait for a processor before it sends what is left of the time.
bool is_past_deadline(const Exchange<Codec>& exchange) {
    constexpr std::uint64_t kMaxWaitNs = 50'000'000;
    const auto timeout = parse_grpc_timeout(exchange.request.fields.text(Name::GrpcTimeout));
    if (!timeout) return false;
    const std::uint64_t early = std::max(*timeout / 64, std::min(*timeout / 4, kMaxWaitNs));
    return exchange.end_ns - exchange.start_ns >= *timeout - early;
}

// As it was sent: in the trailers, the only head, or gRPC-Web's last message.
std::optional<std::string_view> sent_status(const Response& response) {
    for (const Fields* fields : {&response.trailers, &response.fields})
        if (fields->has(Name::GrpcStatus)) return fields->text(Name::GrpcStatus);
    // Where frames are missing, so may messages be.
    return response.is_web && !response.is_lost ? response.web_trailers.status() : std::nullopt;
}

}  // namespace

bool is_grpc(const Request& request) { return http::is_grpc_type(request.fields.text(Name::ContentType)); }

bool is_grpc(const Request& request, const Response& response) {
    if (request.fields.has(Name::ContentType)) return is_grpc(request);
    return request.fields.may_have(Name::ContentType) &&
           (http::is_grpc_type(response.fields.text(Name::ContentType)) || response.trailers.has(Name::GrpcStatus) ||
            response.fields.has(Name::GrpcStatus));
}

std::optional<std::uint64_t> parse_grpc_timeout(std::string_view text) {
    if (text.size() < 2 || text.size() > 9) return {};
    constexpr std::string_view kUnits = "numSMH";
    constexpr std::uint64_t kNs[] = {1, 1'000, 1'000'000, 1'000'000'000, 60'000'000'000, 3'600'000'000'000};
    const std::size_t unit = kUnits.find(text.back());
    const auto count = parse_int<std::uint64_t>(text.substr(0, text.size() - 1));
    if (unit == std::string_view::npos || !count) return {};
    // Eight digits of hours are more than fit: that never passes.
    if (*count > UINT64_MAX / kNs[unit]) return UINT64_MAX;
    return *count * kNs[unit];
}

std::optional<unsigned> grpc_status(const Exchange<Codec>& exchange, bool is_client) {
    const Response& response = exchange.response;
    if (const auto text = sent_status(response)) return http::parse_grpc_status(*text);
    if (response.is_reset) {
        constexpr std::uint32_t kCancel = 8;
        if (response.error == kCancel && is_past_deadline(exchange)) return spans::kGrpcDeadlineExceeded;
        return code_of_reset(response.error);
    }
    if (is_client && exchange.has_response && response.status && response.status != 200)
        return spans::grpc_code_of_status(response.status);
    return {};
}

void describe_grpc(const Exchange<Codec>& exchange, const ConnectionInfo& info, spans::SpanBatch& batch,
                   spans::Span& span) {
    const Fields& request = exchange.request.fields;
    const Response& response = exchange.response;
    http::GrpcFacts facts{
        .protocol = "grpc",
        .version = "2",
        .path = request.text(Name::Path),
        .authority = request.text(Name::Authority),
        .tracestate = request.text(Name::Tracestate),
        .code = grpc_status(exchange, info.role == Role::Client),
        .code_text = sent_status(response).value_or(std::string_view{}),
    };
    if (response.is_reset)
        facts.failure = error_text(response.error);
    else if (exchange.incomplete == spans::Incomplete::Closed)
        facts.failure = "connection_closed";
    else if (response.status >= 500)
        facts.failure = "UNKNOWN";
    http::describe_grpc(facts, exchange, info, batch, span);
}

}  // namespace waggle::protocols::http2
