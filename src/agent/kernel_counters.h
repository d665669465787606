// SPDX-License-Identifier: Apache-2.0
// KernelCounters: what the BPF programs count, as self metrics. Any thread.
#pragma once

#include <array>
#include <mutex>
#include <vector>

#include "metrics/self_metrics.h"
#include "sensors/capture.h"

namespace waggle::agent {

class KernelCounters {
  public:
    KernelCounters(const sensors::Capture& capture, metrics::SelfMetrics& self);
    void refresh();

  private:
    const sensors::Capture& capture_;
    std::vector<metrics::SelfValue*> by_counter_;
    std::mutex mutex_;
    std::array<std::uint64_t, WG_COUNTERS> last_{};
    metrics::SelfValue* missed_of_traffic_;
    metrics::SelfValue* missed_of_processes_;
    std::uint64_t missed_runs_ = 0;
};

}  // namespace waggle::agent
