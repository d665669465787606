// SPDX-License-Identifier: Apache-2.0
// ExponentialHistogram: base-2 exponential buckets of non-negative values, as the OpenTelemetry
// data model has them. Starts at the finest scale and halves its resolution whenever the values
// span more than max_size buckets, so it holds any range in bounded memory; sums and counts stay
// exact.
#pragma once

#include <cstdint>

#include "metrics/snapshot.h"

namespace waggle::metrics {

class ExponentialHistogram {
  public:
    explicit ExponentialHistogram(std::int32_t max_scale = 20, std::uint32_t max_size = 160)
        : max_scale_(max_scale), max_size_(max_size) {
        point_.scale = max_scale;
    }

    void record(double value);
    // Empty and at the finest scale again; memory stays.
    void clear();
    const ExponentialPoint& point() const { return point_; }

    // Bucket of a positive value: base^index < value <= base^(index+1).
    static std::int64_t index_of(double value, std::int32_t scale);

  private:
    std::int32_t max_scale_;
    std::uint32_t max_size_;
    ExponentialPoint point_;
};

}  // namespace waggle::metrics
