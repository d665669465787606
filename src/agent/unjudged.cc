// SPDX-License-Identifier: Apache-2.0
#include "agent/unjudged.h"

#include <utility>

namespace waggle::agent {
namespace {

constexpr std::size_t kMost = 64;
// Whatever keeps discovery from looking.
constexpr std::uint64_t kLongestNs = 10'000'000'000;

}  // namespace

BatchPtr Unjudged::pop(std::uint64_t now_ns) {
    if (batches_.empty()) return nullptr;
    const Waiting& oldest = batches_.front();
    const bool waits = batches_.size() <= kMost && now_ns < oldest.came_ns + kLongestNs &&
                       looked_until_() <= oldest.came_ns && !knows_(*oldest.batch);
    return waits ? nullptr : take();
}

BatchPtr Unjudged::take() {
    if (batches_.empty()) return nullptr;
    BatchPtr batch = std::move(batches_.front().batch);
    batches_.pop_front();
    return batch;
}

}  // namespace waggle::agent
