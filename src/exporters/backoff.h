// SPDX-License-Identifier: Apache-2.0
// Backoff: how long to wait before the next try. Exponential, and jittered: agents that lost a back end together do not
// come back together (OTLP specification, OTLP/gRPC throttling).
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>

namespace waggle::exporters {

class Backoff {
  public:
    using milliseconds = std::chrono::milliseconds;
    Backoff(milliseconds initial, milliseconds most, std::minstd_rand& random)
        : interval_(initial), most_(most), random_(random) {}

    // Half of the interval to one and a half; the interval grows by half each time.
    milliseconds next() {
        const std::int64_t count = interval_.count();
        interval_ = std::min(interval_ * 3 / 2, most_);
        return milliseconds(std::uniform_int_distribution<std::int64_t>(count / 2, count * 3 / 2)(random_));
    }

  private:
    milliseconds interval_;
    milliseconds most_;
    std::minstd_rand& random_;
};

}  // namespace waggle::exporters
