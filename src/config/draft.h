// SPDX-License-Identifier: Apache-2.0
// Draft: the configuration while it is being loaded: the Config, and what must be worked out first
// (OTLP targets, profile). Filled through the tables of options.h, finished by resolve.h.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "config/config.h"
#include "config/values.h"

namespace waggle::config {

enum class Compression : std::uint8_t { None, Gzip };

// OTLP settings as written; for one signal or for both.
struct OtlpDraft {
    std::string endpoint;
    std::optional<OtlpProtocol> protocol;
    std::string exporter = "otlp";  // OTEL_TRACES_EXPORTER …: otlp or none
    Pairs headers;
    std::string certificate;
    std::string client_certificate;
    std::string client_key;
    std::optional<bool> insecure;
    std::optional<Compression> compression;
    Duration timeout = 0s;
};

struct GrafanaDraft {
    std::vector<std::string> submit{"traces"};
    std::string zone;
    std::string instance_id;
    std::string api_key;
    bool is_set() const { return !zone.empty() || !instance_id.empty() || !api_key.empty(); }
};

// Where a value came from, e.g. {"waggle.yaml:12"} or {"environment BEYLA_OPEN_PORT"}.
using Origins = std::map<std::string, std::string, std::less<>>;

struct Draft {
    Config config;
    std::optional<Profile> profile;
    OtlpDraft common;
    OtlpDraft traces;
    OtlpDraft metrics;
    GrafanaDraft grafana;
    Duration otel_metric_interval = 0s;  // OTEL_METRIC_EXPORT_INTERVAL: counts when interval is 0
    std::optional<std::string> go_auto_target_exe;
    std::map<std::string, std::string, std::less<>> pending;  // key → YAML flow text

    Origins origins;  // key (or, without one, the variable's name) → origin; missing: default
    std::string origin(std::string_view key) const {
        const auto found = origins.find(key);
        return found == origins.end() ? "default" : found->second;
    }
    bool is_given(std::string_view key) const { return origins.contains(key); }
};

}  // namespace waggle::config
