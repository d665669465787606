// SPDX-License-Identifier: Apache-2.0
#include "protocols/http2/grpc.h"

#include <algorithm>
#include <array>

#include "base/strings.h"
#include "protocols/http/describe.h"
#include "protocols/http2/frames.h"
#include "spans/attribute_names.h"

namespace waggle::protocols::http2 {
namespace {

enum Code : unsigned {
    kCancelled = 1,
    kUnknown = 2,
    kDeadlineExceeded = 4,
    kPermissionDenied = 7,
    kResourceExhausted = 8,
    kUnimplemented = 12,
    kInternal = 13,
    kUnavailable = 14,
    kDataLoss = 15,
    kUnauthenticated = 16,
};

constexpr std::array<std::string_view, 17> kTexts = {
    "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"};

bool is_grpc_type(std::string_view type) {
    constexpr std::string_view kType = "application/grpc";
    if (!type.starts_with(kType)) return false;
    type.remove_prefix(kType.size());
    return type.empty() || type[0] == '+' || type[0] == ';' || type[0] == '-' || type[0] == ' ';
}

// How clients read an HTTP status without a grpc-status (gRPC's http-grpc-status-mapping).
unsigned code_of_status(std::uint16_t status) {
    switch (status) {
        case 400:
            return kInternal;
        case 401:
            return kUnauthenticated;
        case 403:
            return kPermissionDenied;
        case 404:
            return kUnimplemented;
        case 429:
        case 502:
        case 503:
        case 504:
            return kUnavailable;
        default:
            return kUnknown;
    }
}

// gRPC over HTTP2, "Errors"; nothing where the mapping has none.
std::optional<unsigned> code_of_reset(std::uint32_t error) {
    constexpr std::array<unsigned, 13> kCodes = {kInternal, kInternal,          kInternal,        kInternal,  kInternal,
                                                 kUnknown,  kInternal,          kUnavailable,     kCancelled, kInternal,
                                                 kInternal, kResourceExhausted, kPermissionDenied};
    if (error >= kCodes.size()) return {};
    return kCodes[error];
}

// Either end gives a call up at its deadline, or because it wants no more. The header's timeout is rounded up by
// a percent at most.
bool is_past_deadline(const Exchange<Codec>& exchange) {
    const auto timeout = parse_grpc_timeout(exchange.request.fields.text(Name::GrpcTimeout));
    return timeout && exchange.end_ns >= exchange.start_ns + *timeout - *timeout / 64;
}

bool is_error(unsigned code, bool is_client) {
    if (is_client) return code != 0;
    return code == kUnknown || code == kDeadlineExceeded || code == kUnimplemented || code == kInternal ||
           code == kUnavailable || code == kDataLoss;
}

}  // namespace

std::string_view grpc_status_text(unsigned code) { return code < kTexts.size() ? kTexts[code] : std::string_view{}; }

bool is_grpc(const Request& request) { return is_grpc_type(request.fields.text(Name::ContentType)); }

bool is_grpc(const Request& request, const Response& response) {
    if (request.fields.has(Name::ContentType)) return is_grpc(request);
    return request.fields.may_have(Name::ContentType) &&
           (is_grpc_type(response.fields.text(Name::ContentType)) || response.trailers.has(Name::GrpcStatus) ||
            response.fields.has(Name::GrpcStatus));
}

std::optional<std::uint64_t> parse_grpc_timeout(std::string_view text) {
    if (text.size() < 2 || text.size() > 9) return {};
    constexpr std::string_view kUnits = "numSMH";
    constexpr std::uint64_t kNs[] = {1, 1'000, 1'000'000, 1'000'000'000, 60'000'000'000, 3'600'000'000'000};
    const std::size_t unit = kUnits.find(text.back());
    const auto count = parse_int<std::uint64_t>(text.substr(0, text.size() - 1));
    if (unit == std::string_view::npos || !count) return {};
    return *count * kNs[unit];
}

std::optional<unsigned> grpc_status(const Exchange<Codec>& exchange, bool is_client) {
    const Response& response = exchange.response;
    for (const Fields* fields : {&response.trailers, &response.fields})
        if (fields->has(Name::GrpcStatus)) {
            const auto code = parse_int<unsigned>(fields->text(Name::GrpcStatus));
            return code ? *code : kUnknown;
        }
    if (response.is_reset) {
        constexpr std::uint32_t kCancel = 8;
        if (response.error == kCancel && is_past_deadline(exchange)) return kDeadlineExceeded;
        return code_of_reset(response.error);
    }
    if (is_client && exchange.has_response && response.status && response.status != 200)
        return code_of_status(response.status);
    return {};
}

void describe_grpc(const Exchange<Codec>& exchange, const ConnectionInfo& info, spans::SpanBatch& batch,
                   spans::Span& span) {
    const Fields& request = exchange.request.fields;
    const bool is_client = info.role == Role::Client;
    span.span_class = spans::SpanClass::Rpc;
    span.protocol = "grpc";
    span.name = "grpc";
    spans::Attributes& attributes = span.attributes;
    attributes.add(attr::rpc_system_name, std::string_view("grpc"));
    if (const std::string_view path = http::keep(request.text(Name::Path), batch); path.size() > 1) {
        span.name = path.substr(path[0] == '/' ? 1 : 0);
        attributes.add(attr::rpc_method, span.name);
        attributes.add(attr::url_path, path);
    }
    std::string_view error;
    if (const auto code = grpc_status(exchange, is_client)) {
        std::string_view text = grpc_status_text(*code);
        if (text.empty()) text = http::keep(exchange.response.trailers.text(Name::GrpcStatus), batch);
        if (!text.empty()) attributes.add(attr::rpc_response_status_code, text);
        if (is_error(*code, is_client)) error = text.empty() ? std::string_view("_OTHER") : text;
    } else if (exchange.response.is_reset) {
        error = error_text(exchange.response.error);
    } else if (exchange.incomplete == spans::Incomplete::Closed) {
        error = "connection_closed";
    } else if (exchange.response.status >= 500) {
        error = "UNKNOWN";
    }
    if (!error.empty()) {
        span.status = spans::Status::Error;
        attributes.add(attr::error_type, error);
    }
    http::describe_addresses(info, http::parse_authority(request.text(Name::Authority)), true, batch, span);
    attributes.add(attr::network_protocol_name, std::string_view("http"));
    attributes.add(attr::network_protocol_version, std::string_view("2"));
    if (exchange.header && request.has(Name::Tracestate))
        span.trace_state = http::keep(request.text(Name::Tracestate), batch);
}

}  // namespace waggle::protocols::http2
