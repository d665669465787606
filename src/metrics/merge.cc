// SPDX-License-Identifier: Apache-2.0
#include "metrics/merge.h"

#include <algorithm>
#include <utility>

namespace waggle::metrics {
namespace {

std::int32_t end_of(const ExponentialPoint& point) {
    return point.offset + static_cast<std::int32_t>(point.counts.size());
}

void merge(ExponentialPoint& into, ExponentialPoint from, std::uint32_t max_size) {
    into.zero_count += from.zero_count;
    if (from.counts.empty()) return;
    if (into.counts.empty()) {
        from.zero_count = into.zero_count;
        into = std::move(from);
        return;
    }
    const std::int32_t scale = std::min(into.scale, from.scale);
    downscale(into, into.scale - scale);
    downscale(from, from.scale - scale);
    while (std::max(end_of(into), end_of(from)) - std::min(into.offset, from.offset) >
           static_cast<std::int32_t>(max_size)) {
        downscale(into, 1);
        downscale(from, 1);
    }
    if (from.offset < into.offset) {
        into.counts.insert(into.counts.begin(), std::size_t(into.offset - from.offset), 0);
        into.offset = from.offset;
    }
    if (end_of(from) > end_of(into)) into.counts.resize(std::size_t(end_of(from) - into.offset));
    for (std::size_t i = 0; i < from.counts.size(); ++i)
        into.counts[std::size_t(from.offset - into.offset) + i] += from.counts[i];
}

}  // namespace

void downscale(ExponentialPoint& point, std::int32_t by) {
    point.scale -= by;
    if (by == 0 || point.counts.empty()) return;
    auto& counts = point.counts;
    const std::int32_t offset = point.offset >> by;
    const std::int32_t last = (end_of(point) - 1) >> by;
    for (std::size_t i = 0; i < counts.size(); ++i) {
        const std::uint64_t count = std::exchange(counts[i], 0);
        counts[std::size_t(((point.offset + std::int32_t(i)) >> by) - offset)] += count;
    }
    counts.resize(std::size_t(last - offset + 1));
    point.offset = offset;
}

void merge(Point& into, const Point& from, std::uint32_t max_size) {
    into.value += from.value;
    into.start_ns = std::min(into.start_ns, from.start_ns);
    into.time_ns = std::max(into.time_ns, from.time_ns);
    if (from.exemplar && (!into.exemplar || into.exemplar->time_ns < from.exemplar->time_ns))
        into.exemplar = from.exemplar;
    HistogramPoint& to = into.histogram;
    const HistogramPoint& add = from.histogram;
    if (add.count == 0) return;
    to.min = to.count == 0 ? add.min : std::min(to.min, add.min);
    to.max = to.count == 0 ? add.max : std::max(to.max, add.max);
    to.count += add.count;
    to.sum += add.sum;
    to.counts.resize(std::max(to.counts.size(), add.counts.size()));
    for (std::size_t i = 0; i < add.counts.size(); ++i) to.counts[i] += add.counts[i];
    if (!add.exponential) return;
    if (!to.exponential)
        to.exponential = add.exponential;
    else
        merge(*to.exponential, *add.exponential, max_size);
}

}  // namespace waggle::metrics
