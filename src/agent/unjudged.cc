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
    const bool waits = batches_.size() <= kMost && now_ns < oldest.came_ns + kLongestNs && !is_judged(oldest);
    return waits ? nullptr : take();
}

bool Unjudged::is_judged(const Waiting& waiting) const {
    const Looked until = looked_until_();
    if (until.looked_ns > waiting.came_ns) return true;
    using Known = decorate::Service::Known;
    const Known known = knows_(*waiting.batch);
    return known == Known::Yes || (known == Known::Young && until.read_ns > waiting.came_ns);
}

BatchPtr Unjudged::take() {
    if (batches_.empty()) return nullptr;
    BatchPtr batch = std::move(batches_.front().batch);
    batches_.pop_front();
    return batch;
}

}  // namespace waggle::agent
