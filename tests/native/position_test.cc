// SPDX-License-Identifier: Apache-2.0
#include "bpf/lib/position.h"

#include <gtest/gtest.h>

#include <string_view>

namespace {

constexpr __u64 kEpoch = 1ull << 32;

TEST(Unwrap, GoesForwardsOverTheWrap) {
    EXPECT_EQ(wg_unwrap(kEpoch + 0xfffffff0u, 0x10u), 2 * kEpoch + 0x10);
    EXPECT_EQ(wg_unwrap(2 * kEpoch, 5), 2 * kEpoch + 5);
}

TEST(Unwrap, GoesBackwardsToo) {
    EXPECT_EQ(wg_unwrap(2 * kEpoch + 0x10, 0xfffffff0u), kEpoch + 0xfffffff0u);
    EXPECT_EQ(wg_unwrap(kEpoch + 100, 99), kEpoch + 99);
}

TEST(Unwrap, ReachesTwoGibibytesEitherWay) {
    EXPECT_EQ(wg_unwrap(5 * kEpoch, 0x7fffffffu), 5 * kEpoch + 0x7fffffff);
    EXPECT_EQ(wg_unwrap(5 * kEpoch, 0x80000001u), 4 * kEpoch + 0x80000001u);
}

TEST(Unwrap, FollowsAStreamOfManyGibibytes) {
    __u64 position = kEpoch + 0xdeadbeefu;
    const __u64 start = position;
    for (int i = 0; i < 100; ++i) position = wg_unwrap(position, static_cast<__u32>(position + 1'000'000'000));
    EXPECT_EQ(position, start + 100'000'000'000ull);
}

wg_rule rule(wg_rule_mode mode, __u32 bytes) { return {.mode = mode, .padding = {}, .bytes = bytes}; }

TEST(Rule, TheFirstBytesOfAConnectionGoThrough) {
    const wg_rule head = rule(WG_RULE_HEAD, 100);
    EXPECT_EQ(wg_allows(&head, 0, 0, 80, 0, false), 80u);
    EXPECT_EQ(wg_allows(&head, 0, 0, 100'000, 0, false), 16384u);
    EXPECT_EQ(wg_allows(&head, 0, 16000, 2000, 16000, false), 384u);
    EXPECT_EQ(wg_allows(&head, 0, 16384, 2000, 16384, false), 0u);
    EXPECT_EQ(wg_allows(&head, 20000, 20000, 2000, 20000, false), 100u);
    EXPECT_EQ(wg_allows(&head, 20000, 20000, 1000, 1ull << 40, false), 100u);
    const wg_rule mute = rule(WG_RULE_MUTE, 0);
    EXPECT_EQ(wg_allows(&mute, 0, 0, 1000, 0, false), 0u);
}

TEST(Rule, SmallCallsReachFurtherAtFirst) {
    const wg_rule head = rule(WG_RULE_HEAD, 100);
    EXPECT_EQ(wg_allows(&head, 20000, 25000, 152, 25000, false), 152u);
    EXPECT_EQ(wg_allows(&head, 20000, 25000, 152, 25000, true), 0u);
    EXPECT_EQ(wg_allows(&head, 20000, 25000, 1025, 25000, false), 0u);
    EXPECT_EQ(wg_allows(&head, 20000, 36300, 152, 36300, false), 84u);  // as far as a turn's other rules do
    EXPECT_EQ(wg_allows(&head, 20000, 36384, 152, 36384, false), 0u);
    EXPECT_EQ(wg_allows(&head, 20000, 25000, 152, 1u << 20, false), 0u);
    const wg_rule whole = rule(WG_RULE_WHOLE, 100);
    EXPECT_EQ(wg_allows(&whole, 20000, 25000, 152, 25000, false), 100u);
    const wg_rule count = rule(WG_RULE_COUNT, 0);
    EXPECT_EQ(wg_allows(&count, 20000, 25000, 152, 25000, false), 0u);
}

TEST(Rule, ATurnBeginsEarlierWhereItsFirstBytesAreReportedLate) {
    const wg_rule head = rule(WG_RULE_HEAD, 100);
    EXPECT_EQ(wg_allows(&head, 50000, 49000, 2000, 60000, false), 100u);
    EXPECT_EQ(wg_allows(&head, 50000, 50050, 2000, 60000, false), 50u);
}

TEST(Rule, HeadLetsTheFrontOfATurnThrough) {
    const wg_rule head = rule(WG_RULE_HEAD, 100);
    EXPECT_EQ(wg_mode_allows(head.mode, head.bytes, 1000, 1000, 40), 40u);
    EXPECT_EQ(wg_mode_allows(head.mode, head.bytes, 1000, 1040, 80), 60u);
    EXPECT_EQ(wg_mode_allows(head.mode, head.bytes, 1000, 1100, 80), 0u);
    EXPECT_EQ(wg_mode_allows(head.mode, head.bytes, 1000, 5'000'000'000, 80), 0u);
    // A send that is reported late stands before the turn that began since.
    EXPECT_EQ(wg_mode_allows(head.mode, head.bytes, 1000, 990, 5), 0u);
}

TEST(Rule, WholeLetsTheFrontOfEveryCallThrough) {
    const wg_rule whole = rule(WG_RULE_WHOLE, 100);
    EXPECT_EQ(wg_mode_allows(whole.mode, whole.bytes, 0, 5000, 40), 40u);
    EXPECT_EQ(wg_mode_allows(whole.mode, whole.bytes, 0, 5000, 400), 100u);
}

TEST(Rule, MuteLetsNothingThrough) {
    const wg_rule mute = rule(WG_RULE_MUTE, 100);
    EXPECT_EQ(wg_mode_allows(mute.mode, mute.bytes, 0, 0, 40), 0u);
}

// The newest byte in the highest place, as it is read from memory.
__u64 tail(std::string_view text) {
    __u64 value = 0;
    for (const char c : text) value = value >> 8 | static_cast<__u64>(static_cast<unsigned char>(c)) << 56;
    return value;
}

TEST(Tail, AShortCallKeepsWhatStoodBefore) {
    EXPECT_EQ(wg_join_tail(tail("abcdefgh"), tail("12"), 2), tail("cdefgh12"));
    EXPECT_EQ(wg_join_tail(tail("....xx\r\n"), tail("0\r\n\r\n"), 5), tail("x\r\n0\r\n\r\n"));
}

TEST(Tail, ALongCallIsAllThereIs) {
    EXPECT_EQ(wg_join_tail(tail("abcdefgh"), tail("12345678"), 8), tail("12345678"));
    EXPECT_EQ(wg_join_tail(tail("abcdefgh"), tail("12345678"), 5000), tail("12345678"));
}

}  // namespace
