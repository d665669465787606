// SPDX-License-Identifier: Apache-2.0
// What the rows of the instrument table ask of a span: when a metric counts it, its value, its attributes.
#pragma once

#include <algorithm>
#include <limits>

#include "metrics/instruments.h"
#include "spans/attribute_names.h"
#include "spans/grpc_codes.h"

namespace waggle::metrics {

using spans::Span;
using spans::SpanClass;
using spans::SpanKind;
using spans::Value;

namespace when {
inline bool http_server(const Span& s) { return s.span_class == SpanClass::Http && s.kind == SpanKind::Server; }
inline bool http_client(const Span& s) { return s.span_class == SpanClass::Http && s.kind == SpanKind::Client; }
inline bool rpc_server(const Span& s) { return s.span_class == SpanClass::Rpc && s.kind == SpanKind::Server; }
inline bool rpc_client(const Span& s) { return s.span_class == SpanClass::Rpc && s.kind == SpanKind::Client; }
// A database's own process is the server: it is nobody's client.
inline bool db_client(const Span& s) { return s.span_class == SpanClass::Db && s.kind == SpanKind::Client; }
// A broker's own process is the server: what its clients did is theirs to count.
inline bool messaging_client(const Span& s) {
    return s.span_class == SpanClass::Messaging && (s.kind == SpanKind::Client || s.kind == SpanKind::Producer);
}
inline bool messaging_sent(const Span& s) {
    return messaging_client(s) && s.attributes.text(attr::messaging_operation_type) == "send";
}
inline bool messaging_received(const Span& s) {
    return messaging_client(s) && s.attributes.text(attr::messaging_operation_type) == "receive";
}
// A resolver that answers is the server.
inline bool dns_client(const Span& s) { return s.span_class == SpanClass::Dns && s.kind == SpanKind::Client; }
// A connection whose bytes nobody can read is no span.
inline bool connection(const Span& s) { return s.span_class == SpanClass::Connection; }
inline bool any(const Span& s) { return !connection(s); }
inline bool client(const Span& s) { return any(s) && (s.kind == SpanKind::Client || s.kind == SpanKind::Producer); }
inline bool server(const Span& s) { return any(s) && (s.kind == SpanKind::Server || s.kind == SpanKind::Consumer); }
inline bool call(const Span& s) { return any(s) && s.kind != SpanKind::Internal; }
inline bool tls_begin(const Span& s) { return connection(s) && !s.attributes.find(attr::waggle_tls_sent); }
inline bool tls_end(const Span& s) { return connection(s) && !tls_begin(s); }
inline bool failed_call(const Span& s) { return call(s) && s.status == spans::Status::Error; }
}  // namespace when

namespace value {
inline double size_or_nan(const Span& s, std::string_view key) {
    const std::int64_t size = s.attributes.number(key, -1);
    return size < 0 ? std::numeric_limits<double>::quiet_NaN() : static_cast<double>(size);
}
inline double seconds(const Span& s) { return s.seconds(); }
inline double one(const Span&) { return 1; }
inline double request_size(const Span& s) { return size_or_nan(s, attr::http_request_body_size); }
inline double queue_seconds(const Span& s) {
    return s.queue_us ? s.queue_us * 1e-6 : std::numeric_limits<double>::quiet_NaN();
}
// Of a call with several messages somebody says how many, or that nobody knows; else it is one.
inline double message_count(const Span& s) {
    const bool is_known =
        s.attributes.text(attr::waggle_unknown).find(attr::messaging_batch_message_count) == std::string_view::npos;
    return is_known ? static_cast<double>(s.attributes.number(attr::messaging_batch_message_count, 1))
                    : std::numeric_limits<double>::quiet_NaN();
}
inline double tls_sent(const Span& s) { return size_or_nan(s, attr::waggle_tls_sent); }
inline double tls_received(const Span& s) { return size_or_nan(s, attr::waggle_tls_received); }
// Not of one whose begin or end is not known.
inline double known_seconds(const Span& s) {
    return s.start_ns && s.end_ns ? s.seconds() : std::numeric_limits<double>::quiet_NaN();
}
inline double response_size(const Span& s) { return size_or_nan(s, attr::http_response_body_size); }
}  // namespace value

namespace get {
inline bool text(std::string_view from, Value& to) {
    to = from;
    return !from.empty();
}
inline std::string_view own_name(const Span& s) {
    return s.resource ? std::string_view(s.resource->service_name) : std::string_view{};
}
inline std::string_view own_namespace(const Span& s) {
    return s.resource ? std::string_view(s.resource->service_namespace) : std::string_view{};
}
inline bool service(const Span& s, Value& to) { return text(own_name(s), to); }
inline bool service_namespace(const Span& s, Value& to) { return text(own_namespace(s), to); }
inline bool span_name(const Span& s, Value& to) { return text(s.name, to); }
inline bool span_kind(const Span& s, Value& to) {
    constexpr std::string_view kNames[] = {"SPAN_KIND_INTERNAL", "SPAN_KIND_SERVER", "SPAN_KIND_CLIENT",
                                           "SPAN_KIND_PRODUCER", "SPAN_KIND_CONSUMER"};
    return text(kNames[static_cast<std::size_t>(s.kind)], to);
}
inline bool status_code(const Span& s, Value& to) {
    to = std::int64_t{s.status == spans::Status::Error};
    return true;
}
inline bool beyla_error(const Span& s, Value& to) { return s.status == spans::Status::Error && text("error", to); }
inline bool role(const Span& s, Value& to) {
    return text(s.kind == SpanKind::Client ? "client" : s.kind == SpanKind::Server ? "server" : "unknown", to);
}
inline bool source_waggle(const Span&, Value& to) { return text("waggle", to); }
inline bool source_beyla(const Span&, Value& to) { return text("beyla", to); }
// Of an exchange that has ended: what is still open may come to any end, whatever its head said.
inline bool http_status(const Span& s, Value& to) {
    if (s.incomplete == spans::Incomplete::MaxAge || s.incomplete == spans::Incomplete::AgentStop) return false;
    const Value* status = s.attributes.find(attr::http_response_status_code);
    if (status) to = *status;
    return status != nullptr;
}
// One end of a call: the service itself on its own side, the address of the other.
inline bool graph_client(const Span& s, Value& to) {
    return text(when::client(s) ? own_name(s) : s.attributes.text(attr::client_address), to);
}
inline bool graph_server(const Span& s, Value& to) {
    return text(when::client(s) ? s.attributes.text(attr::server_address) : own_name(s), to);
}
inline bool beyla_client(const Span& s, Value& to) {
    const std::string_view address = s.attributes.text(attr::client_address);
    return text(address.empty() && when::client(s) ? own_name(s) : address, to);
}
inline bool beyla_server(const Span& s, Value& to) {
    const std::string_view address = s.attributes.text(attr::server_address);
    return text(address.empty() && !when::client(s) ? own_name(s) : address, to);
}
// Beyla calls a method by its path, a system by its old name, and numbers the codes.
inline bool beyla_rpc_method(const Span& s, Value& to) { return text(s.attributes.text(attr::url_path), to); }
inline bool beyla_rpc_system(const Span& s, Value& to) { return text(s.attributes.text(attr::rpc_system_name), to); }
inline bool beyla_rpc_code(const Span& s, Value& to) {
    const auto* const found = std::ranges::find(spans::kGrpcCodes, s.attributes.text(attr::rpc_response_status_code));
    to = std::int64_t{found - spans::kGrpcCodes.begin()};
    return found != spans::kGrpcCodes.end();
}
inline bool client_namespace(const Span& s, Value& to) { return when::client(s) && text(own_namespace(s), to); }
inline bool server_namespace(const Span& s, Value& to) { return !when::client(s) && text(own_namespace(s), to); }
}  // namespace get

}  // namespace waggle::metrics
