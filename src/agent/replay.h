// SPDX-License-Identifier: Apache-2.0
// Replay: runs everything above the sensors from a record file, with no kernel and no privileges.
#pragma once

#include <string>

#include "base/result.h"
#include "config/config.h"

namespace waggle::agent {

// Prints the spans of a file, as trace_printer says (text when it says nothing), with the routes
// and filters of the configuration.
Result<void> replay(const std::string& path, const config::Config& config);

}  // namespace waggle::agent
