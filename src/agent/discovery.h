// SPDX-License-Identifier: Apache-2.0
// Discovery: the thread that knows which processes are watched. Listens to process events, looks again
// every poll_interval, and writes verdicts to the kernel's target map.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

#include "agent/record.h"
#include "agent/tls_watch.h"
#include "agent/unjudged.h"
#include "config/config.h"
#include "discover/watcher.h"
#include "metrics/self_metrics.h"
#include "proc/host.h"
#include "sensors/capture.h"
#include "sensors/ring.h"

namespace waggle::agent {

// Does a thread of this process work on one request at a time? Goroutines move between threads, and so do
// Erlang's processes: there the thread says nothing. (An event loop's many open requests become links.)
// Empty: nothing is known of it yet.
std::optional<bool> threads_are_contexts(const discover::TargetTable* table, std::uint32_t pid);

// Inode of the pid namespace whose numbers /proc shows, as the kernel side takes it; 0: the host's first.
std::uint32_t counted_pid_namespace();

// Asks the resolver for the host's full name; null where the configuration does not want it.
std::unique_ptr<proc::FullHostName> ask_host_name(const config::Config& config);

// Are TLS libraries without symbols looked for?
bool looks_at_code(const config::Config& config);

class Discovery {
  public:
    // The first scan is done when this returns: every selected process is a target. full_host_name: as
    // discover::Watcher takes it.
    static Result<std::unique_ptr<Discovery>> start(const config::Config& config, std::string full_host_name,
                                                    sensors::Capture& capture, metrics::SelfMetrics& self,
                                                    RecordWriter* recorder = nullptr);
    ~Discovery();  // stops
    Discovery(const Discovery&) = delete;
    Discovery& operator=(const Discovery&) = delete;

    void stop();
    // From one thread: until the TLS libraries of those who are watched from the start are read, but for `most`.
    void wait_first_look(std::chrono::milliseconds most);
    // New selectors, from the next turn of the thread on.
    void reload(const config::Config& config);
    // From any thread: the process speaks TLS that nobody reads.
    void ask_tls(std::uint32_t pid) {
        if (tls_) tls_->ask(pid);
    }
    // From any thread.
    std::shared_ptr<const discover::TargetTable> table() const { return watcher_->table(); }
    // What was there before has its verdict in the table.
    Looked looked_until() const {
        return {.read_ns = read_until_ns_.load(std::memory_order_acquire),
                .looked_ns = looked_until_ns_.load(std::memory_order_acquire)};
    }
    std::size_t watched() const { return watched_.load(std::memory_order_relaxed); }

  private:
    Discovery(std::unique_ptr<discover::Watcher> watcher, const config::Config& config, sensors::Capture& capture,
              metrics::SelfMetrics& self, RecordWriter* recorder);
    void run(std::stop_token stop);
    void on_record(std::span<const std::byte> record);
    void learn_kernel_numbers();
    void apply_changes();
    void select_in_kernel(const config::Config& config);
    void record_table();

    sensors::Capture& capture_;
    std::unique_ptr<discover::Watcher> watcher_;
    std::chrono::nanoseconds poll_interval_;
    std::unique_ptr<sensors::RingReader> ring_;
    std::unique_ptr<TlsWatch> tls_;  // null where TLS libraries are not watched
    bool has_looked_ = false;
    std::binary_semaphore first_look_{0};
    metrics::SelfValue& processes_;
    metrics::SelfValue& unwatched_;
    bool is_table_full_ = false;  // and it was said
    std::atomic<std::size_t> watched_{0};
    std::atomic<std::uint64_t> read_until_ns_{0};
    std::atomic<std::uint64_t> looked_until_ns_{0};
    RecordWriter* recorder_;
    std::shared_ptr<const discover::TargetTable> recorded_;
    std::mutex reload_mutex_;
    std::unique_ptr<config::Config> reloaded_;
    std::jthread thread_;
};

}  // namespace waggle::agent
