// SPDX-License-Identifier: Apache-2.0
#include "agent/sizes.h"

#include <algorithm>

#include "spans/span.h"

namespace waggle::agent {
namespace {

constexpr std::uint32_t kMaxRings = 4;
constexpr std::uint32_t kCpusByRing = 8;

// No more than fit into half of memory_limit; validation has seen to it that one does.
std::uint32_t rings_for(const config::Config& config, std::uint32_t cpus) {
    if (config.ebpf.rings) return config.ebpf.rings;
    const std::uint64_t fitting = config.memory_limit / 2 / std::max<std::uint64_t>(config.ebpf.ring_bytes, 1);
    return static_cast<std::uint32_t>(
        std::clamp<std::uint64_t>(cpus / kCpusByRing + 1, 1, std::clamp<std::uint64_t>(fitting, 1, kMaxRings)));
}

}  // namespace

Sizes sizes_for(const config::Config& config, std::uint32_t cpus) {
    // So many batches that they are a small part of the memory.
    constexpr std::uint64_t kBatchBytes = 512 * (sizeof(spans::Span) + 512);
    Sizes sizes;
    sizes.rings = rings_for(config, cpus);
    sizes.held_bytes = config.memory_limit / 4 / sizes.rings;
    sizes.batches_waiting =
        static_cast<std::uint32_t>(std::clamp<std::uint64_t>(config.memory_limit / 16 / kBatchBytes, 4, 128));
    return sizes;
}

}  // namespace waggle::agent
