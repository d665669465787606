// SPDX-License-Identifier: Apache-2.0
// What a message of each protocol allocates once everything is warm: nothing. A tick may allocate once.
#include <gtest/gtest.h>

#include <algorithm>

#include "bench/allocations.h"
#include "protocols/testing/steady.h"

namespace waggle::protocols::testing {
namespace {

class Allocations : public ::testing::TestWithParam<SteadyTalk> {};

TEST_P(Allocations, OfAMessageAreNone) {
    SteadyPlay play(GetParam());
    for (int i = 0; i < 64; ++i) {
        play.prepare();
        play.run();
    }
    const std::size_t spans = play.spans();
    std::uint64_t allocated = 0;
    constexpr int kMeasured = 4;
    for (int i = 0; i < kMeasured; ++i) {
        play.prepare();
        play.tracker().rule_changes().clear();
        const std::uint64_t before = bench::allocations();
        play.run();
        allocated += bench::allocations() - before;
    }
    // What is counted are spans of this protocol.
    EXPECT_GE(play.spans() - spans, std::size_t{kMeasured * SteadyPlay::kRounds});
    const auto place = std::ranges::find(all(), GetParam().protocol, &Protocol::name) - all().begin();
    const Counts& counts = play.tracker().counts()[static_cast<std::size_t>(place)];
    EXPECT_GE(counts.exported, play.spans());
    for (const std::uint64_t lost : counts.by_cause) EXPECT_EQ(lost, 0u);
    EXPECT_LE(allocated, std::uint64_t{kMeasured})
        << static_cast<double>(allocated) / static_cast<double>(play.spans() - spans) << " a message";
}

INSTANTIATE_TEST_SUITE_P(Protocols, Allocations, ::testing::ValuesIn(kSteadyTalks),
                         [](const auto& info) { return std::string(info.param.protocol).append(info.param.form); });

TEST(AllocationsTable, HasEveryProtocol) {
    for (const Protocol* protocol : all())
        EXPECT_TRUE(std::ranges::find(kSteadyTalks, protocol->name, &SteadyTalk::protocol) != std::end(kSteadyTalks))
            << protocol->name;
}

}  // namespace
}  // namespace waggle::protocols::testing
