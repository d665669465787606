// SPDX-License-Identifier: Apache-2.0
#include "exporters/prometheus.h"

#include <algorithm>

#include "exporters/prometheus_families.h"
#include "http/gzip.h"
#include "http/quality.h"

namespace waggle::exporters {
namespace {

bool has_parameter(const http::Weighted& item, std::string_view parameter) {
    return std::find(item.parameters.begin(), item.parameters.end(), parameter) != item.parameters.end();
}

std::optional<PrometheusFormat> format_of(const http::Weighted& item) {
    if (item.value == "application/vnd.google.protobuf") {
        if (has_parameter(item, "proto=io.prometheus.client.MetricFamily") && has_parameter(item, "encoding=delimited"))
            return PrometheusFormat::Protobuf;
        return std::nullopt;
    }
    if (item.value == "application/openmetrics-text") {
        const bool has_other_version =
            std::any_of(item.parameters.begin(), item.parameters.end(),
                        [](std::string_view p) { return p.starts_with("version=") && p != "version=1.0.0"; });
        if (has_other_version) return std::nullopt;
        return PrometheusFormat::OpenMetrics;
    }
    if (item.value == "text/plain" || item.value == "text/*" || item.value == "*/*") return PrometheusFormat::Text;
    return std::nullopt;
}

std::string_view content_type(PrometheusFormat format) {
    switch (format) {
        case PrometheusFormat::OpenMetrics:
            return "application/openmetrics-text; version=1.0.0; charset=utf-8";
        case PrometheusFormat::Protobuf:
            return "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; "
                   "encoding=delimited";
        case PrometheusFormat::Text:
            break;
    }
    return "text/plain; version=0.0.4; charset=utf-8";
}

}  // namespace

PrometheusFormat negotiate_format(std::string_view accept) {
    PrometheusFormat best = PrometheusFormat::Text;
    double quality = 0;
    for (const http::Weighted& item : http::parse_weighted(accept)) {
        const auto format = format_of(item);
        if (!format || item.quality <= quality) continue;
        best = *format;
        quality = item.quality;
    }
    return best;
}

std::string write_prometheus(const metrics::Snapshot& snapshot, PrometheusFormat format,
                             const PrometheusOptions& options) {
    const Families families = to_families(snapshot, options);
    if (format == PrometheusFormat::Protobuf)
        return write_protobuf(families, options.has_native_histograms, snapshot.wall_offset_ns);
    return write_text(families, format == PrometheusFormat::OpenMetrics, snapshot.wall_offset_ns);
}

http::Response prometheus_response(const metrics::Snapshot& snapshot, const http::Request& request,
                                   const PrometheusOptions& options) {
    const PrometheusFormat format = negotiate_format(http::find_header(request.headers, "accept"));
    http::Response response{.content_type = std::string(content_type(format)),
                            .body = write_prometheus(snapshot, format, options)};
    response.headers.emplace_back("Vary", "Accept, Accept-Encoding");
    if (http::accepts_gzip(http::find_header(request.headers, "accept-encoding"))) {
        response.body = http::gzip(response.body);
        response.headers.emplace_back("Content-Encoding", "gzip");
    }
    return response;
}

}  // namespace waggle::exporters
