// SPDX-License-Identifier: Apache-2.0
#include "bpf/lib/mark.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <random>

namespace {

constexpr std::uint64_t kSocket = 0xffff888012345678;
enum { kSend, kReceive };

TEST(Mark, TheFirstCopyThatRunsTells) {
    wg_mark mark{};
    EXPECT_TRUE(wg_mark_is_new(&mark, 0, kSocket, kSend, 100));
    EXPECT_FALSE(wg_mark_is_new(&mark, 1, kSocket, kSend, 100));
    EXPECT_FALSE(wg_mark_is_new(&mark, 2, kSocket, kSend, 100));
}

TEST(Mark, TheSameAgainIsAnotherCall) {
    wg_mark mark{};
    for (int call = 0; call < 3; ++call) {
        EXPECT_TRUE(wg_mark_is_new(&mark, 0, kSocket, kSend, 100));
        EXPECT_FALSE(wg_mark_is_new(&mark, 1, kSocket, kSend, 100));
    }
}

TEST(Mark, CopiesRunInAnyOrder) {
    wg_mark mark{};
    for (int call = 0; call < 3; ++call) {
        EXPECT_TRUE(wg_mark_is_new(&mark, 2, kSocket, kSend, 100));
        EXPECT_FALSE(wg_mark_is_new(&mark, 1, kSocket, kSend, 100));
        EXPECT_FALSE(wg_mark_is_new(&mark, 0, kSocket, kSend, 100));
    }
}

TEST(Mark, TheNextTellsWhatTheFirstHasMissed) {
    wg_mark mark{};
    EXPECT_TRUE(wg_mark_is_new(&mark, 0, kSocket, kSend, 100));
    EXPECT_FALSE(wg_mark_is_new(&mark, 1, kSocket, kSend, 100));
    EXPECT_TRUE(wg_mark_is_new(&mark, 1, kSocket, kSend, 100));
}

TEST(Mark, ACallIsKnownByItsSocketDirectionAndResult) {
    wg_mark mark{};
    EXPECT_TRUE(wg_mark_is_new(&mark, 0, kSocket, kSend, 100));
    EXPECT_TRUE(wg_mark_is_new(&mark, 1, kSocket, kReceive, 100));
    EXPECT_TRUE(wg_mark_is_new(&mark, 2, kSocket, kReceive, 101));
    EXPECT_TRUE(wg_mark_is_new(&mark, 0, kSocket + 64, kReceive, 101));
}

// Any copy may be kept from running for any call: none is told twice, and all are told for which any copy ran, but for
// those that are taken for the call before.
TEST(Mark, NoCallIsToldTwice) {
    constexpr std::uint32_t kCopies = 3;
    std::mt19937_64 random(7);
    for (int round = 0; round < 200; ++round) {
        wg_mark mark{};
        std::uint32_t ran_before = 0;
        std::array<std::uint64_t, 2> before{};
        for (int call = 0; call < 500; ++call) {
            const std::array<std::uint64_t, 2> now = {random() % 2, random() % 2};
            std::uint32_t ran = 0;
            std::uint32_t first = kCopies;
            int told = 0;
            for (std::uint32_t copy = 0; copy < kCopies; ++copy) {
                if (random() % 3 == 0) continue;
                if (!ran) first = copy;
                ran |= 1u << copy;
                told += wg_mark_is_new(&mark, copy, kSocket + 64 * now[0], kSend, static_cast<int>(now[1]));
            }
            if (!ran) continue;
            const bool is_taken_for_the_last = now == before && ran_before && !(ran_before & 1u << first);
            if (is_taken_for_the_last)
                ASSERT_LE(told, 1);
            else
                ASSERT_EQ(told, 1) << "call " << call;
            ran_before = mark.ran;
            before = now;
        }
    }
}

}  // namespace
