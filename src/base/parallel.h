// SPDX-License-Identifier: Apache-2.0
// Work that waits for the kernel or has it compute: by several threads at once, which end before the call returns.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>

namespace waggle {

// Calls each(0) to each(count - 1), once each; up to `most` of them at a time.
template <typename Each>
void in_parallel(std::size_t count, std::size_t most, const Each& each) {
    std::atomic<std::size_t> next = 0;
    const auto work = [&] {
        for (std::size_t i = next++; i < count; i = next++) each(i);
    };
    std::vector<std::jthread> helpers;
    while (helpers.size() + 1 < std::min(count, most)) helpers.emplace_back(work);
    work();
}

}  // namespace waggle
