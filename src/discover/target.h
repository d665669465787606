// SPDX-License-Identifier: Apache-2.0
// Target: a selected process and whom its telemetry belongs to. TargetTable: all of them at one
// moment; immutable, made by the watcher, read by every thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "spans/resource.h"

namespace waggle::discover {

struct Target {
    std::uint32_t kernel_tgid = 0;  // 0: not known yet
    std::uint32_t pid = 0;          // as the agent's pid namespace numbers it
    std::uint64_t start_ns = 0;     // CLOCK_BOOTTIME; compare with is_same_start (process.h)
    spans::ResourcePtr resource;
    std::string language;
    int entry = -1;         // which selector; Selectors::entry
    std::string reason;     // for people
    bool is_ended = false;  // kept a while for spans that are still on their way
};

class TargetTable {
  public:
    TargetTable() = default;
    // Of several with one pid, the one that has it now comes first, then the others, those that ended last before.
    explicit TargetTable(std::vector<std::shared_ptr<const Target>> targets);

    const Target* find(std::uint32_t pid) const;
    // Only the process that started then: a reused pid is another process.
    const Target* find(std::uint32_t pid, std::uint64_t start_ns) const;

    auto begin() const { return targets_.begin(); }
    auto end() const { return targets_.end(); }
    size_t size() const { return targets_.size(); }
    bool is_empty() const { return targets_.empty(); }

  private:
    template <typename Wanted>
    const Target* first(std::uint32_t pid, Wanted is_wanted) const;

    std::vector<std::shared_ptr<const Target>> targets_;
    std::vector<std::uint32_t> slots_;  // open addressing: index + 1, 0 is free; a power of two
};

}  // namespace waggle::discover
