// SPDX-License-Identifier: Apache-2.0
#include "agent/capabilities.h"

#include <array>
#include <fstream>

#include "base/strings.h"

namespace waggle::agent {
namespace {

constexpr std::array kCapabilities = {
    Capability{39, "CAP_BPF", "loading programs and maps", true},
    Capability{38, "CAP_PERFMON",
               "attaching to tracepoints and functions, reading kernel and user memory", true},
    Capability{19, "CAP_SYS_PTRACE", "names, environment and libraries of other users' processes",
               true},
    Capability{2, "CAP_DAC_READ_SEARCH", "the same where files are not readable", false},
    Capability{24, "CAP_SYS_RESOURCE", "raising the locked-memory limit before kernel 5.11", false},
};

}  // namespace

std::span<const Capability> capabilities() { return kCapabilities; }

std::uint64_t effective_capabilities() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with("CapEff:"))
            return parse_int<std::uint64_t>(trim(std::string_view(line).substr(7)), 16).value_or(0);
    return 0;
}

std::vector<std::string> missing_capabilities() {
    const std::uint64_t set = effective_capabilities();
    std::vector<std::string> missing;
    for (const Capability& capability : kCapabilities)
        if (capability.is_needed && !has(set, capability)) missing.emplace_back(capability.name);
    return missing;
}

}  // namespace waggle::agent
