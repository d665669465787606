// SPDX-License-Identifier: Apache-2.0
// Seeds: how many a property test plays. $WAGGLE_MOST_SEEDS allows less than it asks for, where a processor is
// emulated.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>

namespace waggle::protocols::testing {

inline std::uint64_t seeds_to_play(std::uint64_t wanted) {
    const char* most = std::getenv("WAGGLE_MOST_SEEDS");
    return most ? std::clamp<std::uint64_t>(std::strtoull(most, nullptr, 10), 1, wanted) : wanted;
}

}  // namespace waggle::protocols::testing
