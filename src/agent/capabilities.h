// SPDX-License-Identifier: Apache-2.0
// Capabilities: what this process may do. Which feature needs which is in features.h.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace waggle::agent {

struct Capability {
    int bit;  // of <linux/capability.h>
    std::string_view name;
    std::string_view use;   // what the agent does with it
    std::string_view also;  // what else it would allow: for those who decide whether to grant it
};

// Those that some feature needs.
std::span<const Capability> capabilities();

// A set as the kernel has it, one bit for each.
class CapabilitySet {
  public:
    explicit CapabilitySet(std::uint64_t bits) : bits_(bits) {}
    static CapabilitySet effective();  // this process's
    // The kernel lets CAP_SYS_ADMIN stand for CAP_BPF and CAP_PERFMON.
    bool has(std::string_view name) const;

  private:
    std::uint64_t bits_;
};

// How to give a process all of the capabilities named, in words: by systemd, a container, the file.
std::string how_to_grant(std::span<const std::string_view> names);

}  // namespace waggle::agent
