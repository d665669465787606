// SPDX-License-Identifier: Apache-2.0
// Copies: further ones of a sensor's programs, for kernels that preempt them (bpf/lib/copies.h says why). They stand at
// the same hooks and share all maps; which runs are missed by all of them is told from the counts of each.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "bpf/abi/rules.h"
#include "sensors/loader.h"

namespace waggle::sensors {

// How many copies to load when `wanted` are: 0: as many as this kernel needs.
std::uint32_t choose_copies(std::uint32_t wanted);

class Copies {
  public:
    // What loads and attaches options.settings.copies - 1 more of those programs of `first` that `chosen` names: on any
    // threads, and settle() when all have run. What cannot be loaded is said, and missed.
    std::vector<std::function<void()>> prepare(const SensorSpec& spec, const Sensor& first, const LoadOptions& options,
                                               std::string_view chosen);
    void settle();
    void detach();
    // Of each copy, the first one first.
    std::vector<MissedRuns> missed_runs(const Sensor& first) const;

  private:
    std::vector<std::unique_ptr<Sensor>> others_;
};

// Runs that all copies of a sensor have missed; `counters` were read later. Exact where only watched processes' calls
// are missed, else it may be more.
std::uint64_t missed_by_all(std::span<const MissedRuns> by_copy, std::span<const std::uint64_t> counters);

}  // namespace waggle::sensors
