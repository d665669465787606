// SPDX-License-Identifier: Apache-2.0
// Doctor: what this kernel lets the agent do, tried for real, and what each missing thing costs.
#pragma once

#include <string>

#include "base/result.h"
#include "config/config.h"

namespace waggle::agent {

struct Diagnosis {
    std::string text;
    bool can_capture = false;
    bool is_complete = false;  // every feature that is wanted here is there
};

Diagnosis doctor(const config::Config& config, bool as_json);

struct Explanation {
    std::string text;
    bool is_process = false;  // else the text says what the number is
};

// Is process pid traced, by which sensors, under which name, and why or why not. Fails on a selector
// that does not compile.
Result<Explanation> explain(const config::Config& config, std::uint32_t pid);

}  // namespace waggle::agent
