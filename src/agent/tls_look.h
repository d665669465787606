// SPDX-License-Identifier: Apache-2.0
// TlsLook: does a process that is not selected map this file as code? A walk through everybody's maps, in small steps.
// Used by TlsLinks.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "proc/procfs.h"

namespace waggle::agent {

class TlsLook {
  public:
    enum class Answer { Going, OnlySelected, Strangers, Unknown };

    // An inode number stands for the file, whatever its device: other mounts show it by others. Of a file system that
    // lies over another one not even the number is sure to be the same: there the name does, too.
    TlsLook(std::uint64_t inode, std::string name_too) : inode_(inode), name_too_(std::move(name_too)) {}

    // Those who begin from now on are not in it.
    void begin(const proc::ProcFs& procfs);
    bool is_going() const { return !left_.empty(); }
    // At least one process more. Of a process that may not be looked into nothing is known: it counts as none that maps
    // the file. Unknown: one cannot be looked into just now, for want of a descriptor.
    Answer go_on(const proc::ProcFs& procfs, const std::function<bool(std::uint32_t)>& is_selected,
                 std::chrono::steady_clock::time_point until);

  private:
    bool is_among(const proc::MappedCodes& mapped) const;

    std::uint64_t inode_;
    std::string name_too_;  // the last component; empty: does not matter
    std::vector<std::uint32_t> left_;
};

}  // namespace waggle::agent
