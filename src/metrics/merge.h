// SPDX-License-Identifier: Apache-2.0
// Adds points of one metric that end up with the same labels.
#pragma once

#include "metrics/snapshot.h"

namespace waggle::metrics {

// Adds from to into: counts, sums and buckets; exponential buckets at the coarser of both scales,
// and coarser still where max_size asks for it. Both have the metric's explicit bounds.
void merge(Point& into, const Point& from, std::uint32_t max_size = 160);

// Halves the resolution by times.
void downscale(ExponentialPoint& point, std::int32_t by);

}  // namespace waggle::metrics
