// SPDX-License-Identifier: Apache-2.0
#include "config/apply.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "config/options.h"

namespace waggle::config {
namespace {

constexpr size_t kMostGuesses = 100;  // a file of nothing but unknown keys must not cost minutes

// One value onto one row, wherever it came from.
void apply_value(const Option& option, const Node& node, int line, Reader& reader, Draft& draft) {
    if (node.is_null() && !option.null_empties) return;
    const std::string name(name_of(option));
    if (option.is_pending())
        draft.pending[name] = flow(node);
    else
        option.read(node, draft, reader);
    draft.origins[name] = reader.where(line);
}

std::string child(std::string_view section, std::string_view key) {
    return section.empty() ? std::string(key) : fmt::format("{}.{}", section, key);
}

// The known key that was perhaps meant: a neighbour, else the same last word in another section.
std::string meant_by(std::string_view section, std::string_view key) {
    std::set<std::string_view> neighbours;
    std::string elsewhere;
    for (const Option& option : options()) {
        if (option.key.ends_with(fmt::format(".{}", key))) elsewhere = option.key;
        if (!section.empty() && !option.key.starts_with(fmt::format("{}.", section))) continue;
        const std::string_view rest = option.key.substr(section.empty() ? 0 : section.size() + 1);
        neighbours.insert(rest.substr(0, rest.find('.')));
    }
    const std::vector<std::string_view> candidates(neighbours.begin(), neighbours.end());
    const std::string_view near = nearest(key, candidates);
    return near.empty() ? elsewhere : child(section, near);
}

void apply_section(const Node& node, std::string_view section, std::string_view file_name, Draft& draft,
                   Problems& problems) {
    for (const Node::Entry& entry : node.entries) {
        const std::string key = child(section, entry.key);
        Reader reader(file_name, key, false, problems);
        const Option* option = find_option(key);
        const bool is_below = is_section(key);
        if (is_below && entry.value.is_map()) {
            apply_section(entry.value, key, file_name, draft, problems);
        } else if (option) {
            apply_value(*option, entry.value, entry.line, reader, draft);
        } else if (is_below) {
            if (!entry.value.is_null()) reader.error(entry.value, "must be a section of keys");
        } else {
            const bool is_guessing = problems.warnings.size() < kMostGuesses;
            const std::string meant = is_guessing ? meant_by(section, entry.key) : "";
            reader.warn(entry.line, meant.empty() ? "unknown key, ignored"
                                                  : fmt::format("unknown key, ignored; did you mean {}?", meant));
        }
    }
}

// What Kubernetes puts into every container for a service named beyla or waggle.
bool is_service_link(std::string_view name, std::string_view value) {
    return name.ends_with("_SERVICE_HOST") || name.contains("_SERVICE_PORT") || name.contains("_PORT_") ||
           (name.ends_with("_PORT") && (value.starts_with("tcp://") || value.starts_with("udp://")));
}

bool is_other_variable(std::string_view name) {
    return name == "BEYLA_CONFIG_PATH" || name == "WAGGLE_CONFIG_PATH" || name == "WAGGLE_UPDATE_DOCS";
}

void warn_of_unknown_variables(const Environment& environment, Problems& problems) {
    std::vector<std::string> known;
    for (const Option& option : options())
        for (std::string& name : variables(option)) known.push_back(std::move(name));
    const std::vector<std::string_view> candidates(known.begin(), known.end());
    for (const auto& [name, value] : environment) {
        if (!name.starts_with("BEYLA_") && !name.starts_with("WAGGLE_")) continue;
        if (std::ranges::find(known, name) != known.end() || is_other_variable(name)) continue;
        if (is_service_link(name, value)) continue;
        const std::string_view meant = nearest(name, candidates);
        problems.warnings.push_back({"environment " + name, "",
                                     meant.empty()
                                         ? "unknown variable, ignored"
                                         : fmt::format("unknown variable, ignored; did you mean {}?", meant)});
    }
}

struct FlagRow {
    std::optional<std::string> Flags::* value;
    std::string_view name;
    std::string_view key;
};
constexpr FlagRow kFlags[] = {
    {&Flags::open_port, "--open-port", "open_port"},
    {&Flags::executable_name, "--exe", "executable_name"},
    {&Flags::service_name, "--service-name", "service_name"},
    {&Flags::system_wide, "--all", "discovery.system_wide"},
    {&Flags::print, "--print", "trace_printer"},
    {&Flags::prometheus_port, "--prometheus-port", "prometheus_export.port"},
    {&Flags::otlp_endpoint, "--otlp", "otlp.endpoint"},
    {&Flags::otlp_protocol, "--otlp-protocol", "otel_traces_export.protocol"},
    {&Flags::otlp_protocol, "--otlp-protocol", "otel_metrics_export.protocol"},
    {&Flags::log_level, "--log-level", "log_level"},
    {&Flags::profile, "--profile", "profile"},
};

void apply_flag(std::string_view flag, std::string_view key, std::string_view value, Draft& draft, Problems& problems) {
    const std::string source = fmt::format("flag {}", flag);
    const Option* option = find_option(key);
    Reader reader(source, std::string(key), true, problems);
    if (option && !option->is_section) return apply_value(*option, Node::scalar(value), 0, reader, draft);
    const size_t dot = key.rfind('.');
    const std::string meant =
        dot == std::string_view::npos ? meant_by("", key) : meant_by(key.substr(0, dot), key.substr(dot + 1));
    reader.error({}, meant.empty() ? "unknown key" : fmt::format("unknown key; did you mean {}?", meant));
}

}  // namespace

void apply_yaml(const Node& root, std::string_view file_name, Draft& draft, Problems& problems) {
    if (root.is_null()) return;
    if (root.is_map()) return apply_section(root, "", file_name, draft, problems);
    Reader(file_name, "", false, problems).error(root, "must be a map of keys, for example open_port: 8080");
}

void apply_environment(const Environment& environment, Draft& draft, Problems& problems) {
    for (const Option& option : options()) {
        for (const std::string& name : variables(option)) {
            const auto found = environment.find(name);
            if (found == environment.end() || found->second.empty()) continue;  // empty is unset, as in Beyla
            if (is_service_link(name, found->second) && name.ends_with("_PORT")) continue;
            const std::string source = "environment " + name;
            Reader reader(source, std::string(option.key), true, problems);
            apply_value(option, Node::scalar(found->second), 0, reader, draft);
            break;
        }
    }
    warn_of_unknown_variables(environment, problems);
}

void apply_flags(const Flags& flags, Draft& draft, Problems& problems) {
    for (const auto& [key, value] : flags.set) apply_flag("--set", key, value, draft, problems);
    for (const FlagRow& row : kFlags) {
        const std::optional<std::string>& value = flags.*row.value;
        if (value) apply_flag(row.name, row.key, *value, draft, problems);
    }
    if (flags.otlp_endpoint) {  // the flag's endpoint replaces the signals' own
        for (OtlpDraft* signal : {&draft.traces, &draft.metrics}) {
            signal->endpoint.clear();
            signal->exporter = "otlp";
        }
    }
}

bool has_beyla_variable(const Environment& environment) {
    return std::ranges::any_of(environment, [](const auto& variable) {
        const auto& [name, value] = variable;
        return name.starts_with("BEYLA_") && !value.empty() && !is_service_link(name, value);
    });
}

}  // namespace waggle::config
