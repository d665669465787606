// SPDX-License-Identifier: Apache-2.0
#include "agent/doctor.h"

#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "agent/capabilities.h"
#include "agent/discovery.h"
#include "discover/watcher.h"
#include "sensors/capture.h"

namespace waggle::agent {
namespace {

std::string first_line(const char* path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

std::string_view state_text(sensors::SensorState state) {
    switch (state) {
        case sensors::SensorState::Active:
            return "active";
        case sensors::SensorState::Degraded:
            return "degraded";
        case sensors::SensorState::Unavailable:
            return "unavailable";
    }
    return "";
}

}  // namespace

namespace {

// Tries them: what would load for an agent started here and now.
std::string explain_sensors(const config::Config& config) {
    std::vector<sensors::SensorReport> reports;
    const auto capture = sensors::Capture::start({.disabled = config.ebpf.disable, .pid_namespace = counted_pid_namespace()}, reports);
    if (!capture) return "no: " + capture.error().message;
    std::vector<std::string> names;
    for (const sensors::SensorReport& report : reports)
        if (report.state != sensors::SensorState::Unavailable)
            names.push_back(fmt::format("{} ({})", report.name, report.chosen));
    return fmt::format("yes, by {}", fmt::join(names, ", "));
}

}  // namespace

Diagnosis doctor(const config::Config& config, bool as_json) {
    utsname kernel{};
    ::uname(&kernel);
    std::vector<sensors::SensorReport> reports;
    const auto capture = sensors::Capture::start({.disabled = config.ebpf.disable, .pid_namespace = counted_pid_namespace()}, reports);
    const std::uint64_t set = effective_capabilities();
    const std::string lockdown = first_line("/sys/kernel/security/lockdown");
    const bool has_btf = ::access("/sys/kernel/btf/vmlinux", R_OK) == 0;
    const bool has_cgroup2 = ::access("/sys/fs/cgroup/cgroup.controllers", R_OK) == 0;

    Diagnosis result{.text = {}, .can_capture = capture.has_value()};
    if (as_json) {
        nlohmann::ordered_json out;
        out["version"] = WAGGLE_VERSION;
        out["kernel"] = {{"release", kernel.release}, {"machine", kernel.machine}, {"btf", has_btf},
                         {"lockdown", lockdown}};
        out["cgroup"] = has_cgroup2 ? "v2" : "v1 or hybrid";
        for (const Capability& capability : capabilities())
            out["capabilities"][std::string(capability.name)] = has(set, capability);
        for (const sensors::SensorReport& report : reports)
            out["sensors"].push_back({{"name", report.name},
                                      {"state", state_text(report.state)},
                                      {"hook", report.chosen},
                                      {"reasons", report.reasons},
                                      {"cost_of_absence", report.cost_of_absence}});
        out["can_capture"] = result.can_capture;
        result.text = out.dump(2) + "\n";
        return result;
    }
    std::string& text = result.text;
    text += fmt::format("waggle {} on Linux {} ({})\n\n", WAGGLE_VERSION, kernel.release, kernel.machine);
    text += fmt::format("  BTF        {}\n", has_btf ? "yes" : "no: programs cannot be relocated to this kernel");
    text += fmt::format("  lockdown   {}\n", lockdown.empty() ? "unknown (securityfs is not mounted)" : lockdown);
    text += fmt::format("  cgroups    {}\n\nCapabilities\n", has_cgroup2 ? "v2" : "v1 or hybrid");
    for (const Capability& capability : capabilities())
        text += fmt::format("  {:<20} {:<4} {}\n", capability.name, has(set, capability) ? "yes" : "no", capability.use);
    text += "\nSensors\n";
    for (const sensors::SensorReport& report : reports) {
        text += fmt::format("  {:<12} {:<12} {}\n", report.name, state_text(report.state),
                            report.chosen.empty() ? "-" : "by " + report.chosen);
        for (const std::string& reason : report.reasons) text += fmt::format("    {}\n", reason);
        if (report.state == sensors::SensorState::Unavailable)
            text += fmt::format("    without it {}\n", report.cost_of_absence);
    }
    if (!capture) text += "\n" + capture.error().message + "\n";
    return result;
}

Result<Explanation> explain(const config::Config& config, std::uint32_t pid) {
    const proc::ProcFs procfs;
    auto watcher = TRY(discover::Watcher::create(config, procfs, procfs.own_pid()));
    watcher->start();
    std::string text;
    for (const std::string& line : watcher->explain(pid)) text += line + "\n";
    if (!watcher->knows(pid)) return Explanation{.text = std::move(text), .is_process = false};
    const auto targets = watcher->targets();
    const bool is_selected = std::ranges::any_of(targets, [&](const discover::Target& target) { return target.pid == pid; });
    text += "traced: " + (is_selected ? explain_sensors(config) : "no") + "\n";
    return Explanation{.text = std::move(text), .is_process = true};
}

}  // namespace waggle::agent
