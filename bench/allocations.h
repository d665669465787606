// SPDX-License-Identifier: Apache-2.0
// Counts what the program allocates: the hot paths must not, once they are warm.
#pragma once

#include <cstdint>

namespace waggle::bench {

std::uint64_t allocations();

}  // namespace waggle::bench
