// SPDX-License-Identifier: Apache-2.0
#include "sensors/copies.h"

#include <gtest/gtest.h>

#include <array>

namespace waggle::sensors {
namespace {

using Counters = std::array<std::uint64_t, WG_COUNTERS>;

Counters counted(std::uint64_t calls, std::initializer_list<std::uint64_t> runs) {
    Counters counters{};
    counters[WG_COUNT_CALLS] = calls;
    std::size_t copy = 0;
    for (const std::uint64_t number : runs) counters[WG_COUNT_RUNS + copy++] = number;
    return counters;
}

TEST(Copies, OneCopysMissesAreAllThereIs) {
    EXPECT_EQ(missed_by_all(std::vector<MissedRuns>{{{"send_length", 3}, {"set_state", 2}}}, Counters{}), 5u);
}

// 100 calls: the first copy has missed 20, of which the second has seen all.
TEST(Copies, WhatAnotherHasSeenIsNotMissed) {
    const std::vector<MissedRuns> by_copy = {{{"send_length", 15}, {"receive_length", 5}}, {{"send_length", 0}}};
    EXPECT_EQ(missed_by_all(by_copy, counted(100, {80, 100})), 0u);
}

// 100 calls, of which 4 were seen by none, whichever copy is asked.
TEST(Copies, WhatNoneHasSeenIsCountedOnce) {
    const std::vector<MissedRuns> by_copy = {{{"send_length", 20}}, {{"send_length", 4}, {"receive_length", 7}}};
    EXPECT_EQ(missed_by_all(by_copy, counted(96, {80, 89})), 4u);
}

// The first copy has missed 50 calls of processes that are not watched, too.
TEST(Copies, TheCopyThatHasMissedTheLeastOfOthersTells) {
    const std::vector<MissedRuns> by_copy = {{{"send_length", 70}}, {{"send_length", 1}}};
    EXPECT_EQ(missed_by_all(by_copy, counted(99, {80, 99})), 1u);
}

TEST(Copies, ACallUnderWayIsNotMissed) {
    const std::vector<MissedRuns> by_copy = {{{"send_length", 0}}, {{"send_length", 0}}};
    EXPECT_EQ(missed_by_all(by_copy, counted(100, {100, 99})), 0u);
}

TEST(Copies, WhatIsNoCallIsMissedWhereEachHasMissedIt) {
    const std::vector<MissedRuns> by_copy = {{{"set_state", 3}, {"destroyed", 1}}, {{"set_state", 1}}};
    EXPECT_EQ(missed_by_all(by_copy, counted(0, {0, 0})), 1u);
}

TEST(Copies, AsManyAsAreWanted) {
    EXPECT_EQ(choose_copies(1), 1u);
    EXPECT_EQ(choose_copies(2), 2u);
    EXPECT_EQ(choose_copies(100), static_cast<std::uint32_t>(WG_COPIES));
}

}  // namespace
}  // namespace waggle::sensors
