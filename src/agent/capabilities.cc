// SPDX-License-Identifier: Apache-2.0
#include "agent/capabilities.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <fstream>

#include "base/strings.h"

namespace waggle::agent {
namespace {

constexpr int kSysAdmin = 21;

constexpr std::array kCapabilities = {
    Capability{39, "CAP_BPF", "loads programs and maps", "loading other BPF programs"},
    Capability{38, "CAP_PERFMON", "attaches them to the kernel and lets them read memory",
               "reading kernel memory and, by BPF or perf, that of every process"},
    Capability{19, "CAP_SYS_PTRACE", "looks into other users' processes in /proc: program, libraries, sockets",
               "reading and changing every process's memory"},
    Capability{2, "CAP_DAC_READ_SEARCH",
               "opens what only a process's owner may: its list of descriptors, its environment", "reading every file"},
    Capability{10, "CAP_NET_BIND_SERVICE", "serves on a port that the kernel keeps for the privileged",
               "taking any such port"},
    Capability{24, "CAP_SYS_RESOURCE", "raises the limit of locked memory, to which old kernels charge maps",
               "exceeding quotas and limits"},
    Capability{1, "CAP_DAC_OVERRIDE", "writes probe definitions into tracefs", "writing every file"},
};

std::string lower(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(), to_lower);
    return result;
}

}  // namespace

std::span<const Capability> capabilities() { return kCapabilities; }

CapabilitySet CapabilitySet::effective() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with("CapEff:"))
            return CapabilitySet(parse_int<std::uint64_t>(trim(std::string_view(line).substr(7)), 16).value_or(0));
    return CapabilitySet(0);
}

bool CapabilitySet::has(std::string_view name) const {
    const auto found = std::ranges::find(kCapabilities, name, &Capability::name);
    if (found == kCapabilities.end()) return false;
    const bool is_implied = (name == "CAP_BPF" || name == "CAP_PERFMON") && (bits_ >> kSysAdmin & 1);
    return is_implied || (bits_ >> found->bit & 1);
}

std::string how_to_grant(std::span<const std::string_view> names) {
    std::vector<std::string> for_file;
    std::vector<std::string> for_container;
    for (const std::string_view name : names) {
        for_file.push_back(lower(name));
        for_container.push_back(fmt::format("--cap-add {}", name.substr(4)));
    }
    return fmt::format(
        "in a systemd unit AmbientCapabilities={}; in a container, as root there, {}; on the file setcap {}=ep",
        fmt::join(names, " "), fmt::join(for_container, " "), fmt::join(for_file, ","));
}

}  // namespace waggle::agent
