// SPDX-License-Identifier: Apache-2.0
// Rows: the agent itself, what it observes and how.
#include <array>

#include "config/options.h"

namespace waggle::config {
namespace {

constexpr std::array<std::pair<std::string_view, Profile>, 2> kProfiles{
    {{"otel", Profile::Otel}, {"beyla", Profile::Beyla}}};
constexpr std::array<std::pair<std::string_view, LogLevel>, 4> kLogLevels{
    {{"INFO", LogLevel::Info}, {"DEBUG", LogLevel::Debug}, {"WARN", LogLevel::Warn}, {"ERROR", LogLevel::Error}}};
constexpr std::array<std::pair<std::string_view, TracePrinter>, 6> kPrinters{{{"disabled", TracePrinter::Disabled},
                                                                              {"text", TracePrinter::Text},
                                                                              {"json", TracePrinter::Json},
                                                                              {"json_indent", TracePrinter::JsonIndent},
                                                                              {"counter", TracePrinter::Counter},
                                                                              {"", TracePrinter::Disabled}}};

constexpr std::array kRows{
    option<[](auto& d) -> auto& { return d.profile; }, AsEnum<kProfiles>>(
        "profile", "WAGGLE_PROFILE",
        "metric names, units, buckets and labels: `otel` (semantic conventions) or `beyla`; "
        "default: `beyla` when the "
        "file came through `BEYLA_CONFIG_PATH` or `-config` or any `BEYLA_*` variable is set"),
    option<[](auto& d) -> auto& { return d.config.executable_name; }, AsRegex>(
        "executable_name", "BEYLA_EXECUTABLE_NAME", "observe processes whose executable's path contains a match"),
    option<[](auto& d) -> auto& { return d.go_auto_target_exe; }, AsRegex>("", "OTEL_GO_AUTO_TARGET_EXE",
                                                                           "used when `executable_name` is unset"),
    option<[](auto& d) -> auto& { return d.config.open_port; }, AsPortsOrNone>(
        "open_port", "BEYLA_OPEN_PORT", "observe processes that own one of these local ports, e.g. `80,8000-8999`"),
    option<[](auto& d) -> auto& { return d.config.service_name; }>(
        "service_name", "OTEL_SERVICE_NAME BEYLA_SERVICE_NAME", "name of the processes selected by the two keys above"),
    option<[](auto& d) -> auto& { return d.config.service_namespace; }>("service_namespace", "BEYLA_SERVICE_NAMESPACE",
                                                                        "namespace of the same"),
    option<[](auto& d) -> auto& { return d.config.log_level; }, AsEnum<kLogLevels>>(
        "log_level", "BEYLA_LOG_LEVEL", "`DEBUG`, `INFO`, `WARN` or `ERROR`"),
    option<[](auto& d) -> auto& { return d.config.trace_printer; }, AsEnum<kPrinters>>(
        "trace_printer", "BEYLA_TRACE_PRINTER",
        "print each span on standard output: `disabled`, `text`, `json`, `json_indent` or "
        "`counter`"),
    option<[](auto& d) -> auto& { return d.config.enforce_sys_caps; }>("enforce_sys_caps", "BEYLA_ENFORCE_SYS_CAPS",
                                                                       "refuse to start when capabilities are missing"),
    option<[](auto& d) -> auto& { return d.config.channel_buffer_len; }>(
        "channel_buffer_len", "BEYLA_CHANNEL_BUFFER_LEN", "accepted for Beyla's sake: Waggle sizes its channels itself")
        .without_effect(),
    pending("profile_port", "BEYLA_PROFILE_PORT", "port", "0", "profiling port", is_not_zero),
    option<[](auto& d) -> auto& { return d.config.health_port; }>(
        "health_port", "WAGGLE_HEALTH_PORT", "port of `/healthz` and `/readyz`; 0: only beside `/metrics`"),
    option<[](auto& d) -> auto& { return d.config.shutdown_timeout; }>(
        "shutdown_timeout", "WAGGLE_SHUTDOWN_TIMEOUT", "how long a stop may take to deliver what is left"),
    option<[](auto& d) -> auto& { return d.config.memory_limit; }, AsBytes>(
        "memory_limit", "WAGGLE_MEMORY_LIMIT",
        "memory budget of the whole agent, kernel maps included (docs/reliability.md)"),
    option<[](auto& d) -> auto& { return d.config.cpu_limit; }>(
        "cpu_limit", "WAGGLE_CPU_LIMIT",
        "share of a core that the agent may use; above it does less, step by step (docs/reliability.md); 0: no limit"),
    option<[](auto& d) -> auto& { return d.config.series_limit; }>(
        "series_limit", "WAGGLE_SERIES_LIMIT", "series per metric; the rest is summed in one overflow series"),
    option<[](auto& d) -> auto& { return d.config.sensitive_query_params; }>(
        "sensitive_query_params", "WAGGLE_SENSITIVE_QUERY_PARAMS",
        "query parameters to redact, beside the built-in ones"),
    option<[](auto& d) -> auto& { return d.config.sanitize_queries; }>(
        "sanitize_queries", "WAGGLE_SANITIZE_QUERIES", "replace the literals of SQL texts (`db.query.text`) by `?`"),
    option<[](auto& d) -> auto& { return d.config.resource_attributes; }, AsPairs>(
        "resource_attributes", "OTEL_RESOURCE_ATTRIBUTES", "attributes of the agent's own resource"),

    option<[](auto& d) -> auto& { return d.config.ebpf.batch_length; }>(
        "ebpf.batch_length", "BEYLA_BPF_BATCH_LENGTH", "accepted for Beyla's sake: spans are handed over within 50 ms")
        .without_effect(),
    option<[](auto& d) -> auto& { return d.config.ebpf.batch_timeout; }>("ebpf.batch_timeout",
                                                                         "BEYLA_BPF_BATCH_TIMEOUT", "likewise")
        .without_effect(),
    option<[](auto& d) -> auto& { return d.config.ebpf.track_request_headers; }>(
        "ebpf.track_request_headers", "BEYLA_BPF_TRACK_REQUEST_HEADERS",
        "accepted for Beyla's sake: incoming `traceparent` headers are always read"),
    option<[](auto& d) -> auto& { return d.config.ebpf.http_request_timeout; }>(
        "ebpf.http_request_timeout", "BEYLA_BPF_HTTP_REQUEST_TIMEOUT",
        "report an HTTP request without response as status 408 after this; 0: never. Profile "
        "`beyla`: 30s unless set"),
    option<[](auto& d) -> auto& { return d.config.ebpf.max_exchange_age; }>(
        "ebpf.max_exchange_age", "WAGGLE_BPF_MAX_EXCHANGE_AGE",
        "export an exchange that is still open after this, once, as incomplete"),
    option<[](auto& d) -> auto& { return d.config.ebpf.ring_bytes; }, AsBytes>(
        "ebpf.ring_bytes", "WAGGLE_BPF_RING_BYTES", "size of each ring buffer, a power of two"),
    option<[](auto& d) -> auto& { return d.config.ebpf.rings; }>("ebpf.rings", "WAGGLE_BPF_RINGS",
                                                                 "number of ring buffers; 0: min(4, CPUs / 8 + 1)"),
    option<[](auto& d) -> auto& { return d.config.ebpf.tick; }>(
        "ebpf.tick", "WAGGLE_BPF_TICK",
        "how often the rings are drained; up to four times as rarely while little comes and no connection is new"),
    option<[](auto& d) -> auto& { return d.config.ebpf.max_connections; }>(
        "ebpf.max_connections", "WAGGLE_BPF_MAX_CONNECTIONS", "connections followed at once"),
    option<[](auto& d) -> auto& { return d.config.ebpf.queue_time; }>(
        "ebpf.queue_time", "WAGGLE_BPF_QUEUE_TIME", "measure how long requests wait before the program reads them"),
    option<[](auto& d) -> auto& { return d.config.ebpf.program_copies; }>(
        "ebpf.program_copies", "WAGGLE_BPF_PROGRAM_COPIES",
        "copies of the capture programs at each hook, at most 4: while a thread is preempted in one, other threads' "
        "calls "
        "on its processor are seen by the next; 0: 3 where the kernel preempts them, else 1"),
    option<[](auto& d) -> auto& { return d.config.ebpf.tls; }>(
        "ebpf.tls", "WAGGLE_BPF_TLS",
        "read encrypted traffic where watched processes give it to their TLS library, by uprobes; `false`: count it "
        "only"),
    option<[](auto& d) -> auto& {
        return d.config.ebpf.tls_own_links;
    }>("ebpf.tls_own_links", "WAGGLE_BPF_TLS_OWN_LINKS",
       "processes of one file that are read by probes of their own, where a process that is not selected maps it, too; "
       "a stop takes longer with more: a second with 64, five with 256"),
    option<[](auto& d) -> auto& { return d.config.ebpf.disable; }>(
        "ebpf.disable", "WAGGLE_BPF_DISABLE",
        "kinds of hooks not to use: `tp_btf`, `fentry`, `kprobe`, `io_uring`, `uprobe_multi`, `uprobe` …; "
        "`tls_fingerprint`: "
        "TLS libraries without symbols are not looked for by their code"),
    pending("ebpf.bpf_debug", "BEYLA_BPF_DEBUG", "boolean", "false", "debug output of the BPF programs", is_on),
    pending("ebpf.wakeup_len", "BEYLA_BPF_WAKEUP_LEN", "integer", "0",
            "not needed: rings are drained by timer and fill level")
        .without_effect(),
    pending("ebpf.enable_context_propagation", "BEYLA_BPF_ENABLE_CONTEXT_PROPAGATION", "boolean", "false",
            "write trace context into outgoing traffic", is_on),
    pending("ebpf.traffic_control_l7_context_propagation", "BEYLA_BPF_TC_L7_CP", "boolean", "false",
            "write trace context from traffic control", is_on),
    pending("ebpf.traffic_control_backend", "BEYLA_BPF_TC_BACKEND", "word", "auto", "`tc`, `tcx` or `auto`")
        .without_effect(),
    pending("ebpf.disable_black_box_cp", "BEYLA_BPF_DISABLE_BLACK_BOX_CP", "boolean", "false",
            "do not correlate by connection inside one node")
        .without_effect(is_on),
    pending("ebpf.high_request_volume", "BEYLA_BPF_HIGH_REQUEST_VOLUME", "boolean", "false",
            "report at the first byte of the response", is_on),
    pending("ebpf.heuristic_sql_detect", "BEYLA_HEURISTIC_SQL_DETECT", "boolean", "false",
            "take unknown traffic for SQL by its words", is_on),
    pending("ebpf.instrument_gpu", "BEYLA_INSTRUMENT_GPU", "boolean", "false", "CUDA calls", is_on),

    option<[](auto& d) -> auto& { return d.config.discovery.services; }>(
        "discovery.services", "", "what to observe: the first entry that matches a process wins"),
    option<[](auto& d) -> auto& { return d.config.discovery.exclude_services; }>("discovery.exclude_services", "",
                                                                                 "what not to observe"),
    option<[](auto& d) -> auto& { return d.config.discovery.default_exclude_services; }>(
        "discovery.default_exclude_services", "",
        "likewise; observability agents unless replaced, `[]`: observe them too"),
    option<[](auto& d) -> auto& { return d.config.discovery.poll_interval; }>(
        "discovery.poll_interval", "BEYLA_DISCOVERY_POLL_INTERVAL", "how often processes and ports are listed; 0: 5s"),
    option<[](auto& d) -> auto& { return d.config.discovery.system_wide; }>(
        "discovery.system_wide", "BEYLA_SYSTEM_WIDE", "observe every process; not together with selectors"),
    option<[](auto& d) -> auto& { return d.config.discovery.skip_go_specific_tracers; }>(
        "discovery.skip_go_specific_tracers", "BEYLA_SKIP_GO_SPECIFIC_TRACERS", "observe Go programs like any other"),
    pending("discovery.bpf_pid_filter_off", "BEYLA_BPF_PID_FILTER_OFF", "boolean", "false", "no filtering by process",
            is_on),
    option<[](auto& d) -> auto& { return d.config.discovery.exclude_otel_instrumented_services; }>(
        "discovery.exclude_otel_instrumented_services", "BEYLA_EXCLUDE_OTEL_INSTRUMENTED_SERVICES",
        "leave the traces and metrics of services that send their own by OTLP to them"),
};

}  // namespace

std::span<const Option> agent_options() { return kRows; }

}  // namespace waggle::config
