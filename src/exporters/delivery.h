// SPDX-License-Identifier: Apache-2.0
// Delivery: bounded queue, batching, retries and accounting before one Exporter, with one worker
// thread. The caller never waits: a full queue drops its oldest batch. Every span and data point
// that does not arrive is counted by cause (queue_full, export_failed, rejected, shutdown) in
// waggle.export.dropped{exporter, signal, cause}; those that do in waggle.export.sent{exporter,
// signal}.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

#include "exporters/exporter.h"
#include "metrics/self_metrics.h"
#include "metrics/snapshot.h"
#include "spans/span.h"

namespace waggle::exporters {

struct DeliveryOptions {
    std::uint32_t max_batch = 4096;  // spans per export
    std::uint32_t max_queue = 4096;  // spans waiting, the batch on its way not counted
    std::uint64_t max_bytes = 0;     // … and their memory; 0: as many as max_queue
    std::uint32_t max_snapshots = 16;
    std::chrono::milliseconds batch_timeout{200};
    // Wait between tries: initial, times 1.5 each, at most max; each ±50 % at random (Beyla's
    // rule). A batch is given up when the next try would begin later than max_elapsed after the
    // first.
    std::chrono::milliseconds backoff_initial{5000};
    std::chrono::milliseconds backoff_max{30000};
    std::chrono::milliseconds backoff_max_elapsed{300000};
    std::uint64_t seed = 0;  // of the random part
};

class Delivery {
  public:
    Delivery(std::unique_ptr<Exporter> exporter, DeliveryOptions options, metrics::SelfMetrics& self_metrics);
    ~Delivery();  // shutdown() without waiting
    Delivery(const Delivery&) = delete;
    Delivery& operator=(const Delivery&) = delete;

    using Wanted = std::function<bool(const spans::Span&)>;
    // Copies the spans that are wanted; the caller keeps its batch. Any thread.
    void spans(const spans::SpanBatch& batch, const Wanted& wanted);
    void metrics(metrics::Snapshot snapshot);
    // Sends by this one from the next try on, which comes at once if one is being waited for.
    void replace(std::unique_ptr<Exporter> exporter);

    // Sends what is queued now, without waiting for batch_timeout. False when the deadline came
    // first.
    bool flush(std::chrono::steady_clock::time_point deadline);
    // flush, then end. What is still queued at the deadline is counted as dropped by shutdown.
    void shutdown(std::chrono::steady_clock::time_point deadline);

    struct Totals {
        std::int64_t sent = 0;
        std::int64_t lost = 0;  // by any cause
    };
    Totals span_totals() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace waggle::exporters
