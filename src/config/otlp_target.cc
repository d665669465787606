// SPDX-License-Identifier: Apache-2.0
#include "config/otlp_target.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/base64.h"
#include "base/strings.h"
#include "config/codecs.h"

namespace waggle::config {
namespace {

struct Signal {
    std::string_view name;     // in cloud_submit
    std::string_view section;  // of the file
    std::string_view path;
    bool adds_path;  // the path is added to the signal's own endpoint too
};

struct Url {
    std::string scheme;
    std::string authority;  // [user@]host[:port]
    std::string port;
    std::string path;  // with a leading slash, or empty
};

// The endpoint in force and the key that gave it; empty when there is none.
struct Endpoint {
    std::string text;
    std::string key;
    bool is_own = false;
};

bool is_printable(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

// Host and port of an authority; nothing when malformed.
std::optional<std::pair<std::string_view, std::string_view>> host_and_port(std::string_view authority) {
    std::string_view host = authority.substr(authority.rfind('@') + 1);
    std::string_view port;
    const size_t bracket = host.rfind(']');
    const size_t colon = host.rfind(':');
    if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
        port = host.substr(colon + 1);
        host = host.substr(0, colon);
        if (parse_int<std::uint16_t>(port).value_or(0) == 0) return std::nullopt;
    }
    const bool is_bracketed = host.starts_with('[') && host.ends_with(']');
    if (host.empty() || (!is_bracketed && host.find_first_of(":[]") != std::string_view::npos)) return std::nullopt;
    return std::pair{host, port};
}

Result<Url> parse_url(std::string_view text, std::optional<bool> insecure) {
    const std::string shown = AsUrl::print(std::string(text));
    Url url;
    std::string_view rest = text;
    if (const size_t scheme = text.find("://"); scheme != std::string_view::npos) {
        url.scheme = std::string(text.substr(0, scheme));
        rest.remove_prefix(scheme + 3);
    } else if (insecure) {
        url.scheme = *insecure ? "http" : "https";
    } else {
        return fail(fmt::format("{} has no scheme; write http://host:port or https://host:port", shown));
    }
    const size_t path = std::min(rest.find_first_of("/?#"), rest.size());
    url.authority = std::string(rest.substr(0, path));
    url.path = std::string(rest.substr(path));
    const auto host = host_and_port(url.authority);
    if (url.scheme.empty() || !host || !is_printable(text))
        return fail(fmt::format("{} is not a URL; write for example http://localhost:4318", shown));
    url.port = std::string(host->second);
    // Anything but http is TLS, whatever it is called.
    url.scheme = equals_ignoring_case(url.scheme, "http") ? "http" : "https";
    return url;
}

OtlpProtocol guess_protocol(const Url& url) {
    return url.port.ends_with("4317") ? OtlpProtocol::Grpc : OtlpProtocol::HttpProtobuf;
}

std::string with_path(std::string base, std::string_view path) {
    while (base.ends_with('/')) base.pop_back();
    return base.ends_with(path) ? base : base + std::string(path);
}

std::string target_of(const Url& url, OtlpProtocol protocol, const Signal& signal, bool is_own) {
    const std::string origin = fmt::format("{}://{}", url.scheme, url.authority);
    if (protocol == OtlpProtocol::Grpc) return origin;
    const bool is_verbatim = is_own && !url.path.empty() && !signal.adds_path;
    return origin + (is_verbatim ? url.path : with_path(url.path, signal.path));
}

Endpoint choose_endpoint(const Draft& draft, const OtlpDraft& own, const Signal& signal) {
    if (!own.endpoint.empty()) return {own.endpoint, fmt::format("{}.endpoint", signal.section), true};
    if (!draft.common.endpoint.empty()) return {draft.common.endpoint, "otlp.endpoint"};
    const bool submits = std::ranges::find(draft.grafana.submit, signal.name) != draft.grafana.submit.end();
    if (draft.grafana.zone.empty() || !submits) return {};
    return {fmt::format("https://otlp-gateway-{}.grafana.net/otlp", draft.grafana.zone), "grafana.otlp.cloud_zone"};
}

void set_header(Pairs& headers, const std::string& name, const std::string& value) {
    for (auto& [known, old] : headers) {
        if (!equals_ignoring_case(known, name)) continue;
        old = value;
        return;
    }
    headers.emplace_back(name, value);
}

Pairs merge_headers(const Draft& draft, const OtlpDraft& own) {
    Pairs headers;
    const GrafanaDraft& grafana = draft.grafana;
    if (!grafana.instance_id.empty() && !grafana.api_key.empty())
        headers.emplace_back("Authorization",
                             "Basic " + base64(fmt::format("{}:{}", grafana.instance_id, grafana.api_key)));
    for (const Pairs* source : {&draft.common.headers, &own.headers})
        for (const auto& [name, value] : *source) set_header(headers, name, value);
    return headers;
}

// What the signal does not say itself it takes from the common settings, and its origin with it.
void inherit_common(Draft& draft, OtlpDraft& own, const Signal& signal) {
    const OtlpDraft& common = draft.common;
    const auto inherit = [&](std::string_view key, std::string_view common_key, auto& value, const auto& from,
                             bool is_unset) {
        if (!is_unset) return;
        value = from;
        const auto origin = draft.origins.find(fmt::format("otlp.{}", common_key));
        if (origin != draft.origins.end()) draft.origins[fmt::format("{}.{}", signal.section, key)] = origin->second;
    };
    inherit("protocol", "protocol", own.protocol, common.protocol, !own.protocol);
    inherit("certificate", "certificate", own.certificate, common.certificate, own.certificate.empty());
    inherit("client_certificate", "client_certificate", own.client_certificate, common.client_certificate,
            own.client_certificate.empty());
    inherit("client_key", "client_key", own.client_key, common.client_key, own.client_key.empty());
    inherit("insecure", "insecure", own.insecure, common.insecure, !own.insecure);
    inherit("compression", "compression", own.compression, common.compression, !own.compression);
    inherit("export_timeout", "timeout", own.timeout, common.timeout, own.timeout == 0s);
    const Pairs headers = merge_headers(draft, own);
    inherit("headers", "headers", own.headers, headers, own.headers.empty());
    own.headers = headers;
}

void resolve_signal(Draft& draft, OtlpDraft& own, OtlpConfig& config, const Signal& signal, Problems& problems) {
    const OtlpConfig defaults;
    inherit_common(draft, own, signal);
    if (own.timeout == 0s) own.timeout = defaults.timeout;
    config.headers = own.headers;
    config.tls.certificate = own.certificate;
    config.tls.client_certificate = own.client_certificate;
    config.tls.client_key = own.client_key;
    config.tls.insecure = own.insecure.value_or(false);
    config.gzip = own.compression == Compression::Gzip;
    config.timeout = own.timeout;

    const Endpoint endpoint = choose_endpoint(draft, own, signal);
    own.endpoint.clear();
    if (endpoint.text.empty() || equals_ignoring_case(trim(own.exporter), "none")) return;
    const Result<Url> url = parse_url(endpoint.text, own.insecure);
    if (!url) {
        problems.errors.push_back({draft.origin(endpoint.key), endpoint.key, url.error().message});
        return;
    }
    config.protocol = own.protocol.value_or(guess_protocol(*url));
    config.endpoint = target_of(*url, config.protocol, signal, endpoint.is_own);
    own.endpoint = config.endpoint;
    own.protocol = config.protocol;
    if (!endpoint.is_own) draft.origins[fmt::format("{}.endpoint", signal.section)] = draft.origin(endpoint.key);
}

void check_exporter_variable(const Draft& draft, std::string_view variable, const std::string& value,
                             Problems& problems) {
    if (equals_ignoring_case(trim(value), "none") || equals_ignoring_case(trim(value), "otlp")) return;
    problems.warnings.push_back(
        {draft.origin(variable), "", fmt::format("{} has no effect; otlp and none have", quote(value))});
}

void check_grafana(const Draft& draft, Problems& problems) {
    constexpr std::string_view kSignals[] = {"traces", "metrics"};
    for (const std::string& word : draft.grafana.submit)
        if (std::ranges::find(kSignals, word) == std::end(kSignals))
            problems.warnings.push_back({draft.origin("grafana.otlp.cloud_submit"), "grafana.otlp.cloud_submit",
                                         not_one_of(word, kSignals) + "; ignored"});
    if (draft.grafana.is_set() && draft.grafana.zone.empty() && draft.common.endpoint.empty() &&
        draft.traces.endpoint.empty() && draft.metrics.endpoint.empty())
        problems.warnings.push_back(
            {"", "grafana.otlp.cloud_zone", "is not set, and no endpoint is: nothing is sent by OTLP"});
}

}  // namespace

void resolve_otlp(Draft& draft, Problems& problems) {
    check_exporter_variable(draft, "OTEL_TRACES_EXPORTER", draft.traces.exporter, problems);
    check_exporter_variable(draft, "OTEL_METRICS_EXPORTER", draft.metrics.exporter, problems);
    check_grafana(draft, problems);
    // Beyla's collector exporter adds the path even to the traces' own endpoint.
    const bool is_beyla = draft.config.profile == Profile::Beyla;
    resolve_signal(draft, draft.traces, draft.config.traces, {"traces", "otel_traces_export", "/v1/traces", is_beyla},
                   problems);
    resolve_signal(draft, draft.metrics, draft.config.metrics, {"metrics", "otel_metrics_export", "/v1/metrics", false},
                   problems);
}

}  // namespace waggle::config
