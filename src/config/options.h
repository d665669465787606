// SPDX-License-Identifier: Apache-2.0
// Options: the one table of all settings. It drives the YAML file, the environment, flags, printing
// and docs/configuration.md. To add a setting: a member in config.h and a row in one of the
// options_*.cc.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/codecs.h"
#include "config/draft.h"
#include "config/fields.h"

namespace waggle::config {

using Option = Field<Draft>;

template <auto Get, typename C = void>
constexpr Option option(std::string_view key, std::string_view environment, std::string_view help) {
    return make_field<Draft, Get, C>(key, environment, help);
}

// All rows, in the order of the documentation; a section's rows stand together.
std::span<const Option> options();

const Option* find_option(std::string_view key);
bool is_section(std::string_view key);  // is there a key below it?

// The row's variables, best first: WAGGLE_X before each BEYLA_X.
std::vector<std::string> variables(const Option& option);

// What the row is called in Origins: its key, else its first variable.
std::string_view name_of(const Option& option);

// The parts of the table, one per file.
std::span<const Option> agent_options();
std::span<const Option> span_options();
std::span<const Option> otlp_options();
std::span<const Option> export_options();
std::span<const Option> network_options();

// "Would this value turn something on?", for rows of features that Waggle does not have yet.
bool is_on(std::string_view value);  // a true boolean
bool is_not_zero(std::string_view value);
bool is_something(std::string_view value);  // neither empty nor null

// A row for a key of Beyla whose feature Waggle does not have yet.
constexpr Option pending(std::string_view key, std::string_view environment, std::string_view type,
                         std::string_view default_value, std::string_view help,
                         bool (*turns_on)(std::string_view) = nullptr) {
    return {.key = key,
            .environment = environment,
            .type = type,
            .help = help,
            .pending_default = default_value,
            .turns_on = turns_on};
}

}  // namespace waggle::config
