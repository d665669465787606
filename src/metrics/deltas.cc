// SPDX-License-Identifier: Apache-2.0
#include "metrics/deltas.h"

#include <fmt/format.h>

#include <algorithm>

namespace waggle::metrics {
namespace {

std::string key_of(const Metric& metric, const Point& point) {
    std::string key(metric.name);
    for (const spans::Attribute& attribute : point.attributes)
        std::visit([&](const auto& value) { key += fmt::format("\n{}={}", attribute.key, value); }, attribute.value);
    return key;
}

}  // namespace

void Deltas::apply(Snapshot& snapshot) {
    ++round_;
    for (ResourceMetrics& resource : snapshot.resources)
        for (Metric& metric : resource.metrics) {
            const bool counts = metric.kind == Kind::Counter || metric.kind == Kind::Histogram;
            if (!counts || metric.temporality == Temporality::Delta) continue;
            metric.temporality = Temporality::Delta;
            for (Point& point : metric.points)
                subtract(metric.kind, point, last_[{resource.resource, key_of(metric, point)}],
                         snapshot.wall_offset_ns);
        }
    std::erase_if(last_, [&](const auto& entry) { return entry.second.round != round_; });
}

void Deltas::subtract(Kind kind, Point& point, Last& last, std::int64_t wall_offset_ns) const {
    Point now;
    now.start_ns = point.start_ns;
    now.time_ns = point.time_ns;
    now.value = point.value;
    now.histogram = point.histogram;
    // Counters are never forgotten, and their beginning moves with the wall clock; histograms may have begun anew.
    const bool goes_on = kind == Kind::Counter || last.point.start_ns == point.start_ns;
    if (last.round != 0 && goes_on) {
        const HistogramPoint& before = last.point.histogram;
        // Where the push before ended on the wall's clock, which moves against ours.
        point.start_ns = static_cast<std::uint64_t>(
            std::clamp<std::int64_t>(last.time_unix_ns - wall_offset_ns, 0, static_cast<std::int64_t>(point.time_ns)));
        point.value -= last.point.value;
        point.histogram.count -= before.count;
        point.histogram.sum -= before.sum;
        for (std::size_t i = 0; i < before.counts.size(); ++i) point.histogram.counts[i] -= before.counts[i];
    }
    last = {.point = std::move(now),
            .time_unix_ns = static_cast<std::int64_t>(point.time_ns) + wall_offset_ns,
            .round = round_};
}

}  // namespace waggle::metrics
