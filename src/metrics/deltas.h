// SPDX-License-Identifier: Apache-2.0
// Deltas: of successive snapshots, what came since the one before, where their counters and histograms count from the
// start. For those who push what no registry keeps (the agent's own metrics) to back ends that want deltas.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "metrics/snapshot.h"

namespace waggle::metrics {

class Deltas {
  public:
    // Gauges and what is a delta already stay as they are.
    void apply(Snapshot& snapshot);

  private:
    struct Last {
        Point point;  // as it was counted from the start
        std::int64_t time_unix_ns = 0;
        std::uint64_t round = 0;
    };
    void subtract(Kind kind, Point& point, Last& last, std::int64_t wall_offset_ns) const;

    std::map<std::pair<spans::ResourcePtr, std::string>, Last> last_;  // by name and attributes
    std::uint64_t round_ = 0;
};

}  // namespace waggle::metrics
