// SPDX-License-Identifier: Apache-2.0
#include "agent/sizes.h"

#include <gtest/gtest.h>

namespace waggle::agent {
namespace {

TEST(Sizes, ARingForEightProcessorsAndNoMoreThanFour) {
    const config::Config config;
    constexpr std::pair<std::uint32_t, std::uint32_t> kRings[] = {{1, 1},  {2, 1},  {7, 1},   {8, 2},
                                                                  {16, 3}, {24, 4}, {128, 4}, {4096, 4}};
    for (const auto& [cpus, rings] : kRings) EXPECT_EQ(sizes_for(config, cpus).rings, rings) << cpus;
}

TEST(Sizes, RingsFitIntoHalfOfTheMemory) {
    config::Config config;
    config.memory_limit = 64u << 20;
    for (const std::uint32_t ring_bytes : {1u << 12, 4u << 20, 16u << 20, 32u << 20}) {
        config.ebpf.ring_bytes = ring_bytes;
        for (const std::uint32_t cpus : {1u, 8u, 128u})
            EXPECT_LE(std::uint64_t{ring_bytes} * sizes_for(config, cpus).rings, config.memory_limit / 2)
                << ring_bytes << ", " << cpus;
    }
}

TEST(Sizes, WhatReadersHoldTogetherDoesNotGrowWithTheirNumber) {
    const config::Config config;
    for (const std::uint32_t cpus : {1u, 8u, 128u}) {
        const Sizes sizes = sizes_for(config, cpus);
        EXPECT_LE(sizes.held_bytes * sizes.rings, config.memory_limit / 4);
        EXPECT_GT(sizes.held_bytes * sizes.rings, config.memory_limit / 5);
    }
}

TEST(Sizes, TheSettingIsKept) {
    config::Config config;
    config.ebpf.rings = 7;
    EXPECT_EQ(sizes_for(config, 1).rings, 7u);
    EXPECT_EQ(sizes_for(config, 128).rings, 7u);
}

}  // namespace
}  // namespace waggle::agent
