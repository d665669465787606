// SPDX-License-Identifier: Apache-2.0
// Snapshot: every metric of one reader at one moment, as a value that exporters walk (resources,
// then metrics, then points). Made by Registry::collect and SelfMetrics::append. Attribute text
// lives in the snapshot's own arena, so it may outlive the registry and cross threads.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/arena.h"
#include "spans/attributes.h"
#include "spans/resource.h"
#include "spans/trace_context.h"

namespace waggle::metrics {

enum class Kind : std::uint8_t { Counter, UpDownCounter, Gauge, Histogram };
enum class Temporality : std::uint8_t { Cumulative, Delta };

struct Exemplar {
    spans::TraceId trace_id;
    spans::SpanId span_id;
    double value = 0;
    std::uint64_t time_ns = 0;  // CLOCK_MONOTONIC
};

// Base-2 buckets of one sign: counts[i] is for (base^(offset+i), base^(offset+i+1)], base =
// 2^(2^-scale).
struct ExponentialPoint {
    std::int32_t scale = 0;
    std::int32_t offset = 0;
    std::uint64_t zero_count = 0;
    std::vector<std::uint64_t> counts;
};

struct HistogramPoint {
    std::uint64_t count = 0;
    double sum = 0;
    double min = 0;
    double max = 0;
    std::vector<std::uint64_t> counts;  // one more than Metric::bounds; empty without explicit buckets
    std::optional<ExponentialPoint> exponential;
};

struct Point {
    std::vector<spans::Attribute> attributes;
    std::uint64_t start_ns = 0;  // CLOCK_MONOTONIC, as all times here
    std::uint64_t time_ns = 0;
    double value = 0;          // counters and gauges
    HistogramPoint histogram;  // histograms
    std::optional<Exemplar> exemplar;
    bool is_overflow = false;
};

struct Metric {
    std::string_view name;  // dotted; in static storage or the snapshot's arena
    std::string_view unit;
    std::string_view description;
    Kind kind = Kind::Counter;
    Temporality temporality = Temporality::Cumulative;
    bool is_integer = false;
    std::vector<double> bounds;
    std::vector<Point> points;
};

struct ResourceMetrics {
    spans::ResourcePtr resource;  // null: about no service (overflow series)
    bool is_agent = false;        // the agent's own metrics: no job and instance labels
    std::vector<Metric> metrics;
};

struct Snapshot {
    Arena arena;
    std::vector<ResourceMetrics> resources;
    std::uint64_t time_ns = 0;
    std::int64_t wall_offset_ns = 0;  // add to a monotonic time for nanoseconds since the Unix epoch

    std::size_t points() const {
        std::size_t sum = 0;
        for (const ResourceMetrics& resource : resources)
            for (const Metric& metric : resource.metrics) sum += metric.points.size();
        return sum;
    }
};

}  // namespace waggle::metrics
