// SPDX-License-Identifier: Apache-2.0
#include "config/resolve.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/strings.h"
#include "config/codecs.h"
#include "config/otlp_target.h"

namespace waggle::config {
namespace {

constexpr std::string_view kDefaultExclude = "(?:^|/)(waggle$|beyla$|alloy$|otelcol[^/]*$)";
constexpr std::string_view kDefaultSampler = "parentbased_always_on";

template <typename T>
void default_if_zero(T& value, T fallback) {
    if (value == T{}) value = fallback;
}

void resolve_profile(Draft& draft, bool is_beyla_configuration) {
    if (!draft.profile) {
        draft.profile = is_beyla_configuration ? Profile::Beyla : Profile::Otel;
        if (is_beyla_configuration) draft.origins["profile"] = "the configuration is Beyla's";
    }
    draft.config.profile = *draft.profile;
}

void resolve_target_exe(Draft& draft) {
    constexpr std::string_view kVariable = "OTEL_GO_AUTO_TARGET_EXE";
    if (draft.config.executable_name || !draft.go_auto_target_exe) return;
    draft.config.executable_name = draft.go_auto_target_exe;
    draft.origins["executable_name"] = draft.origin(kVariable);
}

void resolve_request_timeout(Draft& draft) {
    EbpfConfig& ebpf = draft.config.ebpf;
    ebpf.is_http_request_timeout_set = draft.is_given("ebpf.http_request_timeout");
    if (ebpf.is_http_request_timeout_set || draft.config.profile != Profile::Beyla) return;
    ebpf.http_request_timeout = 30s;
    draft.origins["ebpf.http_request_timeout"] = "default of profile beyla";
}

// Zero means "the default" for these, as in Beyla.
void resolve_zeros(Draft& draft) {
    Config& config = draft.config;
    constexpr std::string_view kInterval = "otel_metrics_export.interval";
    const bool has_interval = draft.is_given(kInterval) && config.metrics.interval != 0s;
    if (!has_interval && draft.otel_metric_interval != 0s) {
        config.metrics.interval = draft.otel_metric_interval;
        draft.origins[std::string(kInterval)] = draft.origin("OTEL_METRIC_EXPORT_INTERVAL");
    }
    default_if_zero(config.metrics.interval, MetricsConfig{}.interval);
    config.channel_buffer_len = std::max(config.channel_buffer_len, 1u);
    default_if_zero(config.discovery.poll_interval, DiscoveryConfig{}.poll_interval);
    const TracesConfig defaults;
    default_if_zero(config.traces.max_export_batch_size, defaults.max_export_batch_size);
    default_if_zero(config.traces.max_queue_size, defaults.max_queue_size);
    default_if_zero(config.traces.batch_timeout, defaults.batch_timeout);
    default_if_zero(config.traces.backoff_initial, defaults.backoff_initial);
    default_if_zero(config.traces.backoff_max, defaults.backoff_max);
    default_if_zero(config.traces.backoff_max_elapsed, defaults.backoff_max_elapsed);
    // Beyla's BEYLA_BACKOFF_* name no signal, so they hold for both.
    config.metrics.backoff_initial = config.traces.backoff_initial;
    config.metrics.backoff_max = config.traces.backoff_max;
    config.metrics.backoff_max_elapsed = config.traces.backoff_max_elapsed;
}

// A sampler that cannot be used is a warning: losing all telemetry over it would be worse.
void resolve_sampler(Draft& draft, Problems& problems) {
    constexpr std::array<std::string_view, 6> kSamplers{"always_on",
                                                        "always_off",
                                                        "traceidratio",
                                                        "parentbased_always_on",
                                                        "parentbased_always_off",
                                                        "parentbased_traceidratio"};
    constexpr std::string_view kKey = "otel_traces_export.sampler.name";
    SamplerConfig& sampler = draft.config.traces.sampler;
    sampler.name = std::string(trim(sampler.name));
    if (sampler.name.empty()) sampler.name = kDefaultSampler;
    if (std::ranges::find(kSamplers, sampler.name) == kSamplers.end()) {
        problems.warnings.push_back(
            {draft.origin(kKey), std::string(kKey),
             fmt::format("{}; it stays {}", not_one_of(sampler.name, kSamplers), kDefaultSampler)});
        sampler.name = kDefaultSampler;
        draft.origins.erase(std::string(kKey));
    }
    if (!sampler.name.ends_with("traceidratio") || sampler.arg.empty()) return;
    double ratio = -1;
    const char* end = sampler.arg.data() + sampler.arg.size();
    const auto parsed = std::from_chars(sampler.arg.data(), end, ratio);
    if (parsed.ec == std::errc{} && parsed.ptr == end && ratio >= 0 && ratio <= 1) return;
    constexpr std::string_view kArgument = "otel_traces_export.sampler.arg";
    problems.warnings.push_back({draft.origin(kArgument), std::string(kArgument),
                                 fmt::format("{} is not a ratio from 0 to 1; it stays 1", quote(sampler.arg))});
    sampler.arg.clear();
}

}  // namespace

void set_defaults(Draft& draft) {
    draft.config.discovery.default_exclude_services = {{.exe_path = std::string(kDefaultExclude)}};
}

void resolve(Draft& draft, bool is_beyla_configuration, Problems& problems) {
    resolve_profile(draft, is_beyla_configuration);
    resolve_target_exe(draft);
    resolve_request_timeout(draft);
    resolve_zeros(draft);
    resolve_sampler(draft, problems);
    resolve_otlp(draft, problems);
    InternalMetricsConfig& internal = draft.config.internal_metrics;
    if (internal.port != 0 && (internal.exporter.empty() || internal.exporter == "disabled")) {
        internal.exporter = "prometheus";
        draft.origins["internal_metrics.exporter"] = draft.origin("internal_metrics.prometheus.port");
    }
}

void append_legacy_selector(Config& config) {
    if (!config.executable_name && config.open_port.is_empty()) return;
    config.discovery.services.push_back({.name = config.service_name,
                                         .service_namespace = config.service_namespace,
                                         .open_ports = config.open_port,
                                         .exe_path = config.executable_name});
}

}  // namespace waggle::config
