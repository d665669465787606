// SPDX-License-Identifier: Apache-2.0
// Process: what selection and naming know about one process. Filled by process_reader.h from /proc
// and by the watcher from kernel events.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "proc/procfs.h"

namespace waggle::discover {

// A socket in state LISTEN: a TCP port, or the path of a UNIX socket ('@' begins an abstract name).
struct Listen {
    std::uint16_t port = 0;
    std::string path;
    friend bool operator==(const Listen&, const Listen&) = default;
};

// The program file a process runs.
using ProgramKey = proc::FileId;

struct Process {
    std::uint32_t pid = 0;          // as the agent's pid namespace numbers it
    std::uint32_t kernel_tgid = 0;  // as the first pid namespace does; 0: not known yet
    std::uint32_t ppid = 0;
    std::uint64_t start_ns = 0;  // CLOCK_BOOTTIME; from /proc only exact to a clock tick
    std::string comm;
    std::string exe;  // as the process's own mount namespace calls it
    ProgramKey program;
    std::vector<std::string> argv;
    std::string cwd;
    std::string cgroup;
    std::string container_id;
    std::string container_name;         // as its engine has it; empty: nothing tells
    bool has_chosen_container = false;  // that name is not one that the engine made up
    std::uint32_t own_pid = 0;          // as its own pid namespace numbers it; 0: not known
    std::string pod_uid;
    std::string unit;                  // systemd unit without ".service"
    std::optional<std::uint32_t> uid;  // nothing: it was gone before we looked
    std::uint64_t netns = 0;           // inode of the network namespace
    std::vector<Listen> listens;
    std::string env_service_name;         // OTEL_SERVICE_NAME
    std::string env_resource_attributes;  // OTEL_RESOURCE_ATTRIBUTES
    bool has_dotnet_environment = false;  // a variable DOTNET_… or ASPNETCORE_… that runtimes set
};

// Start times of one process from /proc and from the kernel agree to a clock tick (10 ms).
inline bool is_same_start(std::uint64_t a, std::uint64_t b) {
    constexpr std::uint64_t kTick = 10'000'000;
    return a / kTick == b / kTick;
}

// The last component of a path.
inline std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

}  // namespace waggle::discover
