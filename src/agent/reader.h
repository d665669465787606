// SPDX-License-Identifier: Apache-2.0
// Reader: the thread of one ring. Drains it every tick, turns events into spans and hands them on in
// batches; writes capture rules back. No lock, no wait on anybody.
#pragma once

#include <atomic>
#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "agent/ledger.h"
#include "agent/pace.h"
#include "agent/record.h"
#include "agent/tail_order.h"
#include "base/channel.h"
#include "metrics/self_metrics.h"
#include "protocols/tracker.h"
#include "sensors/capture.h"
#include "spans/span.h"

namespace waggle::agent {

using BatchPtr = std::unique_ptr<spans::SpanBatch>;

// Batches on their way to the pipeline, and empty ones on their way back.
struct BatchFlow {
    explicit BatchFlow(std::size_t capacity) : full(capacity), empty(8) {}
    Channel<BatchPtr> full;
    Channel<BatchPtr> empty;

    BatchPtr take_empty() {
        if (auto batch = empty.try_pop()) return std::move(*batch);
        return std::make_unique<spans::SpanBatch>();
    }
    void give_back(BatchPtr batch) {
        batch->clear();
        empty.push(std::move(batch));  // beyond its capacity the oldest is freed
    }
};

struct ReaderOptions {
    std::size_t ring = 0;
    std::chrono::milliseconds tick{5};
    std::uint32_t ring_bytes = 4 << 20;
    protocols::TrackerConfig tracker;
    RecordWriter* recorder = nullptr;  // sees all that the tracker sees (waggle record)
    // What the process is called, for traffic of it that nobody can read.
    std::function<std::string(std::uint32_t pid)> service_of;
    // The process speaks TLS, and nothing of it is read.
    std::function<void(std::uint32_t pid)> on_tls;
};

// Requests that servers have open: how many of each kind by process. Keys and values are the attributes'
// of http.server.active_requests and its kin.
using OpenKind = std::vector<std::pair<std::string, std::string>>;
using OpenByProcess = std::map<std::pair<std::uint32_t, OpenKind>, std::uint64_t>;

class Reader {
  public:
    static Result<std::unique_ptr<Reader>> start(ReaderOptions options, sensors::Capture& capture, BatchFlow& flow,
                                                 metrics::SelfMetrics& self, Ledger& ledger);
    ~Reader();  // stops
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;

    // So that several end beside each other.
    void request_stop();
    // Drains what is left, gives out what is open as incomplete, ends the thread.
    void stop();
    // For the console: exchanges that wait for their response.
    std::uint64_t open_exchanges() const { return open_.load(std::memory_order_relaxed); }
    std::uint64_t connections() const { return connections_.load(std::memory_order_relaxed); }
    // From the next tick on: protocols::Tracker::set_shedding.
    void set_shedding(bool is_shedding) { is_shedding_.store(is_shedding, std::memory_order_relaxed); }
    void add_open(OpenByProcess& sums) const;  // as of the last publish

  private:
    Reader(ReaderOptions options, sensors::Capture& capture, BatchFlow& flow, metrics::SelfMetrics& self,
           Ledger& ledger);
    void run(std::stop_token stop);
    void on_record(std::span<const std::byte> record);
    void tick(std::uint64_t now_ns);
    void hand_on();
    void write_rules();
    void publish(std::uint64_t now_ns);
    int take();
    std::uint32_t ring_number() const { return static_cast<std::uint32_t>(options_.ring); }
    void remove_tails(std::uint64_t now_ns);
    void publish_unreadable();

    struct Published;

    ReaderOptions options_;
    sensors::Capture& capture_;
    BatchFlow& flow_;
    metrics::SelfMetrics& self_;
    Ledger::Page page_;
    protocols::Tracker tracker_;
    Pace pace_;
    bool has_news_ = false;  // since the last tick
    std::size_t bytes_ = 0;  // of records, since then
    std::unique_ptr<sensors::RingReader> ring_;
    BatchPtr batch_;
    TailOrder tail_order_;
    std::vector<wg_tail_key> tail_keys_;
    std::vector<wg_tail> tails_;
    std::size_t tail_count_ = 0;                                               // as they were read last
    std::deque<std::pair<protocols::DoneTail, std::uint64_t>> resting_tails_;  // until when
    std::set<std::pair<std::uint64_t, std::uint32_t>> resting_keys_;
    std::vector<std::uint64_t> rule_keys_;
    std::uint64_t rules_failed_ = 0;
    std::vector<wg_connection_rules> rules_;
    std::unique_ptr<Published> published_;
    std::uint64_t last_publish_ns_ = 0;
    std::uint64_t last_hand_on_ns_ = 0;
    std::atomic<std::uint64_t> open_{0};
    std::atomic<std::uint64_t> connections_{0};
    std::atomic<bool> is_shedding_{false};
    mutable std::mutex published_mutex_;  // of what other threads read, as of the last publish
    OpenByProcess open_by_process_;
    std::jthread thread_;
};

}  // namespace waggle::agent
