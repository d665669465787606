// SPDX-License-Identifier: Apache-2.0
#include "config/load.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <set>

#include "config/apply.h"
#include "config/options.h"
#include "config/resolve.h"

namespace waggle::config {
namespace {

// The same problem met twice (a shared endpoint, once per signal) is said once.
void remove_doubles(std::vector<Diagnostic>& diagnostics) {
    std::set<std::string> seen;
    std::erase_if(diagnostics, [&](const Diagnostic& each) { return !seen.insert(each.text()).second; });
}

std::vector<Setting> settings_of(const Draft& draft) {
    std::vector<Setting> settings;
    std::string closed = "\n";  // the prefix of a section that is switched off as a whole
    for (const Option& option : options()) {
        if (option.key.empty() || option.key.starts_with(closed)) continue;
        const std::string key(option.key);
        const auto pending = draft.pending.find(key);
        std::string value = !option.is_pending()             ? option.print(draft)
                            : pending != draft.pending.end() ? pending->second
                                                             : std::string(option.pending_default);
        if (option.is_section && value.empty()) continue;
        if (option.is_section) closed = key + '.';
        settings.push_back({key, std::move(value), draft.origin(key)});
    }
    return settings;
}

Node parse(std::string_view text, std::string_view file_name, Problems& problems) {
    std::expected<Node, YamlError> root = parse_yaml(text);
    if (root) return std::move(*root);
    const YamlError& error = root.error();
    problems.errors.push_back(
        {error.line > 0 ? fmt::format("{}:{}", file_name, error.line) : std::string(file_name), "", error.message});
    return {};
}

bool contains_any(const std::vector<std::string>& features, std::initializer_list<std::string_view> wanted) {
    return std::ranges::any_of(
        wanted, [&](std::string_view feature) { return std::ranges::find(features, feature) != features.end(); });
}

bool has_feature(const std::vector<std::string>& features) {
    return contains_any(features, {"application", "application_span", "application_service_graph"});
}

}  // namespace

Environment process_environment() {
    Environment environment;
    for (char** entry = environ; entry && *entry; ++entry) {
        const std::string_view text = *entry;
        const size_t equals = text.find('=');
        if (equals != std::string_view::npos) environment.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
    return environment;
}

Result<Loaded> load(std::string_view yaml_text, std::string_view file_name, const Environment& environment,
                    const Flags& flags) {
    Problems problems;
    Draft draft;
    set_defaults(draft);
    apply_yaml(parse(yaml_text, file_name, problems), file_name, draft, problems);
    apply_environment(environment, draft, problems);
    apply_flags(flags, draft, problems);
    resolve(draft, flags.is_beyla_file || has_beyla_variable(environment), problems);
    validate(draft, problems);
    remove_doubles(problems.errors);
    remove_doubles(problems.warnings);
    if (!problems.errors.empty()) return fail(join(problems.errors));

    Loaded loaded{.warnings = std::move(problems.warnings), .settings = settings_of(draft)};
    append_legacy_selector(draft.config);
    loaded.config = std::move(draft.config);
    return loaded;
}

Result<Loaded> load_file(std::string_view path, const Environment& environment, const Flags& flags) {
    if (path.empty()) return load("", "", environment, flags);
    std::ifstream file{std::string(path)};
    if (!file) return fail_errno(fmt::format("cannot read the configuration file {}", path));
    std::string text(kMaxYamlBytes + 1, '\0');  // one more, so that a larger file is seen to be
    errno = 0;
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (file.bad()) return fail_errno(fmt::format("cannot read the configuration file {}", path));
    text.resize(static_cast<size_t>(file.gcount()));
    return load(text, path, environment, flags);
}

std::string config_path(std::string_view from_flag, const Environment& environment) {
    for (const std::string_view name : {"WAGGLE_CONFIG_PATH", "BEYLA_CONFIG_PATH"}) {
        const auto found = environment.find(name);
        if (found != environment.end() && !found->second.empty()) return found->second;
    }
    return std::string(from_flag);
}

bool has_selection(const Config& config) { return config.discovery.system_wide || !config.discovery.services.empty(); }

bool has_exporter(const Config& config) {
    return config.traces.is_enabled() || config.trace_printer != TracePrinter::Disabled ||
           (config.metrics.is_enabled() && has_feature(config.metrics.features)) ||
           (config.prometheus.is_enabled() && has_feature(config.prometheus.features));
}

}  // namespace waggle::config
