// SPDX-License-Identifier: Apache-2.0
#include "agent/discovery.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/log.h"
#include "discover/process_reader.h"

namespace waggle::agent {
namespace {

constexpr std::chrono::milliseconds kWait{100};
// UNIX listeners and processes whose event was lost are found by looking; it costs about a millisecond.
constexpr std::chrono::seconds kMaxPoll{1};
constexpr std::size_t kMaxPrograms = 4096;  // as many as the kernel side keeps

}  // namespace

Discovery::Discovery(std::unique_ptr<discover::Watcher> watcher, const config::Config& config,
                     sensors::Capture& capture, metrics::SelfMetrics& self)
    : capture_(capture),
      watcher_(std::move(watcher)),
      poll_interval_(std::min<std::chrono::nanoseconds>(config.discovery.poll_interval, kMaxPoll)),
      processes_(self.gauge("waggle.processes.watched")) {}

Result<std::unique_ptr<Discovery>> Discovery::start(const config::Config& config, sensors::Capture& capture,
                                                    metrics::SelfMetrics& self) {
    auto watcher = TRY(discover::Watcher::create(config, proc::ProcFs(), static_cast<std::uint32_t>(::getpid())));
    std::unique_ptr<Discovery> discovery(new Discovery(std::move(watcher), config, capture, self));
    Discovery* raw = discovery.get();
    discovery->select_in_kernel(config);
    if (capture.process_ring_fd() >= 0)
        discovery->ring_ = TRY(sensors::RingReader::open(
            capture.process_ring_fd(), [raw](std::span<const std::byte> record) { raw->on_record(record); }));
    discovery->watcher_->start();
    discovery->learn_kernel_numbers();
    discovery->apply_changes();
    discovery->thread_ = std::jthread([raw](std::stop_token stop) { raw->run(stop); });
    return discovery;
}

Discovery::~Discovery() { stop(); }

void Discovery::stop() {
    if (!thread_.joinable()) return;
    thread_.request_stop();
    thread_.join();
}

// What the kernel can decide without asking: a process that begins to listen where a selector with
// nothing else says so is watched from its first connection on.
void Discovery::select_in_kernel(const config::Config& config) {
    wg_state& state = capture_.state();
    state.select_listeners = 0;
    // Where an entry's children are not watched, none is from its first byte on: which entry a listener is of,
    // the kernel does not know.
    state.listen_flags = WG_TARGET_SELECTED | WG_TARGET_CHILDREN;
    std::memset(state.listen_ports, 0, sizeof(state.listen_ports));
    // Other exclusions are known, and the kernel told, when the process starts its program.
    const auto is_by_port = [](const config::SelectorConfig& exclusion) {
        return !exclusion.open_ports.is_empty() || exclusion.is_any_listener;
    };
    if (std::ranges::any_of(config.discovery.exclude_services, is_by_port) ||
        std::ranges::any_of(config.discovery.default_exclude_services, is_by_port))
        return;
    const auto add_ports = [&](const config::PortSet& ports) {
        for (const auto& [from, to] : ports.ranges)
            for (std::uint32_t port = from; port <= to; ++port) state.listen_ports[port >> 6] |= 1ull << (port & 63);
    };
    for (const config::SelectorConfig& selector : config.discovery.services) {
        const bool has_more = selector.exe_path || selector.exe_glob || selector.cmd_args || selector.cmd_glob ||
                              !selector.pids.empty() || !selector.k8s.empty();
        if (has_more) continue;
        if (!selector.children.value_or(true)) state.listen_flags = WG_TARGET_SELECTED;
        if (selector.is_any_listener) state.select_listeners = 1;
        add_ports(selector.open_ports);
    }
    if (!config.executable_name) add_ports(config.open_port);
}

void Discovery::on_record(std::span<const std::byte> record) {
    wg_process_event event;
    if (record.size() < sizeof(event)) return;
    std::memcpy(&event, record.data(), sizeof(event));
    switch (event.head.type) {
        case WG_EVENT_EXEC:
            return watcher_->on_exec(event);
        case WG_EVENT_FORK:
            return watcher_->on_fork(event);
        case WG_EVENT_EXIT:
            return watcher_->on_exit(event);
        case WG_EVENT_LISTEN:
            return watcher_->on_listen(event);
        default:
            return;
    }
}

// /proc shows the numbers of the agent's own pid namespace; targets are by the kernel's.
void Discovery::learn_kernel_numbers() {
    for (const wg_task_numbers& task : capture_.task_numbers()) watcher_->learn_kernel_tgid(task.pid, task.kernel_tgid);
}

// The next process that starts this program is watched before user space has looked at it.
void Discovery::remember_program(const discover::ProgramKey& program, std::uint32_t flags) {
    const wg_program_key key{.inode = program.inode, .device = discover::kernel_device(program.device), .padding = 0};
    if (programs_.size() >= kMaxPrograms || !programs_.insert(program).second) return;
    capture_.programs().set(key, {.flags = flags, .padding = 0});
}

void Discovery::forget_programs() {
    for (const discover::ProgramKey& program : programs_)
        capture_.programs().remove({.inode = program.inode, .device = discover::kernel_device(program.device), .padding = 0});
    programs_.clear();
}

void Discovery::apply_changes() {
    for (const discover::Change& change : watcher_->take_changes()) {
        if (!change.kernel_tgid) continue;
        if (change.kind == discover::ChangeKind::Added) {
            const std::uint32_t flags =
                WG_TARGET_SELECTED | (change.follows_children ? std::uint32_t{WG_TARGET_CHILDREN} : 0u);
            if (change.is_for_program) remember_program(change.program, flags);
            if (!capture_.targets().set(change.kernel_tgid, {.flags = flags, .padding = 0}))
                log::warn("process {} cannot be watched: the kernel's table of targets is full", change.pid);
        } else if (change.kind == discover::ChangeKind::Excluded) {
            capture_.targets().set(change.kernel_tgid, {.flags = WG_TARGET_EXCLUDED | WG_TARGET_CHILDREN, .padding = 0});
        } else {
            capture_.targets().remove(change.kernel_tgid);
        }
    }
    const std::size_t watched = watcher_->stats().targets;
    watched_.store(watched, std::memory_order_relaxed);
    processes_.set(static_cast<std::int64_t>(watched));
}

void Discovery::run(std::stop_token stop) {
    ::pthread_setname_np(::pthread_self(), "discovery");
    auto next_look = std::chrono::steady_clock::now() + poll_interval_;
    while (!stop.stop_requested()) {
        if (ring_) ring_->wait_and_consume(kWait);
        else std::this_thread::sleep_for(kWait);
        {
            std::lock_guard lock(reload_mutex_);
            if (reloaded_) {
                forget_programs();
                if (const auto done = watcher_->reload(*reloaded_); !done)
                    log::error("reload: {}; the selectors stay as they were", done.error().message);
                else select_in_kernel(*reloaded_);
                reloaded_.reset();
            }
        }
        if (std::chrono::steady_clock::now() >= next_look) {
            watcher_->rescan();
            learn_kernel_numbers();
            next_look = std::chrono::steady_clock::now() + poll_interval_;
        }
        apply_changes();
    }
}

void Discovery::reload(const config::Config& config) {
    std::lock_guard lock(reload_mutex_);
    reloaded_ = std::make_unique<config::Config>(config);
}

}  // namespace waggle::agent
