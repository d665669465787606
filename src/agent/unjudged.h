// SPDX-License-Identifier: Apache-2.0
// Unjudged: batches with spans of processes that discovery has not judged yet, and those that came behind them. A new
// process is watched in the kernel before user space has heard of it: its spans wait until discovery has read all that
// it was told before they came, and has looked by itself once since (an event may have been lost). For the pipeline's
// thread; bounded.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>

#include "agent/reader.h"

namespace waggle::agent {

// When discovery last began to read all events and to look by itself, and has finished since; monotonic time.
using LookedUntil = std::function<std::uint64_t()>;

class Unjudged {
  public:
    using Knows = std::function<bool(const spans::SpanBatch&)>;
    Unjudged(Knows knows, LookedUntil looked_until)
        : knows_(std::move(knows)), looked_until_(std::move(looked_until)) {}

    void push(BatchPtr batch, std::uint64_t now_ns) { batches_.push_back({std::move(batch), now_ns}); }
    // The oldest, once it waits no longer; null: it does, or there is none.
    BatchPtr pop(std::uint64_t now_ns);
    // The oldest at once.
    BatchPtr take();
    bool is_empty() const { return batches_.empty(); }

  private:
    struct Waiting {
        BatchPtr batch;
        std::uint64_t came_ns;
    };

    Knows knows_;
    LookedUntil looked_until_;
    std::deque<Waiting> batches_;  // oldest first; all behind one that waits, so that order stays
};

}  // namespace waggle::agent
