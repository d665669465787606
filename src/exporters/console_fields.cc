// SPDX-License-Identifier: Apache-2.0
#include "exporters/console_fields.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>

#include "spans/attribute_names.h"

namespace waggle::exporters {
namespace {

using spans::Span;
using spans::SpanClass;
using spans::SpanKind;

std::string address_text(const std::array<std::uint8_t, 16>& address) {
    constexpr std::uint8_t kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    char text[INET6_ADDRSTRLEN] = "";
    if (std::equal(std::begin(kMapped), std::end(kMapped), address.begin()))
        ::inet_ntop(AF_INET, address.data() + 12, text, sizeof text);
    else
        ::inet_ntop(AF_INET6, address.data(), text, sizeof text);
    return text;
}

// "1.25" of number 125 with scale 100: no trailing zeros.
std::string decimal(std::uint64_t number, std::uint64_t scale) {
    std::string out = fmt::format("{}", number / scale);
    std::uint64_t rest = number % scale;
    if (rest == 0) return out;
    out += '.';
    for (; rest > 0; rest = rest * 10 % scale) out += static_cast<char>('0' + rest * 10 / scale);
    return out;
}

}  // namespace

Ends ends_of(const Span& span) {
    const auto& attributes = span.attributes;
    Ends ends{.peer_name = attributes.text(attr::client_address), .host_name = attributes.text(attr::server_address)};
    if (span.sequence.is_known) {
        ends.peer = address_text(span.sequence.client_address);
        ends.host = address_text(span.sequence.server_address);
        ends.peer_port = span.sequence.client_port;
        ends.host_port = span.sequence.server_port;
        return ends;
    }
    const auto far = attributes.text(attr::network_peer_address);
    const auto near = attributes.text(attr::network_local_address);
    const std::int64_t far_port = attributes.number(attr::network_peer_port, 0);
    const std::int64_t near_port = attributes.number(attr::network_local_port, 0);
    const bool is_server = span.kind == SpanKind::Server || span.kind == SpanKind::Consumer;
    ends.peer = is_server ? far : near;
    ends.host = is_server ? near : far;
    ends.peer_port = is_server ? far_port : near_port;
    ends.host_port = is_server ? near_port : far_port;
    if (ends.peer.empty()) ends.peer = ends.peer_name;
    if (ends.host.empty()) ends.host = ends.host_name;
    if (ends.peer_port == 0) ends.peer_port = attributes.number(attr::client_port, 0);
    if (ends.host_port == 0) ends.host_port = attributes.number(attr::server_port, 0);
    return ends;
}

std::string_view type_name(const Span& span) {
    const bool is_server = span.kind == SpanKind::Server;
    switch (span.span_class) {
        case SpanClass::Http:
            return is_server ? "HTTP" : "HTTPClient";
        case SpanClass::Rpc:
            return is_server ? "GRPC" : "GRPCClient";
        case SpanClass::Db:
            if (span.protocol == "redis") return is_server ? "RedisServer" : "RedisClient";
            return is_server ? "SQLServer" : "SQLClient";
        case SpanClass::Messaging:
            return is_server ? "KafkaServer" : "KafkaClient";
        case SpanClass::Dns:
            return is_server ? "DNSServer" : "DNSClient";
        case SpanClass::Connection:
            break;
    }
    return is_server ? "TCPServer" : "TCPClient";
}

std::string_view method_of(const Span& span) {
    const std::string_view method = span.attributes.text(attr::http_request_method);
    return span.span_class == SpanClass::Http ? method : span.name;
}

std::string_view path_of(const Span& span) {
    const std::string_view path = span.attributes.text(attr::url_path);
    return path.empty() ? span.attributes.text(attr::url_full) : path;
}

std::int64_t status_of(const Span& span) {
    if (span.span_class != SpanClass::Http) return span.status == spans::Status::Error ? 1 : 0;
    return span.attributes.number(attr::http_response_status_code, 0);
}

std::string value_text(const spans::Value& value) {
    if (const auto* text = std::get_if<std::string_view>(&value)) return std::string(*text);
    if (const auto* number = std::get_if<std::int64_t>(&value)) return fmt::format("{}", *number);
    if (const auto* number = std::get_if<double>(&value)) return fmt::format("{}", *number);
    return std::get<bool>(value) ? "true" : "false";
}

std::string go_duration(std::uint64_t ns) {
    if (ns == 0) return "0s";
    if (ns < 1'000) return fmt::format("{}ns", ns);
    if (ns < 1'000'000) return decimal(ns, 1'000) + "µs";
    if (ns < 1'000'000'000) return decimal(ns, 1'000'000) + "ms";
    constexpr std::uint64_t kMinute = 60'000'000'000;
    const std::string seconds = decimal(ns % kMinute, 1'000'000'000) + "s";
    if (ns < kMinute) return seconds;
    if (ns < 60 * kMinute) return fmt::format("{}m{}", ns / kMinute, seconds);
    return fmt::format("{}h{}m{}", ns / (60 * kMinute), ns / kMinute % 60, seconds);
}

}  // namespace waggle::exporters
