// SPDX-License-Identifier: Apache-2.0
// HeldRecords: what waits before it is written to a record file. A new process is watched in the kernel before user
// space has heard of it: its bytes wait until discovery has judged it, and all records behind them, so that order
// stays. Of who turns out to be nobody's only lengths and times are kept. One owner at a time; bounded.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <unordered_set>
#include <vector>

#include "spans/span.h"

namespace waggle::agent {

class HeldRecords {
  public:
    // Has discovery selected it?
    using IsSelected = std::function<bool(const spans::ProcessKey&)>;
    using Write = std::function<void(std::uint32_t ring, std::span<const char> record)>;
    HeldRecords(IsSelected is_selected, Write write) : is_selected_(std::move(is_selected)), write_(std::move(write)) {}

    // A whole record, which begins with its wg_event.
    void push(std::uint32_t ring, std::span<const char> record);
    // Somebody was selected; and everybody from before this time (CLOCK_MONOTONIC) is judged.
    void judged(std::uint64_t until_ns);
    // Nobody will be judged any more.
    void finish();

  private:
    struct Record {
        std::uint32_t ring;
        std::vector<char> bytes;
    };
    bool waits(std::span<const char> record) const;
    void write_out(std::uint32_t ring, std::vector<char>& record);
    void hide(std::vector<char>& record);

    IsSelected is_selected_;
    Write write_;
    std::uint64_t judged_until_ns_ = 0;
    std::deque<Record> records_;  // oldest first
    std::size_t bytes_ = 0;
    std::unordered_set<std::uint64_t> nobodys_;  // connections whose bytes were left out
    std::vector<char> scratch_;
};

}  // namespace waggle::agent
