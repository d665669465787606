// SPDX-License-Identifier: Apache-2.0
#include "sensors/kprobe.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <thread>

#include "base/clock.h"
#include "base/log.h"
#include "base/strings.h"

namespace waggle::sensors {
namespace {

constexpr std::string_view kGroup = "waggle_";
// Calls that may wait in a function at the same time, blocked reads among them.
constexpr int kReturns = 4096;
// How long a definition that the kernel still holds is tried again.
constexpr auto kPatience = std::chrono::milliseconds(500);

std::string find_tracefs() {
    for (const char* path : {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"})
        // access(2) asks for the real user, whose capabilities do not count.
        if (::faccessat(AT_FDCWD, (std::string(path) + "/kprobe_events").c_str(), W_OK, AT_EACCESS) == 0) return path;
    return {};
}

bool write_line(const std::string& path, const std::string& line) {
    const Fd file(::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
    return file.get() >= 0 && ::write(file.get(), line.data(), line.size()) == static_cast<ssize_t>(line.size());
}

// Definitions of agents that were killed. Those of a living one are in use and stay.
void remove_leftovers(const std::string& tracefs) {
    const std::string path = tracefs + "/kprobe_events";
    std::vector<std::string> names;
    std::ifstream file(path);
    // "p:waggle_1a2b/inet_sendmsg inet_sendmsg"
    for (std::string line; std::getline(file, line);) {
        const std::size_t colon = line.find(':');
        if (colon == std::string::npos || !std::string_view(line).substr(colon + 1).starts_with(kGroup)) continue;
        names.push_back(line.substr(colon + 1, line.find(' ') - colon - 1));
    }
    for (const std::string& name : names) write_line(path, "-:" + name);
}

}  // namespace

KernelProbes::KernelProbes()
    : tracefs_(find_tracefs()), group_(fmt::format("{}{:x}_{:x}", kGroup, ::getpid(), monotonic_now())) {
    if (!tracefs_.empty()) remove_leftovers(tracefs_);
}

KernelProbes::~KernelProbes() {
    for (Event& event : events_) event.perf = Fd();
    const std::string path = tracefs_ + "/kprobe_events";
    const auto end = std::chrono::steady_clock::now() + kPatience;
    for (const Event& event : events_) {
        const std::string line = "-:" + group_ + "/" + event.name;
        // An event may be held for a moment by whoever reads its folder.
        while (!write_line(path, line)) {
            const int error = errno;
            if (error != EBUSY || std::chrono::steady_clock::now() >= end) {
                log::warn("kprobe_events: '{}': {}: this definition stays, inert, until an agent starts again", line,
                          std::strerror(error));
                break;
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
    }
}

Result<void> KernelProbes::define(const std::string& line) const {
    if (write_line(tracefs_ + "/kprobe_events", line)) return {};
    return fail_errno("kprobe_events: '" + line + "'");
}

Result<void> KernelProbes::add(std::string_view function, bool is_return, int program_fd) {
    if (tracefs_.empty())
        return fail(
            "tracefs: no kprobe_events that can be written (is it mounted? else root or CAP_DAC_OVERRIDE is needed)");
    Event event{.name = fmt::format("{}{}", function, is_return ? "_return" : ""), .perf = {}};
    const std::string kind = is_return ? fmt::format("r{}", kReturns) : "p";
    if (auto done = define(fmt::format("{}:{}/{} {}", kind, group_, event.name, function)); !done) return done;
    // From here on the destructor takes the definition back.
    events_.push_back(std::move(event));
    Event& added = events_.back();
    std::ifstream id_file(fmt::format("{}/events/{}/{}/id", tracefs_, group_, added.name));
    std::string id;
    std::getline(id_file, id);
    const auto number = parse_int<std::uint64_t>(id);
    if (!number) return fail("kprobe " + added.name + ": tracefs gives it no number");
    perf_event_attr attributes{};
    attributes.type = PERF_TYPE_TRACEPOINT;
    attributes.size = sizeof(attributes);
    attributes.config = *number;
    attributes.sample_period = 1;
    attributes.wakeup_events = 1;
    // The program belongs to the event: one processor's is enough to run it on all.
    added.perf = Fd(static_cast<int>(::syscall(SYS_perf_event_open, &attributes, -1, 0, -1, PERF_FLAG_FD_CLOEXEC)));
    // Debian's and Ubuntu's kernels know a third level, which is for CAP_SYS_ADMIN only.
    if (added.perf.get() < 0 && errno == EACCES)
        return fail_errno("kprobe " + added.name +
                          ": kernel.perf_event_paranoid must be 2 or less for an agent that is not root");
    if (added.perf.get() < 0) return fail_errno("kprobe " + added.name);
    if (::ioctl(added.perf.get(), PERF_EVENT_IOC_SET_BPF, program_fd) < 0 ||
        ::ioctl(added.perf.get(), PERF_EVENT_IOC_ENABLE, 0) < 0)
        return fail_errno("kprobe " + added.name + ": program");
    return {};
}

}  // namespace waggle::sensors
