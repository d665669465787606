// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>

#include "base/strings.h"
#include "config/codecs.h"
#include "config/options.h"
#include "config/resolve.h"

namespace waggle::config {
namespace {

constexpr std::array<std::string_view, 6> kFeatures{
    "application", "application_span", "application_service_graph", "application_process", "network", "ebpf"};
constexpr size_t kFeaturesBuilt = 3;  // the first of them

class Validator {
  public:
    Validator(const Draft& draft, Problems& problems) : draft_(draft), problems_(problems) {}

    void error_if(bool is_wrong, std::string_view key, std::string message) {
        if (is_wrong) problems_.errors.push_back({where(key), std::string(key), std::move(message)});
    }
    void warn(std::string_view key, std::string message) {
        problems_.warnings.push_back({where(key), std::string(key), std::move(message)});
    }

  private:
    std::string where(std::string_view key) const { return draft_.is_given(key) ? draft_.origin(key) : ""; }

    const Draft& draft_;
    Problems& problems_;
};

void check_numbers(const Config& config, Validator& validator) {
    const EbpfConfig& ebpf = config.ebpf;
    validator.error_if(ebpf.batch_length == 0, "ebpf.batch_length", "must be at least 1");
    validator.error_if(ebpf.ring_bytes < 4096 || !std::has_single_bit(ebpf.ring_bytes), "ebpf.ring_bytes",
                       "must be a power of two, at least 4KiB");
    validator.error_if(ebpf.rings > 1024, "ebpf.rings", "must be at most 1024");
    validator.error_if(ebpf.program_copies > 4, "ebpf.program_copies", "must be at most 4");
    validator.error_if(ebpf.tick < 1ms, "ebpf.tick", "must be at least 1ms");
    validator.error_if(ebpf.tick > 1s, "ebpf.tick", "must be at most 1s");
    validator.error_if(ebpf.max_connections == 0, "ebpf.max_connections", "must be at least 1");
    validator.error_if(config.series_limit == 0, "series_limit", "must be at least 1");
    validator.error_if(config.memory_limit < 16u << 20, "memory_limit", "must be at least 16MiB");
    validator.error_if(std::uint64_t{ebpf.ring_bytes} * std::max(ebpf.rings, 1u) > config.memory_limit / 2,
                       "ebpf.ring_bytes", "the rings must fit into half of memory_limit");
    validator.error_if(config.cpu_limit < 0 || config.cpu_limit > 1024, "cpu_limit",
                       "must be a share of a core, 0.25 for a quarter of one");
}

// One character, not one byte.
bool is_longer_than_a_character(std::string_view text) {
    return std::ranges::count_if(text, [](char c) { return (c & 0xc0) != 0x80; }) > 1;
}

void check_selection(const Config& config, Validator& validator) {
    const bool has_selector =
        !config.discovery.services.empty() || config.executable_name || !config.open_port.is_empty();
    validator.error_if(config.discovery.system_wide && has_selector, "discovery.system_wide",
                       "cannot go together with open_port, executable_name or discovery.services");
}

void check_paths(const Config& config, Validator& validator) {
    validator.error_if(!config.prometheus.path.starts_with('/'), "prometheus_export.path", "must begin with /");
    validator.error_if(!config.internal_metrics.path.starts_with('/'), "internal_metrics.prometheus.path",
                       "must begin with /");
    validator.error_if(is_longer_than_a_character(config.routes.wildcard_char), "routes.wildcard_char",
                       fmt::format("{} is longer than one character", quote(config.routes.wildcard_char)));
}

void check_internal_metrics(const Config& config, Validator& validator) {
    constexpr std::string_view kExporters[] = {"disabled", "prometheus", "otel"};
    constexpr std::string_view kKey = "internal_metrics.exporter";
    const InternalMetricsConfig& internal = config.internal_metrics;
    if (!internal.exporter.empty() && std::ranges::find(kExporters, internal.exporter) == std::end(kExporters))
        validator.warn(kKey, not_one_of(internal.exporter, kExporters));
    if (internal.exporter != "otel") return;
    validator.error_if(internal.port != 0, kKey, "otel cannot go together with internal_metrics.prometheus.port");
    validator.error_if(!config.metrics.is_enabled(), kKey, "otel needs an endpoint for OTLP metrics");
}

void check_features(const std::vector<std::string>& features, bool is_enabled, std::string_view key,
                    Validator& validator) {
    for (const std::string& feature : features) {
        const auto found = std::ranges::find(kFeatures, feature);
        if (found == kFeatures.end())
            validator.warn(key, not_one_of(feature, kFeatures) + "; ignored");
        else if (is_enabled && found - kFeatures.begin() >= static_cast<std::ptrdiff_t>(kFeaturesBuilt))
            validator.warn(key, fmt::format("{}: accepted, has no effect yet", feature));
    }
}

void check_without_effect(const Draft& draft, Validator& validator) {
    static const Draft defaults;
    for (const Option& option : options()) {
        const std::string_view name = name_of(option);
        if (!option.has_no_effect || !draft.is_given(name)) continue;
        const auto pending = draft.pending.find(name);
        if (option.is_pending() && pending == draft.pending.end()) continue;
        const std::string value = option.is_pending() ? pending->second : option.print(draft);
        const std::string usual = option.is_pending() ? std::string(option.pending_default) : option.print(defaults);
        if (option.turns_on ? option.turns_on(value) : value != usual) validator.warn(name, "accepted, has no effect");
    }
}

void check_pending(const Draft& draft, Validator& validator) {
    for (const Option& option : options()) {
        if (!option.is_pending() || !option.turns_on || option.has_no_effect) continue;
        const auto value = draft.pending.find(name_of(option));
        if (value != draft.pending.end() && option.turns_on(value->second))
            validator.warn(option.key, "accepted, has no effect yet");
    }
    for (const std::string& source : draft.config.name_resolver_sources)
        if (equals_ignoring_case(source, "dns"))
            validator.warn("name_resolver.sources", "dns: accepted, has no effect yet");
}

}  // namespace

void validate(const Draft& draft, Problems& problems) {
    const Config& config = draft.config;
    Validator validator(draft, problems);
    check_numbers(config, validator);
    check_selection(config, validator);
    check_paths(config, validator);
    check_internal_metrics(config, validator);
    check_features(config.metrics.features, config.metrics.is_enabled(), "otel_metrics_export.features", validator);
    check_features(config.prometheus.features, config.prometheus.is_enabled(), "prometheus_export.features", validator);
    check_pending(draft, validator);
    check_without_effect(draft, validator);
}

}  // namespace waggle::config
