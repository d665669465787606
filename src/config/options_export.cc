// SPDX-License-Identifier: Apache-2.0
// Rows: Prometheus, Grafana's own variables, the agent's metrics about itself, processes.
#include <array>

#include "config/options.h"

namespace waggle::config {
namespace {

constexpr std::array kRows{
    option<[](auto& d) -> auto& { return d.config.prometheus.port; }>("prometheus_export.port", "BEYLA_PROMETHEUS_PORT",
                                                                      "port to scrape; 0: off"),
    option<[](auto& d) -> auto& { return d.config.prometheus.address; }>(
        "prometheus_export.address", "WAGGLE_PROMETHEUS_ADDRESS", "address to listen on; empty: all"),
    option<[](auto& d) -> auto& { return d.config.prometheus.path; }>("prometheus_export.path", "BEYLA_PROMETHEUS_PATH",
                                                                      "path to scrape"),
    option<[](auto& d) -> auto& { return d.config.prometheus.disable_build_info; }>(
        "prometheus_export.disable_build_info", "BEYLA_PROMETHEUS_DISABLE_BUILD_INFO", "no build_info metric"),
    option<[](auto& d) -> auto& { return d.config.prometheus.features; }>(
        "prometheus_export.features", "BEYLA_PROMETHEUS_FEATURES",
        "`application`, `application_span`, `application_service_graph`; later "
        "`application_process`, `network`, `ebpf`"),
    option<[](auto& d) -> auto& { return d.config.prometheus.instrumentations; }>(
        "prometheus_export.instrumentations", "BEYLA_PROMETHEUS_INSTRUMENTATIONS", "protocols, `*`: all"),
    option<[](auto& d) -> auto& { return d.config.prometheus.buckets.duration_histogram; }>(
        "prometheus_export.buckets.duration_histogram", "", "boundaries in seconds; unset: by profile"),
    option<[](auto& d) -> auto& { return d.config.prometheus.buckets.request_size_histogram; }>(
        "prometheus_export.buckets.request_size_histogram", "", "boundaries in bytes; unset: by profile"),
    option<[](auto& d) -> auto& { return d.config.prometheus.ttl; }>(
        "prometheus_export.ttl", "BEYLA_PROMETHEUS_TTL", "forget series not updated for this long; 0: never"),
    pending("prometheus_export.service_cache_size", "", "integer", "10000", "services kept").without_effect(),
    pending("prometheus_export.allow_service_graph_self_references",
            "BEYLA_PROMETHEUS_ALLOW_SERVICE_GRAPH_SELF_REFERENCES", "boolean", "false",
            "edges from a service to itself", is_on),
    option<[](auto& d) -> auto& { return d.config.prometheus.extra_resource_attributes; }>(
        "prometheus_export.extra_resource_attributes", "BEYLA_PROMETHEUS_EXTRA_RESOURCE_ATTRIBUTES",
        "more labels of target_info"),
    option<[](auto& d) -> auto& { return d.config.prometheus.native_histograms; }>(
        "prometheus_export.native_histograms", "WAGGLE_PROMETHEUS_NATIVE_HISTOGRAMS",
        "native histograms beside the classic ones, where the scraper asks for them"),

    option<[](auto& d) -> auto& { return d.grafana.submit; }>("grafana.otlp.cloud_submit", "GRAFANA_CLOUD_SUBMIT",
                                                              "`traces`, `metrics`"),
    option<[](auto& d) -> auto& { return d.grafana.zone; }>(
        "grafana.otlp.cloud_zone", "GRAFANA_CLOUD_ZONE",
        "endpoint `https://otlp-gateway-<zone>.grafana.net/otlp` when no other is given"),
    option<[](auto& d) -> auto& { return d.grafana.instance_id; }>(
        "grafana.otlp.cloud_instance_id", "GRAFANA_CLOUD_INSTANCE_ID", "user of Basic authorization"),
    option<[](auto& d) -> auto& { return d.grafana.api_key; }, AsSecret>(
        "grafana.otlp.cloud_api_key", "GRAFANA_CLOUD_API_KEY", "password of Basic authorization"),

    option<[](auto& d) -> auto& { return d.config.internal_metrics.exporter; }>(
        "internal_metrics.exporter", "BEYLA_INTERNAL_METRICS_EXPORTER",
        "metrics about the agent itself: `disabled`, `prometheus` or `otel`"),
    option<[](auto& d) -> auto& { return d.config.internal_metrics.port; }>("internal_metrics.prometheus.port",
                                                                            "BEYLA_INTERNAL_METRICS_PROMETHEUS_PORT",
                                                                            "port; alone it means `prometheus`"),
    option<[](auto& d) -> auto& { return d.config.internal_metrics.path; }>(
        "internal_metrics.prometheus.path", "BEYLA_INTERNAL_METRICS_PROMETHEUS_PATH", "path to scrape"),

    pending("processes.interval", "BEYLA_PROCESSES_INTERVAL", "duration", "5s", "period of process metrics"),
    pending("", "HOST_PROC", "path", "/proc", "root of process metrics"),
};

}  // namespace

std::span<const Option> export_options() { return kRows; }

}  // namespace waggle::config
