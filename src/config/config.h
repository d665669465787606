// SPDX-License-Identifier: Apache-2.0
// Config: every setting with its default, as plain data. Filled by load.h from YAML and environment
// (names, defaults and rules: Beyla 2.0's where it has them); read by everybody, changed by nobody.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace waggle::config {

using Duration = std::chrono::nanoseconds;
using namespace std::chrono_literals;

enum class Profile : std::uint8_t { Otel, Beyla };  // which names, units, buckets and labels metrics carry
enum class LogLevel : std::uint8_t { Debug, Info, Warn, Error };
enum class TracePrinter : std::uint8_t { Disabled, Text, Json, JsonIndent, Counter };
enum class Unmatched : std::uint8_t { Unset, Path, Wildcard, Heuristic };
enum class IgnoreMode : std::uint8_t { All, Traces, Metrics };
enum class OtlpProtocol : std::uint8_t { Grpc, HttpProtobuf, HttpJson };
enum class Temporality : std::uint8_t { Cumulative, Delta, LowMemory };
enum class HistogramAggregation : std::uint8_t { Explicit, Exponential };

// "80,443,8000-8999": inclusive ranges.
struct PortSet {
    std::vector<std::pair<std::uint16_t, std::uint16_t>> ranges;
    bool is_empty() const { return ranges.empty(); }
    bool contains(std::uint16_t port) const {
        for (const auto& [from, to] : ranges)
            if (port >= from && port <= to) return true;
        return false;
    }
};

// One entry of discovery.services and the exclusion lists. Fields that are set are ANDed.
struct SelectorConfig {
    std::string name;  // overrides service.name
    std::string service_namespace;
    PortSet open_ports;
    std::optional<std::string> exe_path;  // RE2, unanchored (Beyla)
    std::optional<std::string> exe_glob;  // Waggle: whole path, * ? [] {a,b}
    std::optional<std::string> cmd_args;  // RE2 over the arguments joined by a space
    std::optional<std::string> cmd_glob;
    std::vector<std::uint32_t> pids;
    bool is_any_listener = false;            // Waggle: every process with a listening TCP or UNIX socket
    std::optional<bool> children;            // Waggle: children of a match are selected too; Beyla's default: yes
    std::map<std::string, std::string> k8s;  // k8s_namespace … → RE2: kept for the Kubernetes stage
};

struct DiscoveryConfig {
    std::vector<SelectorConfig> services;
    std::vector<SelectorConfig> exclude_services;
    std::vector<SelectorConfig> default_exclude_services;  // filled with Beyla's default by load
    Duration poll_interval = 5s;
    bool system_wide = false;
    bool exclude_otel_instrumented_services = true;
    bool skip_go_specific_tracers = false;
};

struct EbpfConfig {
    Duration http_request_timeout = 0s;  // 0: never (requests without response are exported as unknown)
    bool is_http_request_timeout_set = false;
    Duration max_exchange_age = 5min;     // Waggle: an exchange still open is exported once, incomplete
    std::uint32_t ring_bytes = 4u << 20;  // per ring
    std::uint32_t rings = 0;              // 0: min(4, CPUs / 8 + 1)
    Duration tick = 5ms;
    std::uint32_t max_connections = 65536;
    bool queue_time = false;
    std::uint32_t program_copies = 0;  // of the capture programs; 0: as many as the kernel needs
    bool tls = true;                   // read plaintext from TLS libraries
    std::uint32_t tls_own_links = 64;  // processes of a file with probes of their own
    std::vector<std::string> disable;  // hook kinds not to use: tp_btf, fentry, kprobe, io_uring …
    std::uint32_t batch_length = 100;
    Duration batch_timeout = 1s;
    bool track_request_headers = false;
};

struct RoutesConfig {
    Unmatched unmatched = Unmatched::Heuristic;
    std::vector<std::string> patterns;
    std::vector<std::string> ignored_patterns;
    IgnoreMode ignore_mode = IgnoreMode::All;
    std::string wildcard_char = "*";
    std::uint32_t max_path_segment_cardinality = 10;  // Waggle: bound under a crawler
    bool is_enabled = true;                           // false when the section is explicitly null
};

struct AttributeSelect {
    std::vector<std::string> include;
    std::vector<std::string> exclude;
};

struct AttributesConfig {
    std::map<std::string, AttributeSelect> select;  // metric name in any notation, or a glob
    bool instance_id_dns = true;
    std::string hostname;  // override
    std::string host_id;   // override
    Duration host_id_fetch_timeout = 500ms;
};

struct AttributeFilter {
    std::optional<std::string> match;  // glob
    std::optional<std::string> not_match;
};

struct TlsConfig {
    std::string certificate;         // CA file
    std::string client_certificate;  // PEM files
    std::string client_key;
    bool insecure_skip_verify = false;
    bool insecure = false;  // plaintext for an endpoint with no scheme
};

// One signal's OTLP target, after the OTEL_* rules were applied.
struct OtlpConfig {
    std::string endpoint;  // full URL for HTTP, with the signal's path; scheme://host:port for gRPC; empty: off
    OtlpProtocol protocol = OtlpProtocol::HttpProtobuf;
    std::vector<std::pair<std::string, std::string>> headers;
    TlsConfig tls;
    bool gzip = false;
    Duration timeout = 10s;
    Duration backoff_initial = 5s;
    Duration backoff_max = 30s;
    Duration backoff_max_elapsed = 5min;
    std::vector<std::string> instrumentations{"*"};
    bool is_enabled() const { return !endpoint.empty(); }
};

struct SamplerConfig {
    std::string name = "parentbased_always_on";
    std::string arg;
};

struct TracesConfig : OtlpConfig {
    SamplerConfig sampler;
    std::uint32_t max_export_batch_size = 4096;
    std::uint32_t max_queue_size = 4096;
    Duration batch_timeout = 200ms;
};

struct BucketsConfig {
    std::optional<std::vector<double>> duration_histogram;
    std::optional<std::vector<double>> request_size_histogram;
};

struct MetricsConfig : OtlpConfig {
    Duration interval = 60s;
    std::vector<std::string> features{"application"};
    BucketsConfig buckets;
    HistogramAggregation histogram_aggregation = HistogramAggregation::Explicit;
    Temporality temporality = Temporality::Cumulative;
    Duration ttl = 70min;
};

struct PrometheusConfig {
    std::uint16_t port = 0;  // 0: off
    std::string address;     // empty: all addresses
    std::string path = "/metrics";
    bool disable_build_info = false;
    std::vector<std::string> features{"application"};
    std::vector<std::string> instrumentations{"*"};
    BucketsConfig buckets;
    Duration ttl = 70min;
    std::vector<std::string> extra_resource_attributes;
    bool native_histograms = true;
    bool is_enabled() const { return port != 0; }
};

struct InternalMetricsConfig {
    std::string exporter = "disabled";  // disabled, prometheus, otel
    std::uint16_t port = 0;
    std::string path = "/internal/metrics";
};

struct Config {
    Profile profile = Profile::Otel;
    LogLevel log_level = LogLevel::Info;
    TracePrinter trace_printer = TracePrinter::Disabled;
    bool enforce_sys_caps = false;
    std::uint32_t channel_buffer_len = 10;
    std::uint16_t health_port = 0;  // Waggle: /healthz and /readyz (also on the Prometheus port)
    Duration shutdown_timeout = 10s;
    std::uint64_t memory_limit = 256u << 20;
    double cpu_limit = 0;                             // share of a core; 0: none
    std::uint32_t series_limit = 2000;                // per instrument; the rest goes to the overflow series
    std::vector<std::string> sensitive_query_params;  // beside the built-in list
    bool sanitize_queries = true;                     // literals in db.query.text become ?

    // Beyla's legacy selector: one entry, appended last.
    std::optional<std::string> executable_name;
    PortSet open_port;
    std::string service_name;
    std::string service_namespace;

    EbpfConfig ebpf;
    DiscoveryConfig discovery;
    AttributesConfig attributes;
    RoutesConfig routes;
    std::map<std::string, AttributeFilter> filter_application;
    TracesConfig traces;
    MetricsConfig metrics;
    PrometheusConfig prometheus;
    InternalMetricsConfig internal_metrics;
    std::vector<std::pair<std::string, std::string>> resource_attributes;  // the agent's own OTEL_RESOURCE_ATTRIBUTES
    std::vector<std::string> name_resolver_sources{"k8s"};
};

}  // namespace waggle::config
