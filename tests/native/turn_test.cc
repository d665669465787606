// SPDX-License-Identifier: Apache-2.0
#include "bpf/lib/turn.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <queue>
#include <random>
#include <vector>

namespace {

TEST(Turn, TheFirstOfEachDirectionBeginsOne) {
    wg_turns turns{};
    EXPECT_TRUE(wg_turn_receive(&turns, 0));
    EXPECT_TRUE(wg_turn_send(&turns, 0));
    EXPECT_EQ(turns.count[0], 1u);
    EXPECT_EQ(turns.count[1], 1u);
}

TEST(Turn, MoreOfTheSameIsNone) {
    wg_turns turns{};
    wg_turn_receive(&turns, 0);
    EXPECT_FALSE(wg_turn_receive(&turns, 0));
    wg_turn_send(&turns, 0);
    EXPECT_FALSE(wg_turn_send(&turns, 100));
    EXPECT_TRUE(wg_turn_receive(&turns, 200));
    EXPECT_TRUE(wg_turn_send(&turns, 200));
    EXPECT_FALSE(wg_turn_send(&turns, 250));
}

// The client's send is reported after the receive of its answer.
TEST(Turn, ALateSendBelongsToTheTurnBefore) {
    wg_turns turns{};
    wg_turn_send(&turns, 0);                   // request of 10 bytes
    wg_turn_receive(&turns, 10);               // its answer
    EXPECT_TRUE(wg_turn_receive(&turns, 20));  // answer of the second request, …
    EXPECT_TRUE(wg_turn_send(&turns, 10));     // … which is reported now
    EXPECT_TRUE(wg_turn_send(&turns, 20));     // the third
    EXPECT_EQ(turns.count[0], 3u);
}

TEST(Turn, ALatePartOfASendDoesNotBeginATurn) {
    wg_turns turns{};
    wg_turn_receive(&turns, 0);
    wg_turn_send(&turns, 0);
    wg_turn_receive(&turns, 30);             // next request was read
    EXPECT_FALSE(wg_turn_send(&turns, 20));  // last part of the first answer, reported late
    EXPECT_TRUE(wg_turn_send(&turns, 30));
}

// Request and answer in turn, in any number of calls, each send reported at any time before the next
// send of its thread: the turns are always those that happened.
TEST(Turn, AreExactInAnyOrderOfReports) {
    std::mt19937_64 random(7);
    for (int round = 0; round < 2000; ++round) {
        wg_turns turns{};
        std::uint64_t written = 0;
        std::uint32_t sends = 0;
        std::uint32_t receives = 0;
        // A send that is not reported yet: its position, and whether it began a turn.
        std::vector<std::pair<std::uint64_t, bool>> late;
        const auto report = [&] {
            for (const auto& [position, begins] : late) EXPECT_EQ(wg_turn_send(&turns, position), begins);
            late.clear();
        };
        for (int turn = 0; turn < 20; ++turn) {
            for (std::uint64_t call = 0, calls = 1 + random() % 3; call < calls; ++call) {
                report();
                late.emplace_back(written, call == 0);
                written += 1 + random() % 50;
                sends += call == 0;
                if (random() % 2) report();
            }
            for (std::uint64_t call = 0, calls = 1 + random() % 3; call < calls; ++call) {
                EXPECT_EQ(wg_turn_receive(&turns, written), call == 0);
                receives += call == 0;
                if (random() % 4 == 0) report();
            }
        }
        report();
        ASSERT_EQ(turns.count[0], sends);
        ASSERT_EQ(turns.count[1], receives);
        if (HasFailure()) return;
    }
}

}  // namespace
