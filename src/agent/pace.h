// SPDX-License-Identifier: Apache-2.0
// Pace: how long a reader waits from one tick to the next. Short while there may be something to learn, since a
// connection's rule is to follow its first bytes soon, and while much comes; else calm: a wake-up costs more than the
// few records that it finds. New connections end a calm wait (bpf/core/ring.h).
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace waggle::agent {

class Pace {
  public:
    static constexpr int kCalmFactor = 4;
    static constexpr std::chrono::milliseconds kMostCalm{100};  // the heartbeat goes with the ticks
    static constexpr std::size_t kCalmPart = 8;                 // of the ring that may come in a calm wait
    static constexpr std::uint64_t kNewsNs = 200'000'000;       // so long it stays short after the last news

    Pace(std::chrono::milliseconds tick, std::size_t ring_bytes) : tick_(tick), ring_bytes_(ring_bytes) {}

    // After a tick that has taken so many bytes of records. News: of a connection, or a rule was written.
    void note(bool is_news, std::size_t bytes, std::uint64_t now_ns) {
        const bool is_much = bytes > ring_bytes_ / kCalmPart / (is_long_ ? 1 : kCalmFactor);
        if (is_news || is_much) until_ns_ = now_ns + kNewsNs;
        is_long_ = std::exchange(is_calm_, now_ns >= until_ns_) && is_calm_;
    }
    // From then on new connections are to wake the reader …
    bool is_calm() const { return is_calm_; }
    // … which waits for longer a tick later, since one may have come just before.
    std::chrono::milliseconds wait() const {
        return is_long_ ? std::max(tick_, std::min(kCalmFactor * tick_, kMostCalm)) : tick_;
    }

  private:
    std::chrono::milliseconds tick_;
    std::size_t ring_bytes_;
    std::uint64_t until_ns_ = 0;
    bool is_calm_ = false;
    bool is_long_ = false;
};

}  // namespace waggle::agent
