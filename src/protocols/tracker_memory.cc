// SPDX-License-Identifier: Apache-2.0
// What connections hold in memory: bounded for all of them together, and less where the whole agent has too much.
#include <algorithm>
#include <unordered_set>

#include "protocols/tracker_connection.h"

namespace waggle::protocols {

void Tracker::weigh(Connection& connection, spans::SpanBatch& batch) {
    const std::size_t now = connection.memory();
    held_bytes_ -= connection.weight;
    held_bytes_ += connection.weight = now;
    if (held_bytes_ > config_.max_held_bytes) drop_heaviest(batch);
}

// Who holds most goes, until a quarter is free: many that send long heads and never end them are dropped, others are
// not.
void Tracker::drop_heaviest(spans::SpanBatch& batch) {
    std::vector<std::pair<std::size_t, std::uint64_t>> by_weight;
    by_weight.reserve(connections_.size());
    for (const auto& [id, connection] : connections_) by_weight.emplace_back(connection->weight, id);
    std::ranges::sort(by_weight, std::greater());
    for (const auto& [weight, id] : by_weight) {
        if (held_bytes_ <= config_.max_held_bytes / 4 * 3) return;
        Connection* const connection = find(id);
        if (!connection) continue;  // went with the one before
        counts_[connection->protocol].add(Cause::MemoryLimit);
        stop_following(*connection);
        forget(id, spans::Incomplete::Hole, now_ns_, batch);
    }
}

// Adds those that have rested longest, until there are so many.
void Tracker::choose_oldest(std::size_t count, std::vector<std::uint64_t>& ids) const {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> by_age;
    by_age.reserve(connections_.size());
    for (const auto& [id, connection] : connections_) by_age.emplace_back(connection->last_ns, id);
    const std::unordered_set<std::uint64_t> known(ids.begin(), ids.end());
    std::erase_if(by_age, [&](const auto& one) { return known.contains(one.second); });
    count = std::min(count - std::min(count, ids.size()), by_age.size());
    std::nth_element(by_age.begin(), by_age.begin() + static_cast<std::ptrdiff_t>(count), by_age.end());
    for (std::size_t i = 0; i < count; ++i) ids.push_back(by_age[i].second);
}

}  // namespace waggle::protocols
