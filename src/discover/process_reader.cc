// SPDX-License-Identifier: Apache-2.0
#include "discover/process_reader.h"

#include <sys/sysmacros.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/strings.h"
#include "proc/cgroup.h"

namespace waggle::discover {
namespace {

constexpr std::string_view kServiceName = "OTEL_SERVICE_NAME";
constexpr std::string_view kResourceAttributes = "OTEL_RESOURCE_ATTRIBUTES";
// Set in Microsoft's images, and by whoever configures such a program.
constexpr std::array<std::string_view, 6> kDotnet{"DOTNET_RUNNING_IN_CONTAINER", "DOTNET_VERSION",
                                                  "DOTNET_ENVIRONMENT",          "ASPNETCORE_URLS",
                                                  "ASPNETCORE_ENVIRONMENT",      "ASPNETCORE_HTTP_PORTS"};

std::string_view text_of(const char* bytes, size_t size) { return {bytes, ::strnlen(bytes, size)}; }

}  // namespace

std::optional<Process> read_process(const proc::ProcFs& procfs, std::uint32_t pid, const proc::Stat& stat) {
    Process process{
        .pid = pid, .ppid = stat.ppid, .start_ns = stat.start_ns, .comm = stat.comm, .exe = procfs.exe(pid)};
    if (process.exe == "/") return std::nullopt;
    if (const auto file = procfs.exe_file(pid)) process.program = *file;
    process.argv = procfs.arguments(pid);
    if (process.exe.empty() && process.argv.empty()) return std::nullopt;
    process.netns = procfs.network_namespace(pid);
    return process;
}

void complete_process(const proc::ProcFs& procfs, proc::ContainerNames& containers, Process& process) {
    if (const auto status = procfs.status(process.pid)) {
        process.uid = status->uid;
        if (!status->ns_pids.empty()) process.own_pid = status->ns_pids.back();
    }
    process.cwd = procfs.cwd(process.pid);
    proc::CgroupIdentity identity = proc::parse_cgroups(procfs.cgroups(process.pid));
    process.cgroup = std::move(identity.path);
    process.container_id = std::move(identity.container_id);
    if (!process.container_id.empty()) {
        const proc::ContainerName& name = containers.of(process.container_id);
        process.container_name = name.text;
        process.has_chosen_container = name.is_chosen;
    }
    process.pod_uid = std::move(identity.pod_uid);
    process.unit = std::move(identity.unit);
    std::array<std::string_view, 2 + kDotnet.size()> wanted{kServiceName, kResourceAttributes};
    std::ranges::copy(kDotnet, wanted.begin() + 2);
    auto variables = procfs.environment(process.pid, wanted);
    if (const auto name = variables.extract(std::string(kServiceName))) process.env_service_name = name.mapped();
    if (const auto attributes = variables.extract(std::string(kResourceAttributes)))
        process.env_resource_attributes = attributes.mapped();
    process.has_dotnet_environment = !variables.empty();
}

Process process_of_event(const wg_process_event& event) {
    Process process{.pid = event.pid,
                    .kernel_tgid = event.kernel_tgid,
                    .ppid = event.parent_pid,
                    .start_ns = event.start_ns,
                    .exe = std::string(text_of(event.path, sizeof(event.path))),
                    .netns = event.netns};
    process.program = {.device = ::makedev(event.exe_device >> 20, event.exe_device & 0xFFFFF),
                       .inode = event.exe_inode};
    process.comm = base_name(process.exe).substr(0, 15);
    std::string_view arguments(event.args, std::min<size_t>(event.args_size, sizeof(event.args)));
    while (arguments.ends_with('\0')) arguments.remove_suffix(1);
    if (!arguments.empty())
        for (const std::string_view argument : split(arguments, '\0')) process.argv.emplace_back(argument);
    // A script was called: what runs is the interpreter that its first line names.
    const auto script = std::ranges::find(process.argv, process.exe);
    if (script != process.argv.end() && script != process.argv.begin()) process.exe = process.argv.front();
    return process;
}

std::uint32_t kernel_device(std::uint64_t device) { return (::gnu_dev_major(device) << 20) | ::gnu_dev_minor(device); }

}  // namespace waggle::discover
