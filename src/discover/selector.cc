// SPDX-License-Identifier: Apache-2.0
#include "discover/selector.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <optional>

#include "base/glob.h"

namespace waggle::discover {
namespace {

// What Beyla calls an executable whose link cannot be read.
constexpr std::string_view kUnknownExe = "unknown";

std::string_view exe_of(const Process& process) {
    return process.exe.empty() ? kUnknownExe : std::string_view(process.exe);
}

std::string command_line(const Process& process) { return fmt::format("{}", fmt::join(process.argv, " ")); }

std::string join_reasons(const std::vector<std::string>& parts, std::string_view label) {
    return fmt::format("{} ({})", fmt::join(parts, " and "), label);
}

using Regex = std::unique_ptr<RE2>;

Result<Regex> compile_regex(const std::optional<std::string>& pattern, std::string_view key, std::string_view label) {
    if (!pattern) return Regex();
    RE2::Options options(RE2::Quiet);
    options.set_max_mem(4 << 20);
    auto regex = std::make_unique<RE2>(*pattern, options);
    if (!regex->ok()) return fail(fmt::format("{}.{}: {}: {}", label, key, *pattern, regex->error()));
    return regex;
}

// One condition's outcome: what was asked, and whether it holds.
struct Condition {
    bool holds = false;
    std::string text;
};

Condition check_ports(const config::PortSet& wanted, const Process& process) {
    for (const Listen& listen : process.listens)
        if (listen.port != 0 && wanted.contains(listen.port))
            return {true, fmt::format("listens on port {}", listen.port)};
    return {false, "listens on none of the ports"};
}

Condition check_listener(const Process& process) {
    if (process.listens.empty()) return {false, "has no listening socket"};
    const Listen& first = process.listens.front();
    return {true,
            first.port != 0 ? fmt::format("listens on port {}", first.port) : fmt::format("listens on {}", first.path)};
}

Condition check_text(bool holds, std::string_view what, std::string_view pattern) {
    return {holds, fmt::format("{} {} {}", what, holds ? "matches" : "does not match", pattern)};
}

}  // namespace

struct Selectors::Entry {
    config::SelectorConfig config;
    std::string label;
    Regex exe;
    Regex command;

    static Result<Entry> compile(config::SelectorConfig config, std::string label) {
        Entry entry{.config = std::move(config), .label = std::move(label)};
        entry.exe = TRY(compile_regex(entry.config.exe_path, "exe_path", entry.label));
        entry.command = TRY(compile_regex(entry.config.cmd_args, "cmd_args", entry.label));
        return entry;
    }

    // Every condition of the entry, asked of the process.
    std::vector<Condition> conditions(const Process& process) const {
        std::vector<Condition> all;
        if (!config.k8s.empty()) all.push_back({false, "selects by Kubernetes metadata, which is not known"});
        if (!config.pids.empty()) {
            const bool holds = std::ranges::any_of(config.pids, [&](std::uint32_t pid) {
                return pid == process.pid || (pid != 0 && pid == process.kernel_tgid);
            });
            all.push_back({holds, holds ? fmt::format("pid {} is listed", process.pid)
                                        : fmt::format("pid {} is not listed", process.pid)});
        }
        if (!config.open_ports.is_empty()) all.push_back(check_ports(config.open_ports, process));
        if (config.is_any_listener) all.push_back(check_listener(process));
        if (exe) all.push_back(check_text(RE2::PartialMatch(exe_of(process), *exe), "executable", exe->pattern()));
        if (config.exe_glob)
            all.push_back(check_text(glob_match(*config.exe_glob, exe_of(process)), "executable", *config.exe_glob));
        if (command)
            all.push_back(
                check_text(RE2::PartialMatch(command_line(process), *command), "command line", command->pattern()));
        if (config.cmd_glob)
            all.push_back(
                check_text(glob_match(*config.cmd_glob, command_line(process)), "command line", *config.cmd_glob));
        if (all.empty()) all.push_back({false, "selects nothing"});
        return all;
    }

    // Why it matches, or nothing.
    std::optional<std::string> match(const Process& process) const {
        std::vector<std::string> reasons;
        for (Condition& condition : conditions(process)) {
            if (!condition.holds) return std::nullopt;
            reasons.push_back(std::move(condition.text));
        }
        return join_reasons(reasons, label);
    }
};

Selectors::Selectors() = default;
Selectors::Selectors(Selectors&&) noexcept = default;
Selectors& Selectors::operator=(Selectors&&) noexcept = default;
Selectors::~Selectors() = default;

Result<Selectors> Selectors::compile(const config::Config& config, std::uint32_t own_pid) {
    Selectors selectors;
    selectors.own_pid_ = own_pid;
    const auto add = [](std::vector<Entry>& to, const std::vector<config::SelectorConfig>& from,
                        std::string_view key) -> Result<void> {
        for (size_t i = 0; i < from.size(); ++i)
            to.push_back(TRY(Entry::compile(from[i], fmt::format("{}[{}]", key, i))));
        return {};
    };
    const config::DiscoveryConfig& discovery = config.discovery;
    if (discovery.system_wide) {
        selectors.entries_.push_back(TRY(Entry::compile({.exe_path = "."}, "discovery.system_wide")));
    } else {
        TRY(add(selectors.entries_, discovery.services, "discovery.services"));
        const bool has_exe = config.executable_name && !config.executable_name->empty();
        if (has_exe || !config.open_port.is_empty()) {
            config::SelectorConfig legacy{.name = config.service_name,
                                          .service_namespace = config.service_namespace,
                                          .open_ports = config.open_port};
            if (has_exe) legacy.exe_path = config.executable_name;
            selectors.entries_.push_back(TRY(Entry::compile(std::move(legacy), "executable_name, open_port")));
        }
    }
    TRY(add(selectors.excludes_, discovery.exclude_services, "discovery.exclude_services"));
    TRY(add(selectors.excludes_, discovery.default_exclude_services, "discovery.default_exclude_services"));
    return selectors;
}

Verdict Selectors::excluded(const Process& process) const {
    if (process.pid == own_pid_) return {VerdictKind::Excluded, -1, "the agent itself"};
    for (const Entry& entry : excludes_)
        if (auto reason = entry.match(process)) return {VerdictKind::Excluded, -1, std::move(*reason)};
    return {};
}

Verdict Selectors::match(const Process& process) const {
    if (Verdict verdict = excluded(process); verdict.kind == VerdictKind::Excluded) return verdict;
    for (size_t i = 0; i < entries_.size(); ++i)
        if (auto reason = entries_[i].match(process))
            return {VerdictKind::Selected, static_cast<int>(i), std::move(*reason)};
    return {VerdictKind::NotMatched, -1, entries_.empty() ? "no selector is configured" : "no selector matches"};
}

Verdict Selectors::follow(const Process& process, int entry, std::uint32_t from_pid) const {
    if (Verdict verdict = excluded(process); verdict.kind == VerdictKind::Excluded) return verdict;
    return {VerdictKind::Selected, entry,
            from_pid == process.pid ? fmt::format("was selected before it started this program ({})", label(entry))
                                    : fmt::format("child of process {} ({})", from_pid, label(entry))};
}

bool Selectors::follows_children(int index) const { return entry(index).children.value_or(true); }

const config::SelectorConfig& Selectors::entry(int index) const {
    return entries_.at(static_cast<size_t>(index)).config;
}

std::string Selectors::label(int index) const { return entries_.at(static_cast<size_t>(index)).label; }

size_t Selectors::size() const { return entries_.size(); }

Selectors::Needs Selectors::needs() const {
    Needs needs;
    for (const auto* list : {&entries_, &excludes_})
        for (const Entry& entry : *list) {
            needs.ports |= !entry.config.open_ports.is_empty() || entry.config.is_any_listener;
            needs.unix_sockets |= entry.config.is_any_listener;
        }
    return needs;
}

std::vector<std::string> Selectors::explain(const Process& process) const {
    std::vector<std::string> lines;
    const auto say = [&](const Entry& entry, std::string_view yes, std::string_view no) {
        bool holds = true;
        std::vector<std::string> parts;
        for (Condition& condition : entry.conditions(process)) {
            holds = holds && condition.holds;
            parts.push_back(std::move(condition.text));
        }
        lines.push_back(fmt::format("{}: {}: {}", entry.label, holds ? yes : no, fmt::join(parts, "; ")));
    };
    for (const Entry& entry : entries_) say(entry, "selects", "does not select");
    for (const Entry& entry : excludes_) say(entry, "excludes", "does not exclude");
    return lines;
}

}  // namespace waggle::discover
