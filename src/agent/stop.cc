// SPDX-License-Identifier: Apache-2.0
#include "agent/stop.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "agent/live.h"
#include "base/fd.h"
#include "base/strings.h"

namespace waggle::agent {
namespace {

// As Pipeline and Reader name their threads.
constexpr std::string_view kThreads[] = {"pipeline", "reader"};

std::string first_line(const std::filesystem::path& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

Stopped failed(std::string text) { return {.outcome = StopOutcome::Failed, .text = std::move(text)}; }

Stopped end(std::uint32_t pid, std::chrono::milliseconds patience, const proc::ProcFs& procfs,
            const std::string& program) {
    // By a descriptor: the number may be another process's meanwhile.
    const Fd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (!process.is_open() || !is_agent(procfs, pid, program))
        return failed(fmt::format("process {} is no agent any more", pid));
    if (::syscall(SYS_pidfd_send_signal, process.get(), SIGTERM, nullptr, 0) != 0) {
        if (errno != EPERM) return failed(fmt::format("process {}: {}", pid, std::strerror(errno)));
        const auto status = procfs.status(pid);
        return failed(fmt::format("the agent (pid {}) belongs to user {}: only that user or root may stop it", pid,
                                  status ? status->uid : 0));
    }
    // One that is stopped would not read its signals.
    ::syscall(SYS_pidfd_send_signal, process.get(), SIGCONT, nullptr, 0);
    pollfd poll_fd{.fd = process.get(), .events = POLLIN, .revents = 0};
    int ready = 0;
    do ready = ::poll(&poll_fd, 1, static_cast<int>(patience.count()));
    while (ready < 0 && errno == EINTR);
    if (ready <= 0)
        return failed(fmt::format(
            "the agent (pid {}) captures nothing any more, but has not ended within {} s: it may wait for a back end",
            pid, std::chrono::duration_cast<std::chrono::seconds>(patience).count()));
    return {.outcome = StopOutcome::Stopped, .text = fmt::format("stopped (pid {})", pid)};
}

}  // namespace

bool is_agent(const proc::ProcFs& procfs, std::uint32_t pid, const std::string& program) {
    if (first_line(procfs.path(pid, "comm")) != program) return false;
    std::vector<std::string> names;
    std::error_code error;
    for (const auto& task : std::filesystem::directory_iterator(procfs.path(pid, "task"), error))
        names.push_back(first_line(task.path() / "comm"));
    return std::ranges::all_of(kThreads, [&](std::string_view name) { return std::ranges::count(names, name) > 0; });
}

std::vector<std::uint32_t> running_agents(const proc::ProcFs& procfs, const std::string& program) {
    std::vector<std::uint32_t> found;
    for (const std::uint32_t pid : procfs.pids())
        if (is_agent(procfs, pid, program)) found.push_back(pid);
    return found;
}

Stopped stop_agent(const config::Config& config, std::uint32_t pid, std::chrono::milliseconds patience) {
    const proc::ProcFs procfs;
    const std::string program = first_line(procfs.path(procfs.own_pid(), "comm"));
    if (pid) {
        if (!is_agent(procfs, pid, program)) return failed(fmt::format("process {} is no running agent", pid));
        return end(pid, patience, procfs, program);
    }
    if (const auto answer = ask_agent(config)) {
        // One in another pid namespace tells another number.
        if (is_agent(procfs, answer->pid, program)) return end(answer->pid, patience, procfs, program);
    }
    const std::vector<std::uint32_t> agents = running_agents(procfs, program);
    if (agents.empty()) return {.outcome = StopOutcome::NoAgent, .text = "no agent runs here"};
    if (agents.size() > 1)
        return failed(fmt::format("several agents run here: {}; which one? (--pid)", fmt::join(agents, ", ")));
    return end(agents.front(), patience, procfs, program);
}

}  // namespace waggle::agent
