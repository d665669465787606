// SPDX-License-Identifier: Apache-2.0
#include "config/options.h"

#include <algorithm>

#include "base/strings.h"

namespace waggle::config {

std::span<const Option> options() {
    static const std::vector<Option> all = [] {
        std::vector<Option> rows;
        for (const auto part : {agent_options(), span_options(), otlp_options(), export_options(), network_options()})
            rows.insert(rows.end(), part.begin(), part.end());
        return rows;
    }();
    return all;
}

const Option* find_option(std::string_view key) {
    const auto found = std::ranges::find(options(), key, &Option::key);
    return found == options().end() || key.empty() ? nullptr : &*found;
}

bool is_section(std::string_view key) {
    return std::ranges::any_of(options(), [&](const Option& option) {
        return option.key.size() > key.size() && option.key.starts_with(key) && option.key[key.size()] == '.';
    });
}

std::vector<std::string> variables(const Option& option) {
    constexpr std::string_view kBeyla = "BEYLA_";
    std::vector<std::string> own;
    std::vector<std::string> listed;
    for (const std::string_view name : split(option.environment, ' ')) {
        if (name.empty()) continue;
        if (name.starts_with(kBeyla)) own.push_back("WAGGLE_" + std::string(name.substr(kBeyla.size())));
        listed.emplace_back(name);
    }
    own.insert(own.end(), listed.begin(), listed.end());
    return own;
}

std::string_view name_of(const Option& option) {
    return option.key.empty() ? split(option.environment, ' ').front() : option.key;
}

bool is_on(std::string_view value) {
    for (const std::string_view word : {"true", "1", "t", "yes", "on", "y"})
        if (equals_ignoring_case(word, trim(value, "\""))) return true;
    return false;
}

bool is_not_zero(std::string_view value) { return is_something(value) && trim(value, "\"") != "0"; }

bool is_something(std::string_view value) {
    for (const std::string_view nothing : {"", "\"\"", "null", "[]", "{}"})
        if (value == nothing) return false;
    return true;
}

}  // namespace waggle::config
