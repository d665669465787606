// SPDX-License-Identifier: Apache-2.0
#include "protocols/http1/describe.h"

#include <array>
#include <cstring>

#include "base/strings.h"
#include "protocols/http1/http1.h"
#include "spans/attribute_names.h"

namespace waggle::protocols::http1 {
namespace {

constexpr std::string_view kRedacted = "REDACTED";
constexpr std::size_t kMaxText = 2048;  // of one attribute value

// Parameters that carry secrets: those of the semantic conventions, and what is common.
constexpr std::array<std::string_view, 16> kSecretParameters = {
    "awsaccesskeyid", "signature",     "sig",      "x-goog-signature", "x-amz-signature", "x-amz-credential",
    "token",          "access_token",  "api_key",  "apikey",           "password",        "passwd",
    "secret",         "client_secret", "id_token", "refresh_token"};

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

bool is_secret(std::string_view name, const std::vector<std::string>& more_names) {
    for (const std::string_view secret : kSecretParameters)
        if (equals_ignoring_case(name, secret)) return true;
    for (const std::string& secret : more_names)
        if (equals_ignoring_case(name, secret)) return true;
    return false;
}

// Host and port of "host", "host:port", "[v6]:port". Empty when it is no plausible authority.
struct Authority {
    std::string_view host;
    std::uint16_t port = 0;
};

Authority parse_authority(std::string_view text) {
    if (const std::size_t user = text.rfind('@'); user != std::string_view::npos) text.remove_prefix(user + 1);
    if (text.empty() || text.size() > 255) return {};
    Authority result;
    std::string_view port;
    if (text.front() == '[') {
        const std::size_t close = text.find(']');
        if (close == std::string_view::npos) return {};
        result.host = text.substr(1, close - 1);
        if (close + 1 < text.size() && text[close + 1] == ':') port = text.substr(close + 2);
    } else {
        const std::size_t colon = text.find(':');
        result.host = text.substr(0, colon);
        if (colon != std::string_view::npos) port = text.substr(colon + 1);
    }
    for (const char c : result.host)
        if (static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7f) return {};
    result.port = parse_int<std::uint16_t>(port).value_or(0);
    return result;
}

std::string_view keep(std::string_view text, spans::SpanBatch& batch) {
    return batch.text(text.substr(0, kMaxText));
}

void describe_status(const Exchange<Codec>& exchange, bool is_client, spans::Span& span) {
    using spans::Incomplete;
    std::uint16_t status = exchange.has_response ? exchange.response.status : 0;
    // http_request_timeout reports what Beyla reports: 408.
    if (exchange.incomplete == Incomplete::Timeout) status = 408;
    if (status) span.attributes.add(attr::http_response_status_code, std::int64_t{status});
    const bool is_error = status >= 500 || (is_client && status >= 400);
    if (is_error) {
        span.status = spans::Status::Error;
        span.attributes.add(attr::error_type, status_text(status));
    } else if (!status && exchange.incomplete == Incomplete::Closed) {
        span.status = spans::Status::Error;
        span.attributes.add(attr::error_type, std::string_view("connection_closed"));
    }
}

void describe_addresses(const ConnectionInfo& info, const Authority& authority, spans::SpanBatch& batch,
                        spans::Span& span) {
    spans::Attributes& attributes = span.attributes;
    if (info.kind == WG_UNIX) {
        attributes.add(attr::network_transport, std::string_view("unix"));
        if (!info.unix_path.empty()) attributes.add(attr::server_address, batch.text(info.unix_path));
        return;
    }
    const bool is_client = info.role == Role::Client;
    const std::string_view local = batch.text(info.local_address);
    const std::string_view remote = batch.text(info.remote_address);
    if (is_client) {
        // What the client calls its server, when it says so; the port is where it really went.
        attributes.add(attr::server_address, authority.host.empty() ? remote : keep(authority.host, batch));
        attributes.add(attr::server_port, std::int64_t{authority.port ? authority.port : info.tuple.remote_port});
    } else {
        attributes.add(attr::server_address, local);
        attributes.add(attr::server_port, std::int64_t{info.tuple.local_port});
        attributes.add(attr::client_address, remote);
    }
    attributes.add(attr::network_peer_address, remote);
    attributes.add(attr::network_peer_port, std::int64_t{info.tuple.remote_port});
}

void describe_url(const Exchange<Codec>& exchange, const Target& target, std::string_view query,
                  const Authority& authority, const ConnectionInfo& info, spans::SpanBatch& batch,
                  spans::Span& span) {
    const std::string_view path = keep(target.path, batch);
    if (!path.empty()) span.attributes.add(attr::url_path, path);  // CONNECT has none
    span.attributes.add(attr::url_scheme, std::string_view("http"));
    if (!query.empty()) span.attributes.add(attr::url_query, keep(query, batch));
    if (info.role != Role::Client || authority.host.empty() || path.empty()) return;
    // url.full = http://host[:port]path[?query], with the host as the client wrote it.
    std::string_view host = target.host.empty() ? exchange.request.at(exchange.request.host) : target.host;
    if (const std::size_t user = host.rfind('@'); user != std::string_view::npos) host.remove_prefix(user + 1);
    const std::string_view short_path = path.starts_with('/') ? path : std::string_view{};
    const std::string_view short_query = query.substr(0, kMaxText);
    const std::size_t size = 7 + host.size() + short_path.size() + (query.empty() ? 0 : 1 + short_query.size());
    char* to = batch.arena().allocate(size);
    char* at = to;
    const auto put = [&](std::string_view text) {
        if (!text.empty()) std::memcpy(at, text.data(), text.size());
        at += text.size();
    };
    put("http://");
    put(host);
    put(short_path);
    if (!query.empty()) {
        put("?");
        put(short_query);
    }
    span.attributes.add(attr::url_full, std::string_view(to, size));
}

}  // namespace

std::string_view known_method(std::string_view method) {
    switch (method.size()) {
        case 3:
            if (method == "GET") return "GET";
            if (method == "PUT") return "PUT";
            break;
        case 4:
            if (method == "POST") return "POST";
            if (method == "HEAD") return "HEAD";
            break;
        case 5:
            if (method == "PATCH") return "PATCH";
            if (method == "TRACE") return "TRACE";
            break;
        case 6:
            if (method == "DELETE") return "DELETE";
            break;
        case 7:
            if (method == "OPTIONS") return "OPTIONS";
            if (method == "CONNECT") return "CONNECT";
            break;
        default:
            break;
    }
    return "_OTHER";
}

Target parse_target(std::string_view text, std::string_view method) {
    Target result;
    if (method == "CONNECT") {
        result.host = text;
        return result;
    }
    if (const std::size_t scheme = text.find("://");
        scheme != std::string_view::npos && scheme <= 8 && text.front() != '/') {
        result.scheme = text.substr(0, scheme);
        text.remove_prefix(scheme + 3);
        const std::size_t end = text.find_first_of("/?#");
        result.host = text.substr(0, end);
        text = end == std::string_view::npos ? std::string_view("/") : text.substr(end);
    }
    text = text.substr(0, text.find('#'));
    const std::size_t question = text.find('?');
    result.path = text.substr(0, question);
    if (result.path.empty()) result.path = "/";
    if (question != std::string_view::npos) result.query = text.substr(question + 1);
    return result;
}

std::string_view redact_query(std::string_view query, const std::vector<std::string>& more_names, Arena& arena) {
    const auto value_of = [](std::string_view part) {
        const std::size_t equals = part.find('=');
        return equals == std::string_view::npos ? part.substr(part.size()) : part.substr(equals + 1);
    };
    std::size_t added = 0;
    for (std::string_view rest = query; !rest.empty();) {
        const std::size_t end = rest.find('&');
        const std::string_view part = rest.substr(0, end);
        if (is_secret(part.substr(0, part.find('=')), more_names)) added += kRedacted.size() + 1;
        rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    }
    if (!added) return query;
    char* const to = arena.allocate(query.size() + added);
    std::size_t size = 0;
    const auto put = [&](std::string_view text) {
        if (!text.empty()) std::memcpy(to + size, text.data(), text.size());
        size += text.size();
    };
    for (std::string_view rest = query; !rest.empty();) {
        const std::size_t end = rest.find('&');
        const std::string_view part = rest.substr(0, end);
        const std::string_view value = value_of(part);
        if (!value.empty() && is_secret(part.substr(0, part.find('=')), more_names)) {
            put(part.substr(0, part.size() - value.size()));
            put(kRedacted);
        } else {
            put(part);
        }
        if (end != std::string_view::npos) put("&");
        rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    }
    return {to, size};
}

void Codec::begin_request(const Request& request, std::uint64_t position, Body& body) {
    using Kind = Body::Kind;
    // A head that was cut hides how its body is framed.
    if (request.is_cut) body.start(Kind::Lost, position, 0);
    else if (request.is_chunked) body.start(Kind::Chunked, position, 0);
    else if (request.has_length) body.start(Kind::Length, position, request.length);
    else body.start(Kind::None, position, 0);
}

// RFC 9112 §6.3: which responses have content, and how it ends.
Reply Codec::begin_response(const Request& request, const Response& response, std::uint64_t position, Body& body) {
    using Kind = Body::Kind;
    const std::uint16_t status = response.status;
    if (status == 101) return Reply::Switch;
    if (status < 200) return Reply::Interim;
    const std::string_view method = request.at(request.method);
    if (method == "CONNECT" && status < 300) return Reply::Switch;
    // The rest of a head that was cut stands before the content: nothing in it tells the end.
    if (response.is_cut) body.start(Kind::Lost, position, 0);
    else if (method == "HEAD" || status == 204 || status == 304) body.start(Kind::None, position, 0);
    else if (response.is_chunked) body.start(Kind::Chunked, position, 0);
    else if (response.has_length) body.start(Kind::Length, position, response.length);
    else body.start(Kind::UntilClose, position, 0);
    return Reply::Final;
}

std::optional<spans::TraceContext> Codec::trace_context(const Request& request) {
    if (request.traceparent.is_empty()) return {};
    return spans::parse_traceparent(request.at(request.traceparent));
}

std::array<spans::Attribute, 2> Codec::open_attributes(const Request& request) {
    return {{{attr::http_request_method, known_method(request.at(request.method))},
             {attr::url_scheme, std::string_view("http")}}};
}

void Codec::describe(const Exchange<Codec>& exchange, const ConnectionInfo& info, const Options& options,
                     spans::SpanBatch& batch, spans::Span& span) {
    const RequestHead& request = exchange.request;
    const std::string_view method = request.at(request.method);
    const std::string_view known = known_method(method);
    const Target target = parse_target(request.at(request.target), method);
    const std::string_view query = redact_query(target.query, options.sensitive_query_params, batch.arena());
    const Authority authority =
        parse_authority(target.host.empty() ? request.at(request.host) : target.host);
    const bool is_client = info.role == Role::Client;

    span.span_class = spans::SpanClass::Http;
    span.protocol = kHttp1.name;
    span.name = known == "_OTHER" ? std::string_view("HTTP") : known;
    spans::Attributes& attributes = span.attributes;
    attributes.add(attr::http_request_method, known);
    if (known == "_OTHER") attributes.add(attr::http_request_method_original, keep(method, batch));
    describe_status(exchange, is_client, span);
    describe_url(exchange, target, query, authority, info, batch, span);
    describe_addresses(info, authority, batch, span);
    attributes.add(attr::network_protocol_version, std::string_view(request.minor ? "1.1" : "1.0"));
    if (!request.user_agent.is_empty())
        attributes.add(attr::user_agent_original, keep(request.at(request.user_agent), batch));
    if (exchange.is_request_body_known)
        attributes.add(attr::http_request_body_size, static_cast<std::int64_t>(exchange.request_body));
    if (exchange.has_response && exchange.is_response_body_known)
        attributes.add(attr::http_response_body_size, static_cast<std::int64_t>(exchange.response_body));
    if (exchange.header && !request.tracestate.is_empty())
        span.trace_state = keep(request.at(request.tracestate), batch);
}

namespace {

std::unique_ptr<Session> open(const ConnectionInfo& info, Streams& streams, Direction requests) {
    return std::make_unique<InOrderSession<Codec>>(info, streams, requests);
}

}  // namespace

const Protocol kHttp1{.name = "http", .sniff = sniff, .open = open};

}  // namespace waggle::protocols::http1
