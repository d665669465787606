// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "base/strings.h"
#include "config/load.h"
#include "config/options.h"
#include "config/resolve.h"
#include "config/selector.h"

namespace waggle::config {
namespace {

// Where the comments begin, unless the value is longer.
constexpr size_t kCommentColumn = 56;

std::string with_comment(std::string line, std::string_view comment) {
    line.resize(std::max(line.size() + 2, kCommentColumn), ' ');
    return fmt::format("{}# {}\n", line, comment);
}

// Text for a Markdown table's cell.
std::string cell(std::string_view text) {
    std::string escaped;
    for (const char c : text) {
        if (c == '|') escaped += '\\';
        escaped += c;
    }
    return escaped;
}

std::string code(std::string_view text) { return text.empty() ? "" : fmt::format("`{}`", cell(text)); }

std::string default_of(const Option& option, const Draft& defaults) {
    if (option.is_section) return "";
    const std::string value = option.is_pending() ? std::string(option.pending_default) : option.print(defaults);
    return value == "null" || value == "\"\"" ? "" : value;
}

std::string variable_list(const Option& option) {
    std::string text;
    for (const std::string_view name : split(option.environment, ' '))
        if (!name.empty()) text += (text.empty() ? "" : ", ") + code(name);
    return text;
}

}  // namespace

std::string print(const Loaded& loaded) {
    std::string text;
    std::vector<std::string_view> open;  // the sections whose headings were printed last
    for (const Setting& setting : loaded.settings) {
        std::vector<std::string_view> parts = split(setting.key, '.');
        const std::string_view key = parts.back();
        parts.pop_back();
        const auto [differs, unused] = std::ranges::mismatch(parts, open);
        for (auto part = differs; part != parts.end(); ++part)
            text += fmt::format("{:{}}{}:\n", "", 2 * (part - parts.begin()), *part);
        text += with_comment(fmt::format("{:{}}{}: {}", "", 2 * parts.size(), key, setting.value), setting.origin);
        open = std::move(parts);
    }
    return text;
}

std::string settings_reference() {
    Draft defaults;
    set_defaults(defaults);
    std::string text = "| Key | Variable | Type | Default | Meaning |\n|---|---|---|---|---|\n";
    for (const Option& option : options())
        text += fmt::format("| {} | {} | {} | {} | {}{} |\n", code(option.key), variable_list(option),
                            cell(option.type), code(default_of(option, defaults)),
                            option.is_pending() ? "*No effect yet:* " : "", cell(option.help));
    return text;
}

std::string selector_reference() {
    std::string text = "| Key | Type | Meaning |\n|---|---|---|\n";
    for (const SelectorKey& key : selector_keys())
        text += fmt::format("| {} | {} | {} |\n", code(key.name), cell(key.type), cell(key.help));
    return text;
}

}  // namespace waggle::config
