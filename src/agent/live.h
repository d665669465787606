// SPDX-License-Identifier: Apache-2.0
// Live: a running agent, asked over its own port (`waggle doctor --live`).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "config/config.h"

namespace waggle::agent {

// Where an agent with this configuration would show its status.
std::vector<std::string> status_urls(const config::Config& config);

struct LiveReport {
    std::string json;  // as the agent gave it
    std::string text;  // for people
    std::uint32_t pid = 0;
    bool is_balanced = false;
};

// Fails when what the agent gave is none of a status page.
Result<LiveReport> read_status(std::string json);
// Fails when no agent answers.
Result<LiveReport> ask_agent(const config::Config& config);

}  // namespace waggle::agent
