// SPDX-License-Identifier: Apache-2.0
#include "agent/pace.h"

#include <gtest/gtest.h>

namespace waggle::agent {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kStart = 1'000'000'000;
constexpr std::size_t kRing = 4 << 20;
constexpr std::size_t kMuch = kRing / Pace::kCalmPart;  // in a calm wait

TEST(Pace, WaitsForLongATickAfterItIsCalm) {
    Pace pace(5ms, kRing);
    EXPECT_EQ(pace.wait(), 5ms);
    pace.note(false, 100, kStart);
    EXPECT_TRUE(pace.is_calm());
    EXPECT_EQ(pace.wait(), 5ms);
    pace.note(false, 100, kStart + 1);
    EXPECT_EQ(pace.wait(), 20ms);
}

TEST(Pace, IsNeverCalmForLong) {
    for (const auto& [tick, wait] : {std::pair{50ms, 100ms}, {300ms, 300ms}}) {
        Pace pace(tick, kRing);
        pace.note(false, 0, kStart);
        pace.note(false, 0, kStart + 1);
        EXPECT_EQ(pace.wait(), wait);
    }
}

TEST(Pace, StaysShortForAWhileAfterNews) {
    Pace pace(5ms, kRing);
    pace.note(true, 1, kStart);
    pace.note(false, 0, kStart + Pace::kNewsNs - 1);
    EXPECT_FALSE(pace.is_calm());
    EXPECT_EQ(pace.wait(), 5ms);
    pace.note(false, 0, kStart + Pace::kNewsNs);
    pace.note(false, 0, kStart + Pace::kNewsNs + 1);
    EXPECT_EQ(pace.wait(), 20ms);
}

TEST(Pace, IsShortWhileMuchOfTheRingComes) {
    Pace pace(5ms, kRing);
    pace.note(false, 0, kStart);
    pace.note(false, kMuch / 4, kStart + 1);
    EXPECT_EQ(pace.wait(), 20ms);
    pace.note(false, kMuch, kStart + 2);  // in four times the time
    EXPECT_EQ(pace.wait(), 20ms);
    pace.note(false, kMuch + 1, kStart + 3);
    EXPECT_FALSE(pace.is_calm());
    EXPECT_EQ(pace.wait(), 5ms);
    pace.note(false, kMuch / 4 + 1, kStart + 3 + Pace::kNewsNs);
    EXPECT_FALSE(pace.is_calm());
}

}  // namespace
}  // namespace waggle::agent
