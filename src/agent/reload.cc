// SPDX-License-Identifier: Apache-2.0
#include "agent/reload.h"

#include <algorithm>
#include <array>
#include <map>
#include <string_view>

namespace waggle::agent {
namespace {

constexpr std::array<std::string_view, 9> kReloaded = {"discovery.services",
                                                       "discovery.exclude_services",
                                                       "discovery.default_exclude_services",
                                                       "discovery.system_wide",
                                                       "executable_name",
                                                       "open_port",
                                                       "service_name",
                                                       "service_namespace",
                                                       "filter.application"};
constexpr std::array<std::string_view, 4> kTls = {"certificate", "client_certificate", "client_key",
                                                  "insecure_skip_verify"};

bool is_reloaded(std::string_view key) {
    if (key == "routes" || key.starts_with("routes.")) return true;
    if (std::ranges::find(kReloaded, key) != kReloaded.end()) return true;
    const std::size_t dot = key.rfind('.');
    const std::string_view section = key.substr(0, std::min(dot, key.size()));
    const bool is_otlp = section == "otlp" || section == "otel_traces_export" || section == "otel_metrics_export";
    return is_otlp && std::ranges::find(kTls, key.substr(dot + 1)) != kTls.end();
}

// A section that is switched off as a whole has only its own row.
std::map<std::string, std::string> values_of(const config::Loaded& loaded) {
    std::map<std::string, std::string> values;
    for (const config::Setting& setting : loaded.settings) values[setting.key] = setting.value;
    // Settings mask these.
    const auto add_headers = [&](const char* key, const config::OtlpConfig& target) {
        std::string& text = values[key];
        for (const auto& [name, value] : target.headers) text.append(name).append("=").append(value).append("\n");
    };
    add_headers("otel_traces_export.headers", loaded.config.traces);
    add_headers("otel_metrics_export.headers", loaded.config.metrics);
    return values;
}

std::vector<std::string> changed(const config::Loaded& before, const config::Loaded& now, bool wants_reloaded) {
    const auto old_values = values_of(before);
    const auto new_values = values_of(now);
    std::vector<std::string> keys;
    const auto add = [&](const std::string& key) {
        if (is_reloaded(key) == wants_reloaded) keys.push_back(key);
    };
    for (const auto& [key, value] : new_values) {
        const auto found = old_values.find(key);
        if (found == old_values.end() || found->second != value) add(key);
    }
    for (const auto& [key, value] : old_values)
        if (!new_values.contains(key)) add(key);
    std::ranges::sort(keys);
    return keys;
}

}  // namespace

ReloadReport compare(const config::Loaded& started, const config::Loaded& current, const config::Loaded& fresh) {
    return {.reloaded = changed(current, fresh, true), .needs_restart = changed(started, fresh, false)};
}

}  // namespace waggle::agent
