// SPDX-License-Identifier: Apache-2.0
// Stop: finds the agent that runs on this host and ends it (`waggle stop`). At the signal the agent throws its kill
// switch, so that nothing is copied from then on, and ends in order.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "config/config.h"
#include "proc/procfs.h"

namespace waggle::agent {

enum class StopOutcome : std::uint8_t { Stopped, Failed, NoAgent };

struct Stopped {
    StopOutcome outcome;
    std::string text;
};

// Is that process an agent? By the names of its threads, which everybody may read.
bool is_agent(const proc::ProcFs& procfs, std::uint32_t pid, const std::string& program);
std::vector<std::uint32_t> running_agents(const proc::ProcFs& procfs, const std::string& program);

// pid 0: the one that answers at the port of this configuration, else the only one that runs.
Stopped stop_agent(const config::Config& config, std::uint32_t pid, std::chrono::milliseconds patience);

}  // namespace waggle::agent
