// SPDX-License-Identifier: Apache-2.0
// What the protobuf and the JSON encoders share: grouping, flags, and the attributes that a span's
// plain members become.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "otlp/encode.h"

namespace waggle::otlp {

struct ResourceSpans {
    const spans::Resource* resource = nullptr;  // may be null
    std::vector<const spans::Span*> spans;
};

// In the order in which resources appear.
std::vector<ResourceSpans> by_resource(const spans::SpanBatch& batch);

std::vector<spans::Attribute> resource_attributes(const spans::Resource* resource, metrics::Profile profile);

// The span's attributes and what its members say about how sure it is (otel profile).
void span_attributes(const spans::Span& span, metrics::Profile profile, std::vector<spans::Attribute>& out);

// W3C flags, and whether the parent is known to be in another process.
std::uint32_t span_flags(const spans::Span& span);

inline int span_kind(const spans::Span& span) { return static_cast<int>(span.kind) + 1; }
inline constexpr int kStatusError = 2;

inline std::uint64_t wall(std::uint64_t monotonic_ns, std::int64_t offset_ns) {
    return monotonic_ns + static_cast<std::uint64_t>(offset_ns);
}

std::string_view span_scope(metrics::Profile profile);
std::string_view metric_scope(metrics::Profile profile);

inline int temporality(const metrics::Metric& metric) {
    return metric.temporality == metrics::Temporality::Delta ? 1 : 2;
}
// Points of one metric are all alike.
inline bool is_exponential(const metrics::Metric& metric) {
    return metric.kind == metrics::Kind::Histogram && metric.bounds.empty() && !metric.points.empty() &&
           metric.points.front().histogram.exponential.has_value();
}

}  // namespace waggle::otlp
