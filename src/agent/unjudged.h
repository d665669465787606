// SPDX-License-Identifier: Apache-2.0
// Unjudged: batches with spans of processes that discovery has not judged yet, and those that came behind them. A new
// process is watched in the kernel before user space has heard of it: its spans wait until discovery has read all that
// it was told before they came, and has looked by itself once since (an event may have been lost). Of a process that it
// has just heard of they wait for the first alone: it may be another program by now. For the pipeline's thread;
// bounded.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>

#include "agent/reader.h"
#include "decorate/service.h"

namespace waggle::agent {

// When discovery last began to read all events, and when to do so and to look by itself, and has finished since;
// monotonic time.
struct Looked {
    std::uint64_t read_ns = 0;
    std::uint64_t looked_ns = 0;
};
using LookedUntil = std::function<Looked()>;

class Unjudged {
  public:
    using Knows = std::function<decorate::Service::Known(const spans::SpanBatch&)>;
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
    bool is_judged(const Waiting& waiting) const;

    Knows knows_;
    LookedUntil looked_until_;
    std::deque<Waiting> batches_;  // oldest first; all behind one that waits, so that order stays
};

}  // namespace waggle::agent
