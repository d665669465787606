// SPDX-License-Identifier: Apache-2.0
#include "agent/doctor.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>

#include "agent/capabilities.h"
#include "agent/discovery.h"
#include "agent/features.h"
#include "agent/host_facts.h"
#include "agent/status_page.h"
#include "agent/tls_files.h"
#include "discover/watcher.h"
#include "sensors/capture.h"

namespace waggle::agent {
namespace {

constexpr std::chrono::seconds kResolverWait{1};

// Tries them: what would load for an agent started here and now.
std::string explain_sensors(const config::Config& config) {
    std::vector<sensors::SensorReport> reports;
    const auto capture = sensors::Capture::start({.disabled = config.ebpf.disable,
                                                  .pid_namespace = counted_pid_namespace(),
                                                  .copies = config.ebpf.program_copies,
                                                  .has_tls = config.ebpf.tls},
                                                 reports);
    if (!capture) return "no: " + capture.error().message;
    std::vector<std::string> names;
    for (const sensors::SensorReport& report : reports)
        if (report.state != sensors::SensorState::Unavailable)
            names.push_back(fmt::format("{} ({})", report.name, report.chosen));
    return fmt::format("yes, by {}", fmt::join(names, ", "));
}

struct Findings {
    HostFacts host;
    std::span<const sensors::SensorReport> reports;
    std::span<const FeatureState> states;
    std::string failure;  // why nothing can be captured
    bool is_complete;
};

std::string_view state_text(const FeatureState& state) {
    if (!state.is_wanted) return "not wanted";
    if (state.is_lost()) return "missing";
    return state.is_available() ? "available" : "no hook";
}

std::string as_json_text(const Findings& findings) {
    const HostFacts& host = findings.host;
    const CapabilitySet set = CapabilitySet::effective();
    nlohmann::ordered_json out;
    out["version"] = WAGGLE_VERSION;
    out["kernel"] = {
        {"release", host.release}, {"machine", host.machine}, {"btf", host.has_btf}, {"lockdown", host.lockdown}};
    out["cgroup"] = host.cgroups;
    out["user"] = host.user;
    for (const Capability& capability : capabilities())
        out["capabilities"][std::string(capability.name)] = set.has(capability.name);
    out["sensors"] = nlohmann::ordered_json::array();
    for (const sensors::SensorReport& report : findings.reports)
        out["sensors"].push_back({{"name", report.name},
                                  {"state", state_name(report.state)},
                                  {"hook", report.chosen},
                                  {"reasons", report.reasons},
                                  {"cost_of_absence", report.cost_of_absence}});
    for (const FeatureState& state : findings.states)
        out["features"].push_back({{"name", state.feature->name},
                                   {"state", state_text(state)},
                                   {"needs", state.feature->needs},
                                   {"missing", state.missing},
                                   {"cost_of_absence", state.feature->lost}});
    const auto missing = missing_capabilities(findings.states);
    out["missing_capabilities"] = missing;
    if (!missing.empty()) out["how_to_grant"] = how_to_grant(needed_capabilities(findings.states));
    out["can_capture"] = findings.failure.empty();
    out["is_complete"] = findings.is_complete;
    return out.dump(2) + "\n";
}

std::string lockdown_text(const std::string& lockdown) {
    if (lockdown.empty()) return "unknown (securityfs is not mounted)";
    if (lockdown == "confidentiality")
        return "confidentiality: programs may not read kernel memory, so no request is seen";
    return lockdown;
}

std::string sensors_text(std::span<const sensors::SensorReport> reports) {
    std::string text = "\nSensors\n";
    for (const sensors::SensorReport& report : reports) {
        text += fmt::format("  {:<12} {:<12} {}\n", report.name, state_name(report.state),
                            report.chosen.empty() ? "-" : "by " + report.chosen);
        for (const std::string& reason : report.reasons) text += fmt::format("    {}\n", reason);
        if (report.state == sensors::SensorState::Unavailable)
            text += fmt::format("    without it {}\n", report.cost_of_absence);
    }
    return text;
}

std::string as_text(const Findings& findings) {
    const HostFacts& host = findings.host;
    const CapabilitySet set = CapabilitySet::effective();
    std::string text = fmt::format("waggle {} on Linux {} ({})\n\n", WAGGLE_VERSION, host.release, host.machine);
    text += fmt::format("  BTF        {}\n", host.has_btf ? "yes" : "no: programs cannot be relocated to this kernel");
    text += fmt::format("  lockdown   {}\n", lockdown_text(host.lockdown));
    text += fmt::format("  cgroups    {}\n", host.cgroups);
    text += fmt::format("  user       {}\n\nCapabilities\n", host.user);
    for (const Capability& capability : capabilities())
        text += fmt::format("  {:<20} {:<4} {}\n", capability.name, set.has(capability.name) ? "yes" : "no",
                            capability.use);
    text += sensors_text(findings.reports);
    text += "\nFeatures\n";
    for (const FeatureState& state : findings.states) {
        text += fmt::format("  {:<10} {}\n", state_text(state), state.feature->name);
        text += fmt::format("    needs {}\n", fmt::join(state.feature->needs, ", "));
        if (!state.is_wanted || state.is_available()) continue;
        if (!state.missing.empty()) text += fmt::format("    missing: {}\n", fmt::join(state.missing, ", "));
        if (state.is_sensor_missing) text += fmt::format("    the sensor {} is not available\n", state.feature->sensor);
        if (state.is_hook_missing) text += fmt::format("    only by tp_btf or fentry: {}\n", state.feature->condition);
        text += fmt::format("    without it {}\n", state.feature->lost);
    }
    if (!missing_capabilities(findings.states).empty())
        text +=
            fmt::format("\nTo grant all that is needed here: {}\n", how_to_grant(needed_capabilities(findings.states)));
    if (!findings.failure.empty()) text += "\n" + findings.failure + "\n";
    return text;
}

}  // namespace

Diagnosis doctor(const config::Config& config, bool as_json) {
    std::vector<sensors::SensorReport> reports;
    const auto capture = sensors::Capture::start({.disabled = config.ebpf.disable,
                                                  .pid_namespace = counted_pid_namespace(),
                                                  .copies = config.ebpf.program_copies,
                                                  .has_tls = config.ebpf.tls},
                                                 reports);
    const std::vector<FeatureState> states = judge(surroundings(config, reports), CapabilitySet::effective());
    const bool is_complete = capture.has_value() && std::ranges::none_of(states, &FeatureState::is_lost);
    const Findings findings{.host = read_host_facts(),
                            .reports = reports,
                            .states = states,
                            .failure = capture ? std::string() : capture.error().message,
                            .is_complete = is_complete};
    return {.text = as_json ? as_json_text(findings) : as_text(findings),
            .can_capture = capture.has_value(),
            .is_complete = is_complete};
}

Result<Explanation> explain(const config::Config& config, std::uint32_t pid) {
    const proc::ProcFs procfs;
    const std::unique_ptr<proc::FullHostName> host_name = ask_host_name(config);
    auto watcher = TRY(discover::Watcher::create(
        config, procfs, procfs.own_pid(),
        host_name ? host_name->wait(std::chrono::steady_clock::now() + kResolverWait) : std::string()));
    watcher->start();
    std::string text;
    for (const std::string& line : watcher->explain(pid)) text += line + "\n";
    if (!watcher->knows(pid)) return Explanation{.text = std::move(text), .is_process = false};
    const auto targets = watcher->targets();
    const bool is_selected =
        std::ranges::any_of(targets, [&](const discover::Target& target) { return target.pid == pid; });
    text += "traced: " + (is_selected ? explain_sensors(config) : "no") + "\n";
    if (is_selected && !config.ebpf.tls)
        text += "TLS: switched off (ebpf.tls)\n";
    else if (is_selected)
        for (const std::string& line : explain_tls(pid, looks_at_code(config))) text += line + "\n";
    return Explanation{.text = std::move(text), .is_process = true};
}

}  // namespace waggle::agent
