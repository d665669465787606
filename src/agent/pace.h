// SPDX-License-Identifier: Apache-2.0
// Pace: how long a reader waits from one tick to the next. Short while there may be something to learn, since a
// connection's rule is to follow its first bytes soon, and while much comes; else calm: a wake-up costs more than the
// few records that it finds. New connections end a calm wait (bpf/core/ring.h).
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace waggle::agent {

class Pace {
  public:
    static constexpr int kCalmFactor = 4;
    static constexpr std::chrono::milliseconds kMostCalm{100};  // the heartbeat goes with the ticks
    static constexpr int kMuch = 1024;                          // records of one tick
    static constexpr std::uint64_t kNewsNs = 200'000'000;       // so long it stays short after the last news

    explicit Pace(std::chrono::milliseconds tick) : tick_(tick) {}

    // After a tick that has taken so many records. News: of a connection, or a rule was written.
    void note(bool is_news, int taken, std::uint64_t now_ns) {
        if (is_news || taken > kMuch) until_ns_ = now_ns + kNewsNs;
        is_calm_ = now_ns >= until_ns_;
    }
    bool is_calm() const { return is_calm_; }
    std::chrono::milliseconds wait() const {
        return is_calm_ ? std::max(tick_, std::min(kCalmFactor * tick_, kMostCalm)) : tick_;
    }

  private:
    std::chrono::milliseconds tick_;
    std::uint64_t until_ns_ = 0;
    bool is_calm_ = false;
};

}  // namespace waggle::agent
