// SPDX-License-Identifier: Apache-2.0
// Agent: starts everything in order, waits for a signal, and ends everything in order. Wiring only.
#pragma once

#include <functional>

#include "agent/record.h"
#include "base/result.h"
#include "config/load.h"

namespace waggle::agent {

struct RunOptions {
    config::Loaded loaded;
    // Reads the configuration again (SIGHUP).
    std::function<Result<config::Loaded>()> reload;
    bool is_console = true;            // draw the summary when standard output is a terminal
    RecordWriter* recorder = nullptr;  // waggle record
};

// Fills in what a configuration without selectors or exporters means: every listener, Prometheus on :9464.
void apply_defaults(config::Config& config);

// Runs until SIGINT or SIGTERM. An error is a run-time failure (exit status 1).
Result<void> run(const RunOptions& options);

}  // namespace waggle::agent
