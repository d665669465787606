// SPDX-License-Identifier: Apache-2.0
#include "exporters/console.h"

#include <arpa/inet.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <time.h>

#include <iterator>

#include "exporters/console_fields.h"
#include "otlp/json_writer.h"
#include "spans/attribute_names.h"

namespace waggle::exporters {
namespace {

using spans::Span;

template <std::size_t N>
std::string hex(const std::array<std::uint8_t, N>& bytes) {
    std::string out(2 * N, '0');
    spans::write_hex(bytes.data(), N, out.data());
    return out;
}

std::string local_time(std::uint64_t monotonic_ns, std::int64_t wall_offset_ns) {
    const std::int64_t wall = static_cast<std::int64_t>(monotonic_ns) + wall_offset_ns;
    const std::time_t seconds = wall / 1'000'000'000;
    std::tm parts{};
    ::localtime_r(&seconds, &parts);
    return fmt::format("{:%Y-%m-%d %H:%M:%S}.{:05}", parts, wall % 1'000'000'000 / 10'000);
}

std::string traceparent(const Span& span) {
    if (!span.trace_id.is_valid()) return {};
    return fmt::format("00-{}-{}[{}]-{:02x}", hex(span.trace_id.bytes), hex(span.span_id.bytes),
                       hex(span.parent_span_id.bytes), span.flags);
}

std::uint64_t duration_ns(const Span& span) { return span.end_ns > span.start_ns ? span.end_ns - span.start_ns : 0; }

std::string_view ignored(const Span& span) {
    if (span.is_ignored_for_metrics && span.is_ignored_for_traces) return "MetricsTraces";
    if (span.is_ignored_for_metrics) return "Metrics";
    return span.is_ignored_for_traces ? "Traces" : "";
}

std::string_view kind_name(spans::SpanKind kind) {
    constexpr std::string_view kNames[] = {"SPAN_KIND_INTERNAL", "SPAN_KIND_SERVER", "SPAN_KIND_CLIENT",
                                           "SPAN_KIND_PRODUCER", "SPAN_KIND_CONSUMER"};
    return kNames[static_cast<std::size_t>(kind)];
}

// The keys that Beyla prints for HTTP; everything for other protocols.
void write_attributes(const Span& span, otlp::JsonWriter& json) {
    json.key("attributes").begin_object();
    const auto& from = span.attributes;
    if (span.span_class == spans::SpanClass::Http) {
        const bool is_server = span.kind == spans::SpanKind::Server;
        json.key("method").text(from.text(attr::http_request_method));
        json.key("status").text(fmt::format("{}", from.number(attr::http_response_status_code, 0)));
        json.key("url").text(path_of(span));
        if (is_server) {
            json.key("contentLen").text(fmt::format("{}", from.number(attr::http_request_body_size, 0)));
            json.key("route").text(from.text(attr::http_route));
        }
        json.key("clientAddr").text(from.text(attr::client_address));
        json.key("serverAddr").text(from.text(attr::server_address));
        json.key("serverPort").text(fmt::format("{}", from.number(attr::server_port, 0)));
    } else {
        for (const spans::Attribute& attribute : from) json.key(attribute.key).text(value_text(attribute.value));
    }
    json.end_object();
}

void write_span(const Span& span, std::int64_t wall_offset_ns, otlp::JsonWriter& json) {
    const Ends ends = ends_of(span);
    const auto micros = [&](std::uint64_t ns) {
        return fmt::format("{}", (static_cast<std::int64_t>(ns) + wall_offset_ns) / 1000);
    };
    const std::uint64_t duration = duration_ns(span);
    json.begin_object();
    json.key("type").text(type_name(span));
    json.key("ignoreSpan").text(ignored(span));
    json.key("peer").text(ends.peer);
    json.key("peerPort").text(fmt::format("{}", ends.peer_port));
    json.key("host").text(ends.host);
    json.key("hostPort").text(fmt::format("{}", ends.host_port));
    json.key("traceID").text(hex(span.trace_id.bytes));
    json.key("spanID").text(hex(span.span_id.bytes));
    json.key("parentSpanID").text(hex(span.parent_span_id.bytes));
    json.key("flags").text(fmt::format("{}", span.flags));
    json.key("peerName").text(ends.peer_name);
    json.key("hostName").text(ends.host_name);
    json.key("kind").text(kind_name(span.kind));
    json.key("start").text(micros(span.start_ns));
    json.key("handlerStart").text(micros(span.start_ns));
    json.key("end").text(micros(span.end_ns));
    json.key("duration").text(go_duration(duration));
    json.key("durationUSec").text(fmt::format("{}", duration / 1000));
    json.key("handlerDuration").text(go_duration(duration));
    json.key("handlerDurationUSec").text(fmt::format("{}", duration / 1000));
    write_attributes(span, json);
    json.end_object();
}

std::string one_line(std::string_view text) {
    std::string storage;
    std::string out(spans::valid_utf8(text, storage));
    for (char& c : out)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';  // keep terminals safe
    return out;
}

}  // namespace

void print_text(const spans::SpanBatch& batch, std::int64_t wall_offset_ns, std::string& out) {
    for (const Span& span : batch) {
        const Ends ends = ends_of(span);
        const std::string duration = go_duration(duration_ns(span));
        static const spans::Resource kNobody;
        const spans::Resource& service = span.resource ? *span.resource : kNobody;
        const std::string line = fmt::format(
            "{} ({}[{}]) {} {} {} {} [{} as {}:{}]->[{} as {}:{}] size:{}B svc=[{}{}{} {}] "
            "traceparent=[{}]",
            local_time(span.start_ns, wall_offset_ns), duration, duration, type_name(span), status_of(span),
            method_of(span), path_of(span), ends.peer, ends.peer_name, ends.peer_port, ends.host, ends.host_name,
            ends.host_port, span.attributes.number(attr::http_request_body_size, 0), service.service_namespace,
            service.service_namespace.empty() ? "" : "/", service.service_name, service.language, traceparent(span));
        out.append(one_line(line)).append("\n");
    }
}

void print_json(const spans::SpanBatch& batch, std::int64_t wall_offset_ns, bool is_indented, std::string& out) {
    if (batch.is_empty()) return;
    otlp::JsonWriter json(out, is_indented ? 1 : 0);
    json.begin_array();
    for (const Span& span : batch) write_span(span, wall_offset_ns, json);
    json.end_array();
    out += '\n';
}

}  // namespace waggle::exporters
