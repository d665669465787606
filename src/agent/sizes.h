// SPDX-License-Identifier: Apache-2.0
// Sizes: what depends on how many processors there are.
#pragma once

#include <cstdint>

#include "config/config.h"

namespace waggle::agent {

struct Sizes {
    std::uint32_t rings = 1;            // and as many readers
    std::uint64_t held_bytes = 0;       // of one reader's connections: what waits to be read
    std::uint32_t batches_waiting = 0;  // for the pipeline
};

Sizes sizes_for(const config::Config& config, std::uint32_t cpus);

}  // namespace waggle::agent
