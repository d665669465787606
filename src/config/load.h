// SPDX-License-Identifier: Apache-2.0
// load(): a Config from defaults < YAML < environment < command-line flags, by Beyla 2.0's names
// and rules and Waggle's own (table: options.h). Called once by main. An error names every problem
// found, one per line with its place; warnings are for the caller to log. Never throws, never reads
// getenv.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "config/config.h"
#include "config/diagnostics.h"

namespace waggle::config {

using Environment = std::map<std::string, std::string, std::less<>>;

// A snapshot of this process's environment: the one place that looks at it.
Environment process_environment();

// Command-line values, as text; parsed by the same table as the file. The comment is the flag's
// name in messages.
struct Flags {
    std::optional<std::string> open_port;                  // --open-port
    std::optional<std::string> executable_name;            // --exe
    std::optional<std::string> service_name;               // --service-name
    std::optional<std::string> system_wide;                // --all ("true")
    std::optional<std::string> print;                      // --print
    std::optional<std::string> prometheus_port;            // --prometheus-port
    std::optional<std::string> otlp_endpoint;              // --otlp: replaces every other OTLP endpoint
    std::optional<std::string> otlp_protocol;              // --otlp-protocol
    std::optional<std::string> log_level;                  // --log-level
    std::optional<std::string> profile;                    // --profile
    std::vector<std::pair<std::string, std::string>> set;  // --set key=value, any scalar or list key
    bool is_beyla_file = false;  // the file came through Beyla's own -config: implies profile beyla
};

// The effective value of one key and where it came from.
struct Setting {
    std::string key;
    std::string value;   // YAML flow text, secrets masked
    std::string origin;  // "default", "waggle.yaml:12", "environment NAME", "flag --open-port"
};

struct Loaded {
    Config config;
    std::vector<Diagnostic> warnings;
    std::vector<Setting> settings;
};

// file_name is only for messages. An empty text is an empty file.
Result<Loaded> load(std::string_view yaml_text, std::string_view file_name, const Environment& environment,
                    const Flags& flags = {});

// Reads the file first; without a path only environment and flags count.
Result<Loaded> load_file(std::string_view path, const Environment& environment, const Flags& flags = {});

// Which file to read: WAGGLE_CONFIG_PATH, else BEYLA_CONFIG_PATH, else the flag's (may be empty).
std::string config_path(std::string_view from_flag, const Environment& environment);

// Does the configuration say what to observe, and where to send it? (The agent has answers of its
// own when it does not.)
bool has_selection(const Config& config);
bool has_exporter(const Config& config);

// The effective configuration as YAML; each line's comment says where the value came from. Secrets
// are masked.
std::string print(const Loaded& loaded);

// The tables of docs/configuration.md, as Markdown.
std::string settings_reference();
std::string selector_reference();

}  // namespace waggle::config
