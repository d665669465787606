// SPDX-License-Identifier: Apache-2.0
// Prometheus exposition of a Snapshot: text 0.0.4, OpenMetrics 1.0.0 (with exemplars), and the
// protobuf format (with native histograms), chosen by the scraper's Accept header. An endpoint is
// server.handle(path, [&](const http::Request& r) { return prometheus_response(snapshot(), r,
// labels); }).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "http/server.h"
#include "metrics/instruments.h"
#include "metrics/snapshot.h"

namespace waggle::exporters {

enum class PrometheusFormat : std::uint8_t { Text, OpenMetrics, Protobuf };

struct PrometheusOptions {
    metrics::Profile profile = metrics::Profile::Otel;
    std::vector<std::string> extra_resource_attributes;  // further labels of target_info
    bool has_native_histograms = true;
};

// "http.server.request.duration" in "s" is "http_server_request_duration_seconds".
std::string prometheus_name(std::string_view name, std::string_view unit, metrics::Kind kind);

// The best format that the Accept header allows (q values count); Text when it says nothing useful.
PrometheusFormat negotiate_format(std::string_view accept);

std::string write_prometheus(const metrics::Snapshot& snapshot, PrometheusFormat format,
                             const PrometheusOptions& options);

// Format by Accept, gzip by Accept-Encoding.
http::Response prometheus_response(const metrics::Snapshot& snapshot, const http::Request& request,
                                   const PrometheusOptions& options);

}  // namespace waggle::exporters
