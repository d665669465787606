// SPDX-License-Identifier: Apache-2.0
// Capabilities: what this process may do, and what each of them is for.
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
    std::string_view use;
    bool is_needed;  // something is lost without it on every kernel
};

std::span<const Capability> capabilities();
// The effective set of this process.
std::uint64_t effective_capabilities();
inline bool has(std::uint64_t set, const Capability& capability) {
    return set >> capability.bit & 1;
}
// Names of those that are needed and not there.
std::vector<std::string> missing_capabilities();

}  // namespace waggle::agent
