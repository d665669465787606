// SPDX-License-Identifier: Apache-2.0
// Plays a property test's world (of a seed and a share of lost calls) with many seeds. A world runs so many steps and
// checks itself; sure() are the spans that state all facts, others() the rest.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "protocols/testing/seeds.h"

namespace waggle::protocols::testing {

// Without losses so many times as many are sure as are not.
template <typename World>
void play_worlds(double loss, std::uint64_t seeds, int steps, std::uint64_t ratio) {
    std::uint64_t sure = 0, others = 0;
    for (std::uint64_t seed = 1, last = seeds_to_play(seeds); seed <= last; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        World world(seed, loss);
        world.run(steps);
        sure += world.sure();
        others += world.others();
        if (::testing::Test::HasFailure()) return;
    }
    EXPECT_GT(sure, (loss > 0 ? 1 : ratio) * others) << others;
}

}  // namespace waggle::protocols::testing
