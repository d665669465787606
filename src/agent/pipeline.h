// SPDX-License-Identifier: Apache-2.0
// Pipeline: the one readable list of what happens to spans after the readers: stages in order, then
// metrics, then everybody who wants spans. One thread; scrapes read the registries under its lock.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "agent/reader.h"
#include "agent/summary.h"
#include "config/config.h"
#include "decorate/service.h"
#include "decorate/stage.h"
#include "discover/target.h"
#include "exporters/all.h"
#include "metrics/registry.h"
#include "metrics/self_metrics.h"

namespace waggle::agent {

using TableSource = std::function<std::shared_ptr<const discover::TargetTable>()>;

class Pipeline {
  public:
    // Fails on configuration that only shows here: certificates, filters.
    static Result<std::unique_ptr<Pipeline>> create(const config::Config& config, BatchFlow& flow,
                                                    metrics::SelfMetrics& self, TableSource table);
    ~Pipeline();
    Pipeline(const Pipeline&) = delete;
    Pipeline& operator=(const Pipeline&) = delete;

    void start();
    // Takes in what the channel still holds, then flushes the exporters until the deadline.
    void stop(std::chrono::steady_clock::time_point deadline);
    // New routes and filters (SIGHUP).
    Result<void> reload(const config::Config& config);

    // A scrape, from the server's thread.
    metrics::Snapshot prometheus_snapshot();
    std::vector<Summary::Row> summary(double seconds);
    std::uint64_t spans() const { return spans_.load(std::memory_order_relaxed); }
    // Called before every snapshot: puts what other threads know into the self metrics.
    void on_snapshot(std::function<void()> refresh) { refresh_ = std::move(refresh); }

  private:
    using Stages = std::vector<std::unique_ptr<decorate::Stage>>;

    Pipeline(const config::Config& config, BatchFlow& flow, metrics::SelfMetrics& self, TableSource table);
    static Result<Stages> make_stages(const config::Config& config);
    void take_or_hold(BatchPtr batch);
    void take_held(bool is_last);
    void run();
    void take(spans::SpanBatch& batch);
    void print(const spans::SpanBatch& batch);
    void push_metrics();
    void append_self(metrics::Snapshot& snapshot);

    config::Config config_;
    BatchFlow& flow_;
    metrics::SelfMetrics& self_;
    decorate::Service service_;
    metrics::SelfValue& unowned_;  // spans of processes that nobody wants
    std::uint64_t started_ns_;
    spans::ResourcePtr agent_resource_;
    std::mutex mutex_;  // stages, registries, summary: between this thread, scrapes and reload
    Stages stages_;  // after service_
    struct Held {
        BatchPtr batch;
        std::chrono::steady_clock::time_point until;
    };
    std::deque<Held> held_;  // oldest first; all behind one that waits, so that order stays
    std::unique_ptr<metrics::Registry> prometheus_;
    std::unique_ptr<metrics::Registry> otlp_;
    Summary summary_;
    std::unique_ptr<exporters::Delivery> trace_delivery_;
    std::unique_ptr<exporters::Delivery> metric_delivery_;
    exporters::Delivery::Wanted wanted_;
    std::chrono::steady_clock::time_point next_push_;
    std::function<void()> refresh_;
    std::atomic<std::uint64_t> spans_{0};
    std::string printed_;
    std::thread thread_;
};

}  // namespace waggle::agent
