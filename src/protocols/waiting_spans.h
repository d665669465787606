// SPDX-License-Identifier: Apache-2.0
// WaitingSpans: spans whose caller on this host may be reported after them. They leave when every ring has been
// drained past them, in one reader's case at the second tick, with the parent that has come meanwhile. Bounded.
#pragma once

#include <algorithm>
#include <deque>
#include <utility>

#include "protocols/traces.h"
#include "spans/span.h"

namespace waggle::protocols {

class WaitingSpans {
  public:
    bool has_room() const { return older_.size() < kMaxBatches; }
    // Where the next one is put.
    spans::SpanBatch& fresh() {
        if (fresh_.size() >= kBatchSpans) close();
        return fresh_;
    }
    // After Traces has heard of the tick.
    void on_tick(Traces& traces, spans::SpanBatch& to) {
        // What has waited long leaves in pieces, as batches are of a size.
        for (int i = 0; i < 2 && !older_.empty() && !older_.front().must_wait(traces); ++i) release(traces, to);
        if (!fresh_.is_empty()) close();
    }
    template <typename Visit>
    void visit(Visit visit) const {
        for (const Older& older : older_)
            for (const spans::Span& span : older.batch) visit(span);
        for (const spans::Span& span : fresh_) visit(span);
    }
    void release_all(Traces& traces, spans::SpanBatch& to) {
        if (!fresh_.is_empty()) close();
        while (!older_.empty()) release(traces, to);
    }

  private:
    static constexpr std::size_t kBatchSpans = 512;
    static constexpr std::size_t kMaxBatches = 16;

    struct Older {
        spans::SpanBatch batch;
        std::uint64_t newest_ns;
        bool must_wait(const Traces& traces) const { return traces.must_wait(newest_ns); }
    };

    void close() {
        std::uint64_t newest_ns = 0;
        for (const spans::Span& span : fresh_) newest_ns = std::max(newest_ns, span.unsure_ns);
        older_.push_back({std::exchange(fresh_, std::exchange(empty_, {})), newest_ns});
    }

    void release(Traces& traces, spans::SpanBatch& to) {
        spans::SpanBatch& from = older_.front().batch;
        for (spans::Span& span : from) settle(traces, span);
        to.take(from);
        empty_ = std::move(from);
        older_.pop_front();
    }

    static void settle(Traces& traces, spans::Span& span) {
        TraceIds ids{.trace_id = span.trace_id,
                     .span_id = span.span_id,
                     .parent = span.parent_span_id,
                     .flags = span.flags,
                     .has_remote_root = span.has_remote_root,
                     .source = span.parent_source,
                     .unsure_ns = span.unsure_ns,
                     .links = {}};
        traces.settle(span.sequence, span.kind == spans::SpanKind::Server, ids);
        span.trace_id = ids.trace_id;
        span.parent_span_id = ids.parent;
        span.flags = ids.flags;
        span.has_remote_root = ids.has_remote_root;
        span.parent_source = ids.source;
    }

    spans::SpanBatch fresh_;
    spans::SpanBatch empty_;  // keeps its memory for the next
    std::deque<Older> older_;
};

}  // namespace waggle::protocols
