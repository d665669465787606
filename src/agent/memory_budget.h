// SPDX-License-Identifier: Apache-2.0
// MemoryBudget: looks once a second at what the agent uses, kernel maps included, and says how short memory is. What is
// done about it is decided where the memory is.
#pragma once

#include <cstdint>

#include "metrics/self_metrics.h"

namespace waggle::agent {

enum class Pressure : std::uint8_t {
    None,
    High,  // no series are added
    Full,  // … new connections are not followed, and those that rest longest are forgotten
};

// Rises at 80 and 92 % of the limit, and falls at 70 and 85 %.
Pressure next_pressure(Pressure now, std::uint64_t used, std::uint64_t limit);

struct MemoryUse {
    std::uint64_t process = 0;  // pages of its own; where a sanitizer is linked in, what is allocated
    std::uint64_t kernel = 0;   // BPF maps, and what they keep beside sockets
    std::uint64_t total() const { return process + kernel; }
};

class MemoryBudget {
  public:
    MemoryBudget(std::uint64_t limit, metrics::SelfMetrics& self);

    // Tells of changes in the log. `connections` that the kernel side keeps something of.
    Pressure check(std::uint64_t connections, std::uint64_t now_ns);
    Pressure pressure() const { return pressure_; }
    bool is_half_used() const { return used_ >= limit_ / 2; }

  private:
    MemoryUse measure(std::uint64_t connections, std::uint64_t now_ns);

    std::uint64_t limit_;
    std::uint64_t used_ = 0;
    std::uint64_t trimmed_ns_ = 0;
    Pressure pressure_ = Pressure::None;
    std::uint64_t maps_ = 0;
    std::uint64_t maps_read_ns_ = 0;
    metrics::SelfValue& process_;
    metrics::SelfValue& kernel_;
    metrics::SelfValue& level_;
};

}  // namespace waggle::agent
