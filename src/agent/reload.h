// SPDX-License-Identifier: Apache-2.0
// Reload: what a SIGHUP changes at once, and what only a restart does.
#pragma once

#include <string>
#include <vector>

#include "config/load.h"

namespace waggle::agent {

struct ReloadReport {
    std::vector<std::string> reloaded;       // keys, against the configuration in force
    std::vector<std::string> needs_restart;  // keys, against the one at the start
};

ReloadReport compare(const config::Loaded& started, const config::Loaded& current, const config::Loaded& fresh);

}  // namespace waggle::agent
