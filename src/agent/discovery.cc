// SPDX-License-Identifier: Apache-2.0
#include "agent/discovery.h"

#include <pthread.h>

#include <algorithm>
#include <cstring>

#include "base/clock.h"
#include "base/log.h"
#include "proc/pid_namespace.h"

namespace waggle::agent {
namespace {

constexpr std::chrono::milliseconds kWait{100};
// UNIX listeners and processes whose event was lost are found by looking; it costs about a millisecond. Processes that
// have just begun are looked at more often.
constexpr std::chrono::seconds kMaxPoll{1};

}  // namespace

std::optional<bool> threads_are_contexts(const discover::TargetTable* table, std::uint32_t pid) {
    const discover::Target* target = table ? table->find(pid) : nullptr;
    if (!target) return {};
    return target->language != "go" && target->language != "erlang";
}

std::uint32_t counted_pid_namespace() {
    const std::uint64_t shown = proc::shown_pid_namespace(proc::ProcFs());
    return shown == proc::kFirstPidNamespace ? 0 : static_cast<std::uint32_t>(shown);
}

std::unique_ptr<proc::FullHostName> ask_host_name(const config::Config& config) {
    if (!config.attributes.hostname.empty() || !config.attributes.instance_id_dns) return nullptr;
    return std::make_unique<proc::FullHostName>(proc::read_kernel().host_name);
}

bool looks_at_code(const config::Config& config) {
    return std::ranges::find(config.ebpf.disable, "tls_fingerprint") == config.ebpf.disable.end();
}

Discovery::Discovery(std::unique_ptr<discover::Watcher> watcher, const config::Config& config,
                     sensors::Capture& capture, metrics::SelfMetrics& self, RecordWriter* recorder)
    : capture_(capture),
      watcher_(std::move(watcher)),
      poll_interval_(std::min<std::chrono::nanoseconds>(config.discovery.poll_interval, kMaxPoll)),
      processes_(self.gauge("waggle.processes.watched")),
      unwatched_(self.counter("waggle.processes.unwatched")),
      recorder_(recorder) {
    if (capture.tls())
        tls_ = std::make_unique<TlsWatch>(*capture.tls(), proc::ProcFs(),
                                          TlsWatch::Options{looks_at_code(config), config.ebpf.tls_own_links}, self);
}

Result<std::unique_ptr<Discovery>> Discovery::start(const config::Config& config, std::string full_host_name,
                                                    sensors::Capture& capture, metrics::SelfMetrics& self,
                                                    RecordWriter* recorder) {
    const proc::ProcFs procfs;
    auto watcher = TRY(discover::Watcher::create(config, procfs, procfs.own_pid(), std::move(full_host_name)));
    std::unique_ptr<Discovery> discovery(new Discovery(std::move(watcher), config, capture, self, recorder));
    Discovery* raw = discovery.get();
    discovery->select_in_kernel(config);
    if (capture.process_ring_fd() >= 0)
        discovery->ring_ =
            TRY(sensors::RingReader::open(capture.process_ring_fd(), sensors::RingReader::Woken::ByRecords,
                                          [raw](std::span<const std::byte> record) { raw->on_record(record); }));
    discovery->watcher_->set_has_events(discovery->ring_ != nullptr);
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

// What the kernel side selects before anybody was asked, so that nothing of a new process is missed: whoever may be
// wanted. The events tell what it did, and the watcher takes back what is not wanted.
void Discovery::select_in_kernel(const config::Config& config) {
    wg_state& state = capture_.state();
    state.select_listeners = 0;
    state.select_execs = config.discovery.system_wide;
    std::memset(state.listen_ports, 0, sizeof(state.listen_ports));
    const auto add_ports = [&](const config::PortSet& ports) {
        for (const auto& [from, to] : ports.ranges)
            for (std::uint32_t port = from; port <= to; ++port) state.listen_ports[port >> 6] |= 1ull << (port & 63);
    };
    for (const config::SelectorConfig& selector : config.discovery.services) {
        if (!selector.k8s.empty()) continue;  // selects nothing
        if (selector.is_any_listener)
            state.select_listeners = 1;
        else if (!selector.open_ports.is_empty())
            add_ports(selector.open_ports);
        else if (selector.pids.empty())  // who has a listed pid is there already
            state.select_execs = 1;
    }
    add_ports(config.open_port);
    if (config.open_port.is_empty() && config.executable_name && !config.executable_name->empty())
        state.select_execs = 1;
}

void Discovery::on_record(std::span<const std::byte> record) {
    wg_process_event event{};
    if (record.size() < WG_PROCESS_SHORT) return;
    std::memcpy(&event, record.data(), std::min(record.size(), sizeof(event)));
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

void Discovery::apply_changes() {
    for (const discover::Change& change : watcher_->take_changes()) {
        if (!change.kernel_tgid) continue;
        if (change.kind == discover::ChangeKind::Added) {
            const std::uint32_t flags =
                WG_TARGET_SELECTED | (change.follows_children ? std::uint32_t{WG_TARGET_CHILDREN} : 0u);
            const bool is_full = !capture_.set_target(change.kernel_tgid, {.flags = flags, .padding = 0});
            unwatched_.add(is_full);
            // Once, of as many as there are.
            if (is_full && !is_table_full_)
                log::warn("process {} cannot be watched: the kernel's table of targets is full", change.pid);
            is_table_full_ = is_full;
        } else if (change.kind == discover::ChangeKind::Excluded) {
            capture_.set_target(change.kernel_tgid, {.flags = WG_TARGET_EXCLUDED | WG_TARGET_CHILDREN, .padding = 0});
        } else {
            capture_.remove_target(change.kernel_tgid);
        }
        if (change.kind != discover::ChangeKind::Added) capture_.publish_targets();
    }
    const std::size_t watched = watcher_->stats().targets;
    watched_.store(watched, std::memory_order_relaxed);
    processes_.set(static_cast<std::int64_t>(watched));
    if (tls_) tls_->update(watcher_->table());
    if (!has_looked_ && (!tls_ || tls_->has_looked())) {
        has_looked_ = true;
        first_look_.release();
    }
    record_table();
}

void Discovery::record_table() {
    if (!recorder_) return;
    auto table = watcher_->table();
    if (!table || table == recorded_) return;
    recorder_->processes(table);
    recorded_ = std::move(table);
}

void Discovery::wait_first_look(std::chrono::milliseconds most) { (void)first_look_.try_acquire_for(most); }

void Discovery::run(std::stop_token stop) {
    ::pthread_setname_np(::pthread_self(), "discovery");
    auto next_look = std::chrono::steady_clock::now() + poll_interval_;
    auto next_young = std::chrono::steady_clock::now() + kWait;
    std::uint64_t last_look_ns = 0;
    while (!stop.stop_requested()) {
        const std::chrono::milliseconds wait = tls_ ? tls_->until_due(kWait) : kWait;
        if (ring_)
            ring_->wait(wait);
        else
            std::this_thread::sleep_for(wait);
        const std::uint64_t began_ns = monotonic_now();
        const int taken = ring_ ? ring_->consume() : 0;
        {
            std::lock_guard lock(reload_mutex_);
            if (reloaded_) {
                if (const auto done = watcher_->reload(*reloaded_); !done)
                    log::error("reload: {}; the selectors stay as they were", done.error().message);
                else
                    select_in_kernel(*reloaded_);
                reloaded_.reset();
            }
        }
        if (const auto now = std::chrono::steady_clock::now(); now >= next_look) {
            watcher_->rescan();
            learn_kernel_numbers();
            next_look = now + poll_interval_;
            next_young = now + kWait;
            last_look_ns = began_ns;
        } else if (now >= next_young) {
            watcher_->look_at_young(clock_ns(CLOCK_BOOTTIME));
            next_young = now + kWait;
        }
        apply_changes();
        // Else more stands in the ring.
        if (taken == sensors::RingReader::kMost) continue;
        read_until_ns_.store(began_ns, std::memory_order_release);
        looked_until_ns_.store(last_look_ns, std::memory_order_release);
        if (recorder_) recorder_->judged(last_look_ns);
    }
}

void Discovery::reload(const config::Config& config) {
    std::lock_guard lock(reload_mutex_);
    reloaded_ = std::make_unique<config::Config>(config);
}

}  // namespace waggle::agent
