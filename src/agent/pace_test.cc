// SPDX-License-Identifier: Apache-2.0
#include "agent/pace.h"

#include <gtest/gtest.h>

namespace waggle::agent {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kStart = 1'000'000'000;

TEST(Pace, IsCalmWhenNothingIsNewAndLittleComes) {
    Pace pace(5ms);
    EXPECT_EQ(pace.wait(), 5ms);
    pace.note(false, 100, kStart);
    EXPECT_TRUE(pace.is_calm());
    EXPECT_EQ(pace.wait(), 20ms);
}

TEST(Pace, IsNeverCalmForLong) {
    for (const auto& [tick, wait] : {std::pair{50ms, 100ms}, {300ms, 300ms}}) {
        Pace pace(tick);
        pace.note(false, 0, kStart);
        EXPECT_EQ(pace.wait(), wait);
    }
}

TEST(Pace, StaysShortForAWhileAfterNews) {
    Pace pace(5ms);
    pace.note(true, 1, kStart);
    EXPECT_EQ(pace.wait(), 5ms);
    pace.note(false, 0, kStart + Pace::kNewsNs - 1);
    EXPECT_EQ(pace.wait(), 5ms);
    pace.note(false, 0, kStart + Pace::kNewsNs);
    EXPECT_EQ(pace.wait(), 20ms);
}

TEST(Pace, IsShortWhileMuchComes) {
    Pace pace(5ms);
    pace.note(false, 0, kStart);
    pace.note(false, Pace::kMuch + 1, kStart + 1);
    EXPECT_FALSE(pace.is_calm());
}

}  // namespace
}  // namespace waggle::agent
