// SPDX-License-Identifier: Apache-2.0
#include "metrics/exponential.h"

#include <algorithm>
#include <cmath>

#include "metrics/merge.h"

namespace waggle::metrics {

std::int64_t ExponentialHistogram::index_of(double value, std::int32_t scale) {
    int exponent = 0;
    const double fraction = std::frexp(value, &exponent) * 2;  // [1, 2)
    --exponent;
    const bool is_power = fraction == 1.0;  // belongs to the bucket that it ends
    if (scale <= 0) return static_cast<std::int64_t>(exponent - (is_power ? 1 : 0)) >> -scale;
    const std::int64_t first = static_cast<std::int64_t>(exponent) * (std::int64_t{1} << scale);
    if (is_power) return first - 1;
    const auto within = static_cast<std::int64_t>(std::ldexp(std::log2(fraction), scale));
    return first + std::min(within, (std::int64_t{1} << scale) - 1);
}

void ExponentialHistogram::record(double value) {
    if (!std::isfinite(value)) return;
    if (value <= 0) {
        ++point_.zero_count;
        return;
    }
    std::int64_t index = index_of(value, point_.scale);
    auto& counts = point_.counts;
    if (counts.empty()) {
        counts.reserve(max_size_);
        counts.push_back(1);
        point_.offset = static_cast<std::int32_t>(index);
        return;
    }
    std::int64_t low = std::min<std::int64_t>(point_.offset, index);
    std::int64_t high = std::max<std::int64_t>(point_.offset + std::int64_t(counts.size()) - 1, index);
    std::int32_t shift = 0;
    for (; high - low >= max_size_; ++shift) {
        low >>= 1;
        high >>= 1;
    }
    if (shift > 0) {
        downscale(point_, shift);
        index >>= shift;
    }
    if (index < point_.offset) {
        counts.insert(counts.begin(), static_cast<std::size_t>(point_.offset - index), 0);
        point_.offset = static_cast<std::int32_t>(index);
    }
    const auto at = static_cast<std::size_t>(index - point_.offset);
    if (at >= counts.size()) counts.resize(at + 1);
    ++counts[at];
}

void ExponentialHistogram::clear() {
    point_.counts.clear();
    point_.scale = max_scale_;
    point_.offset = 0;
    point_.zero_count = 0;
}

}  // namespace waggle::metrics
