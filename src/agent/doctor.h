// SPDX-License-Identifier: Apache-2.0
// Doctor: what this kernel lets the agent do, tried for real, and what each missing thing costs.
#pragma once

#include <string>

#include "config/config.h"

namespace waggle::agent {

struct Diagnosis {
    std::string text;
    bool can_capture = false;
};

Diagnosis doctor(const config::Config& config, bool as_json);

// Is process pid traced, by which sensors, under which name, and why or why not.
std::string explain(const config::Config& config, std::uint32_t pid);

}  // namespace waggle::agent
