// SPDX-License-Identifier: Apache-2.0
#include "protocols/http/describe.h"

#include <cstring>

#include "protocols/http/content.h"
#include "spans/attribute_names.h"

namespace waggle::protocols::http {
namespace {

constexpr std::size_t kMaxText = 2048;  // of one attribute value

// Status codes as text without formatting: error.type needs them.
std::string_view status_text(std::uint16_t status) {
    static const auto kTexts = [] {
        std::array<std::array<char, 3>, 1000> table{};
        for (std::size_t i = 0; i < table.size(); ++i)
            table[i] = {static_cast<char>('0' + i / 100), static_cast<char>('0' + i / 10 % 10),
                        static_cast<char>('0' + i % 10)};
        return table;
    }();
    return status < 1000 ? std::string_view(kTexts[status].data(), 3) : std::string_view{};
}

void describe_status(const Facts& facts, const ExchangeState& exchange, bool is_client, spans::Span& span) {
    using spans::Incomplete;
    // http_request_timeout reports what Beyla reports: 408.
    const std::uint16_t status = exchange.incomplete == Incomplete::Timeout ? 408 : facts.status;
    if (status) span.attributes.add(attr::http_response_status_code, std::int64_t{status});
    std::string_view error = facts.failure;
    if (error.empty() && (status >= 500 || (is_client && status >= 400))) error = status_text(status);
    if (error.empty() && !status && exchange.incomplete == Incomplete::Closed) error = "connection_closed";
    if (error.empty()) return;
    span.status = spans::Status::Error;
    span.attributes.add(attr::error_type, error);
}

void describe_url(const Facts& facts, const Target& target, std::string_view query, const Authority& authority,
                  const ConnectionInfo& info, bool wants_details, spans::SpanBatch& batch, spans::Span& span) {
    const std::string_view path = keep(target.path, batch);
    if (!path.empty()) span.attributes.add(attr::url_path, path);  // CONNECT has none
    const std::string_view scheme = facts.scheme == "https" || info.is_encrypted ? "https" : "http";
    span.attributes.add(attr::url_scheme, scheme);
    if (!wants_details) return;
    if (!query.empty()) span.attributes.add(attr::url_query, keep(query, batch));
    if (info.role != Role::Client || authority.host.empty() || path.empty()) return;
    // url.full = scheme://host[:port]path[?query], with the host as the client wrote it.
    std::string_view host = target.host.empty() ? facts.authority : target.host;
    if (const std::size_t user = host.rfind('@'); user != std::string_view::npos) host.remove_prefix(user + 1);
    const std::string_view short_path = path.starts_with('/') ? path : std::string_view{};
    const std::string_view short_query = query.substr(0, kMaxText);
    const std::size_t size =
        scheme.size() + 3 + host.size() + short_path.size() + (query.empty() ? 0 : 1 + short_query.size());
    char* to = batch.arena().allocate(size);
    char* at = to;
    const auto put = [&](std::string_view text) {
        if (!text.empty()) std::memcpy(at, text.data(), text.size());
        at += text.size();
    };
    put(scheme);
    put("://");
    put(host);
    put(short_path);
    if (!query.empty()) {
        put("?");
        put(short_query);
    }
    span.attributes.add(attr::url_full, std::string_view(to, size));
}

}  // namespace

std::string_view keep(std::string_view text, spans::SpanBatch& batch) { return batch.text(text.substr(0, kMaxText)); }

void describe_addresses(const ConnectionInfo& info, const Authority& authority, bool wants_details,
                        spans::SpanBatch& batch, spans::Span& span) {
    spans::Attributes& attributes = span.attributes;
    if (info.kind == WG_UNIX) {
        attributes.add(attr::network_transport, std::string_view("unix"));
        if (!info.unix_path.empty()) attributes.add(attr::server_address, batch.text(info.unix_path));
        return;
    }
    const bool is_client = info.role == Role::Client;
    if (is_client) {
        // What the client calls its server, when it says so; the port is where it really went.
        attributes.add(attr::server_address,
                       keep(authority.host.empty() ? info.remote_address : authority.host, batch));
        attributes.add(attr::server_port, std::int64_t{authority.port ? authority.port : info.tuple.remote_port});
    } else {
        attributes.add(attr::server_address, batch.text(info.local_address));
        attributes.add(attr::server_port, std::int64_t{info.tuple.local_port});
    }
    if (!wants_details) return;
    const std::string_view remote = batch.text(info.remote_address);
    if (!is_client) attributes.add(attr::client_address, remote);
    attributes.add(attr::network_peer_address, remote);
    attributes.add(attr::network_peer_port, std::int64_t{info.tuple.remote_port});
}

std::array<spans::Attribute, 2> open_attributes(std::string_view method, std::string_view scheme) {
    return {{{attr::http_request_method, known_method(method)}, {attr::url_scheme, scheme}}};
}

void describe(const Facts& facts, const ExchangeState& exchange, const ConnectionInfo& info, const Options& options,
              spans::SpanBatch& batch, spans::Span& span) {
    const std::string_view known = known_method(facts.method);
    const Target target = facts.target.empty() ? Target{} : parse_target(facts.target, facts.method);
    const std::string_view query = options.wants_details
                                       ? redact_query(target.query, options.sensitive_query_params, batch.arena())
                                       : std::string_view{};
    const Authority authority = parse_authority(target.host.empty() ? facts.authority : target.host);

    span.span_class = spans::SpanClass::Http;
    span.protocol = facts.protocol;
    span.instrumentation = "http";
    span.name = known == "_OTHER" ? std::string_view("HTTP") : known;
    spans::Attributes& attributes = span.attributes;
    if (!facts.method.empty()) attributes.add(attr::http_request_method, known);
    if (!facts.method.empty() && known == "_OTHER")
        attributes.add(attr::http_request_method_original, keep(facts.method, batch));
    describe_status(facts, exchange, info.role == Role::Client, span);
    describe_url(facts, target, query, authority, info, options.wants_details, batch, span);
    describe_addresses(info, authority, options.wants_details, batch, span);
    attributes.add(attr::network_protocol_version, facts.version);
    if (options.wants_details && !facts.user_agent.empty())
        attributes.add(attr::user_agent_original, keep(facts.user_agent, batch));
    if (exchange.is_request_body_known)
        attributes.add(attr::http_request_body_size, static_cast<std::int64_t>(exchange.request_body));
    if (exchange.has_response && exchange.is_response_body_known)
        attributes.add(attr::http_response_body_size, static_cast<std::int64_t>(exchange.response_body));
    if (exchange.header && !facts.tracestate.empty()) span.trace_state = keep(facts.tracestate, batch);
    refine(facts, target, info, batch, span);
}

}  // namespace waggle::protocols::http
