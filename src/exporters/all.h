// SPDX-License-Identifier: Apache-2.0
// From configuration to exporters: the table of OTLP protocols, and what the agent needs to feed
// them.
#pragma once

#include <memory>

#include "base/result.h"
#include "config/config.h"
#include "exporters/delivery.h"
#include "exporters/prometheus.h"
#include "metrics/registry.h"
#include "spans/sampler.h"

namespace waggle::exporters {

metrics::Profile profile_of(const config::Config& config);

// Null when the signal has no endpoint.
Result<std::unique_ptr<Delivery>> make_trace_delivery(const config::Config& config, metrics::SelfMetrics& self);
Result<std::unique_ptr<Delivery>> make_metric_delivery(const config::Config& config, metrics::SelfMetrics& self);

// The same exporters once more, with certificates read anew (Delivery::replace).
Result<std::unique_ptr<Exporter>> make_trace_exporter(const config::Config& config);
Result<std::unique_ptr<Exporter>> make_metric_exporter(const config::Config& config);

// One registry per reader.
metrics::RegistryOptions otlp_registry(const config::Config& config);
metrics::RegistryOptions prometheus_registry(const config::Config& config);

PrometheusOptions prometheus_options(const config::Config& config);

// Which spans become traces: not ignored, of a configured instrumentation, sampled.
Delivery::Wanted trace_filter(const config::Config& config);

}  // namespace waggle::exporters
