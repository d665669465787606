// SPDX-License-Identifier: Apache-2.0
#include "decorate/own_telemetry.h"

#include <utility>

#include "base/log.h"
#include "spans/attribute_names.h"

namespace waggle::decorate {
namespace {

using spans::Span;

enum class Signal { None, Traces, Metrics };

// https://opentelemetry.io/docs/specs/otlp/#otlphttp-request and #otlpgrpc
Signal signal_of(std::string_view path) {
    if (path.ends_with("/v1/traces")) return Signal::Traces;
    if (path.ends_with("/v1/metrics")) return Signal::Metrics;
    if (path.starts_with("/opentelemetry.proto.collector.trace.v1.TraceService/Export")) return Signal::Traces;
    if (path.starts_with("/opentelemetry.proto.collector.metrics.v1.MetricsService/Export")) return Signal::Metrics;
    return Signal::None;
}

bool is_taken(const Span& span) {
    if (span.status != spans::Status::Unset || span.incomplete != spans::Incomplete::No) return false;
    if (span.span_class == spans::SpanClass::Rpc) return span.attributes.text(attr::rpc_response_status_code) == "OK";
    constexpr int kNotTaken = 300;
    return span.attributes.number(attr::http_response_status_code, kNotTaken) < kNotTaken;
}

}  // namespace

void OwnTelemetry::apply(spans::SpanBatch& batch) {
    if (!is_enabled_) return;
    for (Span& span : batch) {
        if (!span.resource) continue;
        learn(span);
        if (services_.empty()) continue;
        const auto found = services_.find(key_of(*span.resource));
        if (found == services_.end()) continue;
        span.is_ignored_for_traces |= found->second.traces;
        span.is_ignored_for_metrics |= found->second.metrics;
    }
}

void OwnTelemetry::learn(const Span& span) {
    if (span.kind != spans::SpanKind::Client) return;
    const Signal signal = signal_of(span.attributes.text(attr::url_path));
    if (signal == Signal::None || !is_taken(span)) return;
    if (services_.size() >= kMaxServices) services_.clear();
    Sends& sends = services_[key_of(*span.resource)];
    bool& known = signal == Signal::Traces ? sends.traces : sends.metrics;
    if (std::exchange(known, true)) return;
    if (named_ == kMaxNamed) return;
    if (++named_ == kMaxNamed) log::info("further services that send their own telemetry are not named");
    log::info("{} sends its own {}: they are left to it (discovery.exclude_otel_instrumented_services)",
              span.resource->service_name, signal == Signal::Traces ? "traces" : "metrics");
}

const std::string& OwnTelemetry::key_of(const spans::Resource& resource) {
    key_.clear();
    for (const std::string* part : {&resource.service_name, &resource.service_namespace, &resource.instance_id}) {
        key_ += *part;
        key_ += '\0';
    }
    return key_;
}

}  // namespace waggle::decorate
