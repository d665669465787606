// SPDX-License-Identifier: Apache-2.0
// Random: what property tests draw from; the same of a seed everywhere.
#pragma once

#include <cstdint>
#include <random>

namespace waggle::protocols::testing {

class Random {
  public:
    explicit Random(std::uint64_t seed) : engine_(seed) {}
    std::uint64_t below(std::uint64_t limit) { return engine_() % limit; }
    std::uint64_t between(std::uint64_t low, std::uint64_t high) { return low + below(high - low + 1); }
    bool chance(double probability) { return double(engine_() >> 11) * 0x1p-53 < probability; }

  private:
    std::mt19937_64 engine_;
};

}  // namespace waggle::protocols::testing
