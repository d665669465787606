// SPDX-License-Identifier: Apache-2.0
#include "agent/features.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <fstream>

#include "agent/discovery.h"
#include "proc/host.h"

namespace waggle::agent {
namespace {

bool has_privileged_port(const Surroundings& around) {
    const config::Config& config = around.config;
    const auto is_kept = [&](std::uint16_t port) { return port != 0 && port < around.first_free_port; };
    return is_kept(config.prometheus.port) || is_kept(config.health_port) || is_kept(config.internal_metrics.port);
}

// Neither a tracepoint nor fexit: probes are what is used, or would be if tracefs could be written.
bool wants_probes(const Surroundings& around) {
    return std::ranges::any_of(around.sensors, [](const sensors::SensorReport& report) {
        return report.chosen == "kprobe" || (report.chosen.empty() && report.lacks_tracefs);
    });
}

void add_once(std::vector<std::string_view>& names, std::string_view name) {
    if (std::ranges::find(names, name) == names.end()) names.push_back(name);
}

std::string code_list(std::span<const std::string_view> names) {
    std::string text;
    for (const std::string_view name : names) text += fmt::format("{}`{}`", text.empty() ? "" : ", ", name);
    return text;
}

}  // namespace

const std::vector<Feature>& features() {
    static const std::vector<Feature> table = {
        {.name = "requests",
         .needs = {"CAP_BPF", "CAP_PERFMON"},
         .sensor = "sockets",
         .lost = "no request is seen, neither for metrics nor for traces",
         .is_vital = true},
        {.name = "new processes at once",
         .needs = {"CAP_BPF", "CAP_PERFMON"},
         .sensor = "processes",
         .lost = "new processes are found by looking every poll_interval: short-lived ones are missed"},
        {.name = "io_uring",
         .needs = {"CAP_BPF", "CAP_PERFMON"},
         .sensor = "io_uring",
         .lost = "what programs move by io_uring is counted, not read"},
        {.name = "DNS over UDP",
         .needs = {"CAP_BPF", "CAP_PERFMON"},
         .sensor = "sockets",
         .needs_typed_hook = true,
         .lost = "names that are asked for over UDP are not seen; those over TCP are",
         .condition = "kernels before 5.15 have no hook for it"},
        {.name = "every message of long calls",
         .needs = {"CAP_BPF", "CAP_PERFMON"},
         .sensor = "sockets",
         .needs_typed_hook = true,
         .lost = "of a call that moves several messages of a database or queue its first 16 KiB are copied: messages "
                 "behind that "
                 "are lost turns",
         .condition = "kernels before 5.17 have no hook for it"},
        {.name = "encrypted requests",
         .needs = {"CAP_BPF", "CAP_PERFMON"},
         .sensor = "tls",
         .lost = "encrypted traffic is counted, not read",
         .condition = "unless `ebpf.tls` is off; kernels before 6.6 want `CAP_SYS_ADMIN` for it",
         .is_wanted = [](const Surroundings& around) { return around.config.ebpf.tls; }},
        {.name = "other users' encrypted requests",
         .needs = {"CAP_SYS_PTRACE"},
         .lost = "which TLS libraries other users' processes have loaded is not known: their encrypted traffic is "
                 "counted, not read",
         .condition = "unless `ebpf.tls` is off",
         .is_wanted = [](const Surroundings& around) { return around.config.ebpf.tls; }},
        {.name = "older processes, seen from a pid namespace",
         .needs = {"CAP_BPF", "CAP_PERFMON"},
         .sensor = "tasks",
         .lost = "processes older than the agent are not seen from inside its pid namespace",
         .condition = "in a container without the host's pid namespace",
         .is_wanted = [](const Surroundings& around) { return around.has_own_pid_namespace; }},
        {.name = "other users' running services, and their UNIX listeners",
         .needs = {"CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"},
         .lost = "other users' processes that were there before the agent are not found by their port, and "
                 "those that listen on UNIX sockets are not found by these"},
        {.name = "other users' names for their services",
         .needs = {"CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"},
         .lost = "OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES of other users' processes are not known: "
                 "services are called after their programs"},
        {.name = "other users' programs",
         .needs = {"CAP_SYS_PTRACE"},
         .lost = "of other users' processes that were there before the agent the program is not known, so that "
                 "exe_path does not find them; and languages are known only where the program's name tells"},
        {.name = "own ports that are kept for the privileged",
         .needs = {"CAP_NET_BIND_SERVICE"},
         .lost = "what such a port is configured for is not served",
         .condition = "`prometheus_export.port`, `health_port` or `internal_metrics.prometheus.port` below 1024 "
                      "(`net.ipv4.ip_unprivileged_port_start`)",
         .is_wanted = has_privileged_port},
        {.name = "maps beyond the limit of locked memory",
         .needs = {"CAP_SYS_RESOURCE"},
         .lost = "the kernel may refuse maps: then no request is seen, unless LimitMEMLOCK=infinity is set",
         .condition = "kernels before 5.11",
         .is_wanted = [](const Surroundings& around) { return around.kernel < std::pair(5, 11); }},
        {.name = "requests by kernel probes",
         .needs = {"CAP_BPF", "CAP_PERFMON", "CAP_DAC_OVERRIDE"},
         .lost = "no request is seen where the kernel has neither the tracepoints of 6.3 nor fexit",
         .condition = "kernels that have neither, unless the agent is root; `kernel.perf_event_paranoid` must be 2 or "
                      "less there",
         .is_wanted = wants_probes},
    };
    return table;
}

Surroundings surroundings(const config::Config& config, std::span<const sensors::SensorReport> sensors) {
    Surroundings around{.config = config, .sensors = sensors};
    around.kernel = proc::read_kernel().version;
    around.has_own_pid_namespace = counted_pid_namespace() != 0;
    std::ifstream("/proc/sys/net/ipv4/ip_unprivileged_port_start") >> around.first_free_port;
    return around;
}

std::vector<FeatureState> judge(const Surroundings& around, const CapabilitySet& set) {
    std::vector<FeatureState> states;
    for (const Feature& feature : features()) {
        FeatureState& state = states.emplace_back(FeatureState{.feature = &feature});
        state.is_wanted = !feature.is_wanted || feature.is_wanted(around);
        std::ranges::copy_if(feature.needs, std::back_inserter(state.missing),
                             [&](std::string_view name) { return !set.has(name); });
        // Without the sockets' sensor the others are not tried.
        state.is_sensor_missing = std::ranges::any_of(around.sensors, [&](const sensors::SensorReport& report) {
            if (feature.sensor.empty()) return false;
            if (report.state == sensors::SensorState::Unavailable)
                return report.name == feature.sensor || report.name == "sockets";
            state.is_hook_missing |= feature.needs_typed_hook && report.name == feature.sensor &&
                                     report.chosen != "tp_btf" && report.chosen != "fentry";
            return false;
        });
    }
    return states;
}

std::vector<std::string_view> missing_capabilities(std::span<const FeatureState> states) {
    std::vector<std::string_view> names;
    for (const FeatureState& state : states)
        if (state.is_wanted)
            for (const std::string_view name : state.missing) add_once(names, name);
    return names;
}

std::vector<std::string_view> needed_capabilities(std::span<const FeatureState> states) {
    std::vector<std::string_view> names;
    for (const FeatureState& state : states)
        if (state.is_wanted)
            for (const std::string_view name : state.feature->needs) add_once(names, name);
    return names;
}

std::vector<std::string> privilege_messages(std::span<const FeatureState> states) {
    std::vector<std::string> lines;
    // Then the rest does not matter.
    const bool is_hopeless = std::ranges::any_of(
        states, [](const FeatureState& state) { return state.feature->is_vital && !state.missing.empty(); });
    for (const FeatureState& state : states) {
        if (!state.is_wanted || state.missing.empty()) continue;
        if (is_hopeless && !state.feature->is_vital) continue;
        lines.push_back(fmt::format("{}: without {} {}", state.feature->name, fmt::join(state.missing, " and "),
                                    state.feature->lost));
    }
    if (!lines.empty())
        lines.push_back(fmt::format("to grant all that is needed here: {}", how_to_grant(needed_capabilities(states))));
    return lines;
}

std::vector<std::string> hook_messages(std::span<const FeatureState> states) {
    std::vector<std::string> lines;
    for (const FeatureState& state : states)
        if (state.is_wanted && state.is_hook_missing)
            lines.push_back(
                fmt::format("{}: {} ({})", state.feature->name, state.feature->lost, state.feature->condition));
    return lines;
}

std::string privileges_markdown() {
    std::string text = "| Feature | Needs | Without it | When it is wanted |\n|---|---|---|---|\n";
    for (const Feature& feature : features())
        text += fmt::format("| {} | {} | {} | {} |\n", feature.name, code_list(feature.needs), feature.lost,
                            feature.condition.empty() ? "always" : feature.condition);
    text += "\n| Capability | What the agent does with it | What else it would allow |\n|---|---|---|\n";
    for (const Capability& capability : capabilities())
        text += fmt::format("| `{}` | {} | {} |\n", capability.name, capability.use, capability.also);
    return text;
}

}  // namespace waggle::agent
