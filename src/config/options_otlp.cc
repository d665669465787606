// SPDX-License-Identifier: Apache-2.0
// Rows: OTLP, for both signals and for each. How they combine: otlp_target.h.
#include <array>

#include "config/options.h"

namespace waggle::config {
namespace {

constexpr std::array<std::pair<std::string_view, OtlpProtocol>, 3> kProtocols{
    {{"grpc", OtlpProtocol::Grpc},
     {"http/protobuf", OtlpProtocol::HttpProtobuf},
     {"http/json", OtlpProtocol::HttpJson}}};
constexpr std::array<std::pair<std::string_view, Compression>, 2> kCompressions{
    {{"none", Compression::None}, {"gzip", Compression::Gzip}}};
constexpr std::array<std::pair<std::string_view, HistogramAggregation>, 2> kAggregations{
    {{"explicit_bucket_histogram", HistogramAggregation::Explicit},
     {"base2_exponential_bucket_histogram", HistogramAggregation::Exponential}}};
constexpr std::array<std::pair<std::string_view, Temporality>, 3> kTemporalities{
    {{"cumulative", Temporality::Cumulative}, {"delta", Temporality::Delta}, {"lowmemory", Temporality::LowMemory}}};

using AsProtocol = AsEnum<kProtocols>;
using AsCompression = AsEnum<kCompressions>;

constexpr std::array kRows{
    option<[](auto& d) -> auto& { return d.common.endpoint; }, AsUrl>(
        "otlp.endpoint", "OTEL_EXPORTER_OTLP_ENDPOINT",
        "base URL for traces and metrics, when they have none of their own"),
    option<[](auto& d) -> auto& { return d.common.protocol; }, AsProtocol>(
        "otlp.protocol", "",
        "`grpc`, `http/protobuf` or `http/json`; unset: by the port (4317: grpc, else "
        "http/protobuf)"),
    option<[](auto& d) -> auto& { return d.common.headers; }, AsHeaders>(
        "otlp.headers", "OTEL_EXPORTER_OTLP_HEADERS",
        "headers of every export; in variables `name=value,…`, percent-encoded"),
    option<[](auto& d) -> auto& { return d.common.certificate; }>("otlp.certificate", "OTEL_EXPORTER_OTLP_CERTIFICATE",
                                                                  "file of certificate authorities to trust"),
    option<[](auto& d) -> auto& { return d.common.client_certificate; }>(
        "otlp.client_certificate", "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "file of the client's certificate"),
    option<[](auto& d) -> auto& { return d.common.client_key; }, AsKeyFile>(
        "otlp.client_key", "OTEL_EXPORTER_OTLP_CLIENT_KEY", "file of the client's key"),
    option<[](auto& d) -> auto& { return d.common.insecure; }>(
        "otlp.insecure", "OTEL_EXPORTER_OTLP_INSECURE",
        "permits an endpoint without scheme: `true` plaintext, `false` TLS"),
    option<[](auto& d) -> auto& { return d.common.compression; }, AsCompression>(
        "otlp.compression", "OTEL_EXPORTER_OTLP_COMPRESSION", "`gzip` or `none`"),
    option<[](auto& d) -> auto& { return d.common.timeout; }, AsMilliseconds>(
        "otlp.timeout", "OTEL_EXPORTER_OTLP_TIMEOUT", "of one export; 0: 10s"),

    option<[](auto& d) -> auto& { return d.metrics.endpoint; }, AsUrl>(
        "otel_metrics_export.endpoint", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "URL, used as it is"),
    option<[](auto& d) -> auto& { return d.metrics.protocol; }, AsProtocol>(
        "otel_metrics_export.protocol", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL OTEL_EXPORTER_OTLP_PROTOCOL",
        "as `otlp.protocol`"),
    option<[](auto& d) -> auto& { return d.metrics.exporter; }>("", "OTEL_METRICS_EXPORTER",
                                                                "`otlp`, or `none` to send no metrics by OTLP"),
    option<[](auto& d) -> auto& { return d.metrics.headers; }, AsHeaders>(
        "otel_metrics_export.headers", "OTEL_EXPORTER_OTLP_METRICS_HEADERS", "beside `otlp.headers`, winning"),
    option<[](auto& d) -> auto& { return d.metrics.certificate; }>(
        "otel_metrics_export.certificate", "OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE", "instead of `otlp.certificate`"),
    option<[](auto& d) -> auto& { return d.metrics.client_certificate; }>(
        "otel_metrics_export.client_certificate", "OTEL_EXPORTER_OTLP_METRICS_CLIENT_CERTIFICATE", "likewise"),
    option<[](auto& d) -> auto& { return d.metrics.client_key; }, AsKeyFile>(
        "otel_metrics_export.client_key", "OTEL_EXPORTER_OTLP_METRICS_CLIENT_KEY", "likewise"),
    option<[](auto& d) -> auto& { return d.metrics.insecure; }>("otel_metrics_export.insecure",
                                                                "OTEL_EXPORTER_OTLP_METRICS_INSECURE", "likewise"),
    option<[](auto& d) -> auto& { return d.metrics.compression; }, AsCompression>(
        "otel_metrics_export.compression", "OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "likewise"),
    option<[](auto& d) -> auto& { return d.metrics.timeout; }, AsMilliseconds>(
        "otel_metrics_export.export_timeout", "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT OTEL_METRIC_EXPORT_TIMEOUT",
        "likewise"),
    option<[](auto& d) -> auto& { return d.config.metrics.tls.insecure_skip_verify; }>(
        "otel_metrics_export.insecure_skip_verify", "BEYLA_OTEL_INSECURE_SKIP_VERIFY", "accept any TLS certificate"),
    option<[](auto& d) -> auto& { return d.config.metrics.interval; }>(
        "otel_metrics_export.interval", "BEYLA_METRICS_INTERVAL",
        "period of exports; 0: `OTEL_METRIC_EXPORT_INTERVAL`"),
    option<[](auto& d) -> auto& { return d.otel_metric_interval; }, AsMilliseconds>(
        "", "OTEL_METRIC_EXPORT_INTERVAL", "period of exports when `otel_metrics_export.interval` is not set"),
    option<[](auto& d) -> auto& { return d.config.metrics.features; }>(
        "otel_metrics_export.features", "BEYLA_OTEL_METRICS_FEATURES BEYLA_OTEL_METRIC_FEATURES",
        "`application`, `application_span`, `application_service_graph`; later "
        "`application_process`, `network`"),
    option<[](auto& d) -> auto& { return d.config.metrics.instrumentations; }>(
        "otel_metrics_export.instrumentations", "BEYLA_OTEL_METRICS_INSTRUMENTATIONS", "protocols, `*`: all"),
    option<[](auto& d) -> auto& { return d.config.metrics.buckets.duration_histogram; }>(
        "otel_metrics_export.buckets.duration_histogram", "", "boundaries in seconds; unset: by profile"),
    option<[](auto& d) -> auto& { return d.config.metrics.buckets.request_size_histogram; }>(
        "otel_metrics_export.buckets.request_size_histogram", "", "boundaries in bytes; unset: by profile"),
    option<[](auto& d) -> auto& { return d.config.metrics.histogram_aggregation; }, AsEnum<kAggregations, false>>(
        "otel_metrics_export.histogram_aggregation", "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
        "`explicit_bucket_histogram` or `base2_exponential_bucket_histogram`"),
    option<[](auto& d) -> auto& { return d.config.metrics.temporality; }, AsEnum<kTemporalities, false>>(
        "otel_metrics_export.temporality", "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
        "`cumulative`, `delta` or `lowmemory`"),
    option<[](auto& d) -> auto& { return d.config.metrics.ttl; }>("otel_metrics_export.ttl", "BEYLA_OTEL_METRICS_TTL",
                                                                  "forget series not updated for this long"),
    pending("otel_metrics_export.reporters_cache_len", "BEYLA_METRICS_REPORT_CACHE_LEN", "integer", "256",
            "services kept"),
    pending("otel_metrics_export.allow_service_graph_self_references", "BEYLA_OTEL_ALLOW_SERVICE_GRAPH_SELF_REFERENCES",
            "boolean", "false", "edges from a service to itself", is_on),
    pending("otel_metrics_export.otel_sdk_log_level", "BEYLA_OTEL_SDK_LOG_LEVEL", "text", "\"\"", "there is no SDK"),

    option<[](auto& d) -> auto& { return d.traces.endpoint; }, AsUrl>(
        "otel_traces_export.endpoint", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        "URL, used as it is; profile `beyla` adds `/v1/traces` where it is missing"),
    option<[](auto& d) -> auto& { return d.traces.protocol; }, AsProtocol>(
        "otel_traces_export.protocol", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL OTEL_EXPORTER_OTLP_PROTOCOL",
        "as `otlp.protocol`"),
    option<[](auto& d) -> auto& { return d.traces.exporter; }>("", "OTEL_TRACES_EXPORTER",
                                                               "`otlp`, or `none` to send no traces by OTLP"),
    option<[](auto& d) -> auto& { return d.traces.headers; }, AsHeaders>(
        "otel_traces_export.headers", "OTEL_EXPORTER_OTLP_TRACES_HEADERS", "beside `otlp.headers`, winning"),
    option<[](auto& d) -> auto& { return d.traces.certificate; }>(
        "otel_traces_export.certificate", "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "instead of `otlp.certificate`"),
    option<[](auto& d) -> auto& { return d.traces.client_certificate; }>(
        "otel_traces_export.client_certificate", "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE", "likewise"),
    option<[](auto& d) -> auto& { return d.traces.client_key; }, AsKeyFile>(
        "otel_traces_export.client_key", "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", "likewise"),
    option<[](auto& d) -> auto& { return d.traces.insecure; }>("otel_traces_export.insecure",
                                                               "OTEL_EXPORTER_OTLP_TRACES_INSECURE", "likewise"),
    option<[](auto& d) -> auto& { return d.traces.compression; }, AsCompression>(
        "otel_traces_export.compression", "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "likewise"),
    option<[](auto& d) -> auto& { return d.traces.timeout; }, AsMilliseconds>(
        "otel_traces_export.export_timeout", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT BEYLA_OTLP_TRACES_EXPORT_TIMEOUT",
        "likewise"),
    option<[](auto& d) -> auto& { return d.config.traces.tls.insecure_skip_verify; }>(
        "otel_traces_export.insecure_skip_verify", "BEYLA_OTEL_INSECURE_SKIP_VERIFY", "accept any TLS certificate"),
    option<[](auto& d) -> auto& { return d.config.traces.instrumentations; }>("otel_traces_export.instrumentations",
                                                                              "BEYLA_OTEL_TRACES_INSTRUMENTATIONS",
                                                                              "protocols that become spans, `*`: all"),
    option<[](auto& d) -> auto& { return d.config.traces.sampler.name; }>(
        "otel_traces_export.sampler.name", "OTEL_TRACES_SAMPLER",
        "`always_on`, `always_off`, `traceidratio`, or these after `parentbased_`"),
    option<[](auto& d) -> auto& { return d.config.traces.sampler.arg; }>(
        "otel_traces_export.sampler.arg", "OTEL_TRACES_SAMPLER_ARG", "ratio from 0 to 1"),
    option<[](auto& d) -> auto& { return d.config.traces.max_export_batch_size; }>(
        "otel_traces_export.max_export_batch_size",
        "BEYLA_OTLP_TRACES_MAX_EXPORT_BATCH_SIZE OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "spans per export"),
    option<[](auto& d) -> auto& { return d.config.traces.max_queue_size; }>(
        "otel_traces_export.max_queue_size", "BEYLA_OTLP_TRACES_MAX_QUEUE_SIZE OTEL_BSP_MAX_QUEUE_SIZE",
        "spans that may wait"),
    option<[](auto& d) -> auto& { return d.config.traces.batch_timeout; }, AsMilliseconds>(
        "otel_traces_export.batch_timeout", "BEYLA_OTLP_TRACES_BATCH_TIMEOUT OTEL_BSP_SCHEDULE_DELAY",
        "export an incomplete batch after this; 0: 200ms"),
    option<[](auto& d) -> auto& { return d.config.traces.backoff_initial; }>(
        "otel_traces_export.backoff_initial_interval", "BEYLA_BACKOFF_INITIAL_INTERVAL",
        "first wait before a retry; 0: 5s"),
    option<[](auto& d) -> auto& { return d.config.traces.backoff_max; }>(
        "otel_traces_export.backoff_max_interval", "BEYLA_BACKOFF_MAX_INTERVAL", "longest wait; 0: 30s"),
    option<[](auto& d) -> auto& { return d.config.traces.backoff_max_elapsed; }>(
        "otel_traces_export.backoff_max_elapsed_time", "BEYLA_BACKOFF_MAX_ELAPSED_TIME", "give up after this; 0: 5m"),
    pending("otel_traces_export.reporters_cache_len", "BEYLA_TRACES_REPORT_CACHE_LEN", "integer", "256",
            "services kept"),
    pending("otel_traces_export.otel_sdk_log_level", "BEYLA_OTEL_SDK_LOG_LEVEL", "text", "\"\"", "there is no SDK"),
};

}  // namespace

std::span<const Option> otlp_options() { return kRows; }

}  // namespace waggle::config
