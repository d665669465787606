// SPDX-License-Identifier: Apache-2.0
// Ledger: where every request that was seen has gone, by protocol:
//   seen = open + under way + exported + sampled out + filtered + aggregated + unowned + lost between the threads
// Each thread books what it has counted itself; what does not add up is waggle.requests.unaccounted, 0 unless there is
// a mistake in the agent. A reader's part is exact whenever it publishes, the pipeline's after each batch, and what
// lies between the two when nothing is under way.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "metrics/self_metrics.h"
#include "protocols/tracker.h"
#include "spans/span.h"

namespace waggle::agent {

enum class End : std::uint8_t {
    Exported,     // given to the exporter of traces, or printed
    SampledOut,   // left out of the traces: not sampled, ignored, or switched off; metrics have it
    Aggregated,   // no traces are exported: metrics have it
    Filtered,     // by filter.application
    Unowned,      // of a process that is not selected
    ChannelFull,  // dropped between the agent's threads
    kCount,
};

std::string_view name_of(End end);

class Ledger {
  public:
    // By protocol, in the order of protocols::all().
    static constexpr std::size_t kMaxProtocols = 32;
    using Numbers = std::array<std::int64_t, kMaxProtocols>;

    explicit Ledger(metrics::SelfMetrics& self);
    Ledger(const Ledger&) = delete;
    Ledger& operator=(const Ledger&) = delete;

    // Requests among spans; those of connections are none.
    class Count {
      public:
        explicit Count(const spans::SpanBatch& batch) {
            for (const spans::Span& span : batch) add(span);
        }
        Count() = default;
        void add(const spans::Span& span);
        const Numbers& numbers() const { return numbers_; }

      private:
        Numbers numbers_{};
        std::string_view last_;  // most spans are of the protocol of the one before
        std::size_t last_index_ = 0;
    };

    // What one reader has booked so far. Its thread only.
    class Page {
      public:
        explicit Page(Ledger& ledger) : ledger_(ledger) {}
        // Before a batch goes to the pipeline; and when the channel had no room for one.
        void hand_on(const spans::SpanBatch& batch);
        void drop(const spans::SpanBatch& batch);
        // `own`: what has not been handed on.
        void publish(const protocols::Tracker& tracker, const spans::SpanBatch& own);

      private:
        void update(std::array<std::atomic<std::int64_t>, kMaxProtocols>& sums, Numbers& before, const Numbers& now);

        Ledger& ledger_;
        Numbers handed_{};
        Numbers kept_{};  // open, or a span that was not handed on
        Numbers gap_{};
    };

    // The pipeline's thread.
    void take(const Numbers& requests) { add(taken_, requests); }
    void end(End end, const Numbers& requests);
    // Those that are in `before` and not in `after` have ended so.
    void end(End end, const Numbers& before, const Numbers& after);
    void close_batch();
    Numbers handed() const;
    // Nothing was under way since `handed` was read. has_exporter: of traces.
    void rest(const Numbers& handed, bool has_exporter);

    // What is in flight and what is not accounted for, into the self metrics. Any thread.
    void refresh();
    // Once a second: tells in the log when something does not add up.
    void check();

  private:
    using Sums = std::array<std::atomic<std::int64_t>, kMaxProtocols>;
    struct Row {
        std::array<metrics::SelfValue*, static_cast<std::size_t>(End::kCount)> ends{};
        metrics::SelfValue* in_flight = nullptr;
        metrics::SelfValue* unaccounted = nullptr;
        bool is_told = false;
    };

    static void add(Sums& sums, const Numbers& more);
    std::int64_t between(std::size_t protocol) const;
    std::int64_t exports_gap() const;

    metrics::SelfMetrics& self_;
    std::array<Row, kMaxProtocols> rows_{};
    metrics::SelfValue& export_unaccounted_;
    Sums handed_{};
    Sums taken_{};
    Sums kept_{};
    Sums reader_gap_{};
    Sums channel_gap_{};
    Sums pipeline_gap_{};
};

}  // namespace waggle::agent
