// SPDX-License-Identifier: Apache-2.0
// Agent: starts everything in order, waits for a signal, and ends everything in order. Wiring only.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "agent/reader.h"
#include "base/result.h"
#include "config/config.h"

namespace waggle::agent {

struct RunOptions {
    config::Config config;
    // Reads the configuration again (SIGHUP).
    std::function<Result<config::Config>()> reload;
    bool is_console = true;   // draw the summary when standard output is a terminal
    RecordTap tap;            // waggle record
};

// Fills in what a configuration without selectors or exporters means: every listener, Prometheus on :9464.
void apply_defaults(config::Config& config);

// Runs until SIGINT or SIGTERM. An error is a run-time failure (exit status 1).
Result<void> run(RunOptions options);

}  // namespace waggle::agent
