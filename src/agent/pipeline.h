// SPDX-License-Identifier: Apache-2.0
// Pipeline: the one readable list of what happens to spans after the readers: stages in order, then
// metrics, then everybody who wants spans. One thread; scrapes read the registries under its lock.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "agent/ledger.h"
#include "agent/reader.h"
#include "agent/summary.h"
#include "agent/unjudged.h"
#include "config/config.h"
#include "decorate/own_telemetry.h"
#include "decorate/service.h"
#include "decorate/stage.h"
#include "discover/target.h"
#include "exporters/all.h"
#include "metrics/deltas.h"
#include "metrics/registry.h"
#include "metrics/self_metrics.h"

namespace waggle::agent {

using TableSource = std::function<std::shared_ptr<const discover::TargetTable>()>;

class Pipeline {
  public:
    using Stages = std::vector<std::unique_ptr<decorate::Stage>>;
    // What is done to spans, in order, once decorate::Service has said whose they are.
    static Result<Stages> make_stages(const config::Config& config);

    // Fails on configuration that only shows here: certificates, filters.
    static Result<std::unique_ptr<Pipeline>> create(const config::Config& config, BatchFlow& flow,
                                                    metrics::SelfMetrics& self, Ledger& ledger, TableSource table,
                                                    LookedUntil looked_until);
    ~Pipeline();
    Pipeline(const Pipeline&) = delete;
    Pipeline& operator=(const Pipeline&) = delete;

    void start();
    // Takes in what the channel still holds, then flushes the exporters until the deadline.
    void stop(std::chrono::steady_clock::time_point deadline);
    // New routes, filters and certificates (SIGHUP); all of them or none.
    Result<void> reload(const config::Config& config);

    // A scrape, from the server's thread.
    metrics::Snapshot prometheus_snapshot();
    // The agent's own metrics alone.
    metrics::Snapshot self_snapshot();
    // Brings the self metrics up to date, for who reads them elsewhere.
    void refresh_self();
    std::vector<Summary::Row> summary(double seconds);
    // One trace in ten is exported, whatever the sampler would let through.
    void set_thinning(bool is_thinning) { is_thinning_.store(is_thinning, std::memory_order_relaxed); }
    // While memory is short no series is added.
    void hold_series(bool is_held);
    // How many requests servers have open now; what is not named any more has none.
    void set_open(const OpenByProcess& open);
    std::uint64_t spans() const { return spans_.load(std::memory_order_relaxed); }
    // Called for every snapshot: puts what other threads know into the self metrics, and adds metrics of its own. When
    // this returns, the function before it runs nowhere.
    using Refresh = std::function<void(metrics::Snapshot&)>;
    void on_snapshot(Refresh refresh);

  private:
    Pipeline(const config::Config& config, BatchFlow& flow, metrics::SelfMetrics& self, Ledger& ledger,
             TableSource table, LookedUntil looked_until);
    void run();
    void finish(BatchPtr batch);
    void take(spans::SpanBatch& batch);
    bool prints() const;
    void print(const spans::SpanBatch& batch);
    void export_traces(const spans::SpanBatch& batch);
    void push_metrics();
    void append_self(metrics::Snapshot& snapshot);

    config::Config config_;
    BatchFlow& flow_;
    metrics::SelfMetrics& self_;
    Ledger& ledger_;
    TableSource table_;
    decorate::Service service_;
    decorate::OwnTelemetry own_telemetry_;  // knows what it has seen: reloads leave it
    metrics::SelfValue& unowned_;           // spans of processes that nobody wants
    Unjudged unjudged_;
    std::int64_t started_unix_ns_;  // steady, whatever happens to the wall clock
    spans::ResourcePtr agent_resource_;
    std::map<std::pair<spans::ResourcePtr, OpenKind>, std::uint64_t> open_;
    std::mutex mutex_;  // open_, stages, registries, summary: between this thread, scrapes and reload
    Stages stages_;     // after service_
    std::unique_ptr<metrics::Registry> prometheus_;
    std::unique_ptr<metrics::Registry> otlp_;
    std::optional<metrics::Deltas> deltas_;  // of the agent's own metrics, where OTLP wants deltas
    Summary summary_;
    std::unique_ptr<exporters::Delivery> trace_delivery_;
    std::unique_ptr<exporters::Delivery> metric_delivery_;
    exporters::Delivery::Wanted wanted_;
    std::chrono::steady_clock::time_point next_push_;
    std::mutex refresh_mutex_;
    Refresh refresh_;
    std::atomic<bool> is_thinning_{false};
    metrics::SelfValue& filtered_;
    std::atomic<std::uint64_t> spans_{0};
    std::string printed_;
    std::thread thread_;
};

}  // namespace waggle::agent
