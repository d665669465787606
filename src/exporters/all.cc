// SPDX-License-Identifier: Apache-2.0
#include "exporters/all.h"

#include <algorithm>

#include "base/clock.h"
#include "base/log.h"
#include "exporters/otlp.h"

namespace waggle::exporters {
namespace {

using config::Config;
using config::OtlpProtocol;

struct Row {
    OtlpProtocol protocol;
    Result<std::unique_ptr<Exporter>> (*make)(OtlpOptions);
};
constexpr Row kAll[] = {
    {OtlpProtocol::Grpc, make_otlp_grpc},
    {OtlpProtocol::HttpProtobuf, make_otlp_http_protobuf},
    {OtlpProtocol::HttpJson, make_otlp_http_json},
};

std::chrono::milliseconds to_ms(config::Duration duration) {
    return std::chrono::ceil<std::chrono::milliseconds>(duration);
}

Result<std::unique_ptr<Exporter>> make_exporter(const Config& config, const config::OtlpConfig& target) {
    const auto row = std::find_if(std::begin(kAll), std::end(kAll),
                                  [&](const Row& candidate) { return candidate.protocol == target.protocol; });
    return row->make({.target = target, .profile = profile_of(config)});
}

DeliveryOptions delivery_options(const config::OtlpConfig& target) {
    return {.backoff_initial = to_ms(target.backoff_initial),
            .backoff_max = to_ms(target.backoff_max),
            .backoff_max_elapsed = to_ms(target.backoff_max_elapsed),
            .seed = monotonic_now()};
}

metrics::Selection selection_of(const Config& config) {
    metrics::Selection out;
    for (const auto& [key, entry] : config.attributes.select)
        out[key] = {.include = entry.include, .exclude = entry.exclude};
    return out;
}

metrics::RegistryOptions common_registry(const Config& config) {
    metrics::RegistryOptions options;
    options.profile = profile_of(config);
    options.select = selection_of(config);
    options.series_limit = config.series_limit;
    options.has_routes = config.routes.is_enabled;
    return options;
}

}  // namespace

metrics::Profile profile_of(const Config& config) {
    return config.profile == config::Profile::Beyla ? metrics::Profile::Beyla : metrics::Profile::Otel;
}

Result<std::unique_ptr<Exporter>> make_trace_exporter(const Config& config) {
    return make_exporter(config, config.traces);
}

Result<std::unique_ptr<Exporter>> make_metric_exporter(const Config& config) {
    return make_exporter(config, config.metrics);
}

Result<std::unique_ptr<Delivery>> make_trace_delivery(const Config& config, metrics::SelfMetrics& self) {
    if (!config.traces.is_enabled()) return nullptr;
    auto exporter = TRY(make_trace_exporter(config));
    DeliveryOptions options = delivery_options(config.traces);
    options.max_batch = config.traces.max_export_batch_size;
    options.max_queue = config.traces.max_queue_size;
    options.max_bytes = config.memory_limit / 16;
    options.batch_timeout = to_ms(config.traces.batch_timeout);
    return std::make_unique<Delivery>(std::move(exporter), options, self);
}

Result<std::unique_ptr<Delivery>> make_metric_delivery(const Config& config, metrics::SelfMetrics& self) {
    if (!config.metrics.is_enabled()) return nullptr;
    auto exporter = TRY(make_metric_exporter(config));
    return std::make_unique<Delivery>(std::move(exporter), delivery_options(config.metrics), self);
}

metrics::RegistryOptions otlp_registry(const Config& config) {
    metrics::RegistryOptions options = common_registry(config);
    const config::MetricsConfig& from = config.metrics;
    options.features = from.features;
    options.instrumentations = from.instrumentations;
    options.duration_bounds = from.buckets.duration_histogram;
    options.size_bounds = from.buckets.request_size_histogram;
    options.ttl_ns = static_cast<std::uint64_t>(from.ttl.count());
    if (from.histogram_aggregation == config::HistogramAggregation::Exponential)
        options.histograms = metrics::Histograms::Exponential;
    // "lowmemory" differs from delta only for asynchronous counters, of which there are none.
    if (from.temporality != config::Temporality::Cumulative) options.temporality = metrics::Temporality::Delta;
    return options;
}

metrics::RegistryOptions prometheus_registry(const Config& config) {
    metrics::RegistryOptions options = common_registry(config);
    const config::PrometheusConfig& from = config.prometheus;
    options.features = from.features;
    options.instrumentations = from.instrumentations;
    options.duration_bounds = from.buckets.duration_histogram;
    options.size_bounds = from.buckets.request_size_histogram;
    options.ttl_ns = static_cast<std::uint64_t>(from.ttl.count());
    if (from.native_histograms) {
        options.histograms = metrics::Histograms::Both;
        options.exponential_scale = 3;  // neighbouring bounds differ by a factor of 1.09
        options.exponential_size = 100;
    }
    return options;
}

PrometheusOptions prometheus_options(const Config& config) {
    return {.profile = profile_of(config),
            .extra_resource_attributes = config.prometheus.extra_resource_attributes,
            .has_native_histograms = config.prometheus.native_histograms};
}

Delivery::Wanted trace_filter(const Config& config) {
    const auto& [name, arg] = config.traces.sampler;
    auto sampler = spans::Sampler::from(name, arg);
    if (!sampler) log::warn("unknown sampler {} {}: using parentbased_always_on", name, arg);
    const auto& names = config.traces.instrumentations;
    const bool has_all = std::find(names.begin(), names.end(), "*") != names.end();
    return [sampler = sampler.value_or(spans::Sampler()), has_all, names](const spans::Span& span) {
        if (span.is_ignored_for_traces || !sampler.is_sampled(span)) return false;
        return has_all || std::find(names.begin(), names.end(), span.configured_as()) != names.end();
    };
}

}  // namespace waggle::exporters
