// SPDX-License-Identifier: Apache-2.0
#include "exporters/backoff.h"

#include <gtest/gtest.h>

#include <set>

namespace waggle::exporters {
namespace {

using namespace std::chrono_literals;

TEST(Backoff, GrowsByHalfUpToTheMost) {
    std::minstd_rand random(1);
    Backoff backoff(1000ms, 3000ms, random);
    for (const std::int64_t interval : {1000, 1500, 2250, 3000, 3000, 3000}) {
        const std::int64_t wait = backoff.next().count();
        EXPECT_GE(wait, interval / 2);
        EXPECT_LE(wait, interval * 3 / 2);
    }
}

TEST(Backoff, AgentsDoNotComeBackTogether) {
    std::set<std::chrono::milliseconds> waits;
    for (unsigned begin_ms = 1; begin_ms <= 100; ++begin_ms) {  // a millisecond after one another
        std::minstd_rand random(begin_ms * 1'000'000);
        waits.insert(Backoff(5000ms, 30000ms, random).next());
    }
    EXPECT_GT(waits.size(), 90u);
    EXPECT_LT(*waits.begin(), 3500ms);  // over the whole of the range
    EXPECT_GT(*waits.rbegin(), 6500ms);
}

}  // namespace
}  // namespace waggle::exporters
