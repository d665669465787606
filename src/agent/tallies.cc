// SPDX-License-Identifier: Apache-2.0
#include "agent/tallies.h"

#include <algorithm>
#include <bit>

#include "bpf/abi/events.h"
#include "metrics/self_descriptions.h"
#include "spans/attribute_names.h"

namespace waggle::agent {
namespace {

constexpr std::uint32_t kMaxEntries = 4096;
constexpr std::size_t kMaxSums = 2000;

std::string_view role_name(std::uint8_t role) {
    return role == WG_ROLE_SERVER ? "server" : role == WG_ROLE_CLIENT ? "client" : "unknown";
}

wg_tally difference(const wg_tally& now, const wg_tally& before) {
    wg_tally grown{};
    grown.count = now.count - before.count;
    grown.unanswered = now.unanswered - before.unanswered;
    grown.sum_ns = now.sum_ns - before.sum_ns;
    for (std::size_t i = 0; i < WG_TALLY_BUCKETS; ++i) grown.buckets[i] = now.buckets[i] - before.buckets[i];
    return grown;
}

void add(wg_tally& sum, const wg_tally& more) {
    sum.count += more.count;
    sum.unanswered += more.unanswered;
    sum.sum_ns += more.sum_ns;
    for (std::size_t i = 0; i < WG_TALLY_BUCKETS; ++i) sum.buckets[i] += more.buckets[i];
}

metrics::Metric& metric_of(metrics::Snapshot& snapshot, const spans::ResourcePtr& resource) {
    auto found = std::ranges::find_if(snapshot.resources,
                                      [&](const auto& one) { return !one.is_agent && one.resource == resource; });
    if (found == snapshot.resources.end()) {
        snapshot.resources.push_back({.resource = resource, .is_agent = false, .metrics = {}});
        found = std::prev(snapshot.resources.end());
    }
    constexpr std::string_view kName = "waggle.counted.request.duration";
    if (!found->metrics.empty() && found->metrics.back().name == kName) return found->metrics.back();
    metrics::Metric& metric = found->metrics.emplace_back();
    metric.name = kName;
    metric.unit = "s";
    metric.description = metrics::self_description(kName);
    metric.kind = metrics::Kind::Histogram;
    for (std::size_t i = 0; i + 1 < WG_TALLY_BUCKETS; ++i)
        metric.bounds.push_back(static_cast<double>(std::uint64_t{1} << (WG_TALLY_SHIFT + i)) * 1e-9);
    return metric;
}

}  // namespace

Tallies::Tallies(sensors::Map<wg_tally_key, wg_tally>& map, metrics::SelfMetrics& self, std::uint64_t ttl_ns)
    : map_(map), unanswered_(self.counter("waggle.requests.counted.unanswered")), ttl_ns_(ttl_ns) {}

void Tallies::refresh(const Table& table, std::uint64_t now_ns) {
    if (!map_.is_valid()) return;
    const std::size_t count = map_.read_all(keys_, values_, kMaxEntries);
    for (std::size_t i = 0; i < count; ++i)
        if (take(keys_[i], values_[i], table, now_ns) && map_.remove(keys_[i]))
            last_.erase(std::bit_cast<std::uint64_t>(keys_[i]));
    expire(now_ns);
}

bool Tallies::take(const wg_tally_key& key, const wg_tally& value, const Table& table, std::uint64_t now_ns) {
    wg_tally& before = last_[std::bit_cast<std::uint64_t>(key)];
    const wg_tally grown = difference(value, before);
    const discover::Target* target = table ? table->find(key.pid) : nullptr;
    // A process that comes later may have its number.
    if (grown.count == 0) return !target;
    before = value;
    unanswered_.add(static_cast<std::int64_t>(grown.unanswered));
    Key to{target ? target->resource : nullptr, key.port, key.role};
    // Beyond that nobody knows of what service they are.
    if (sums_.size() >= kMaxSums && !sums_.contains(to)) to = {nullptr, 0, WG_ROLE_UNKNOWN};
    Sum& sum = sums_[to];
    if (!sum.since_ns) sum.since_ns = now_ns;
    sum.grown_ns = now_ns;
    add(sum.tally, grown);
    return false;
}

void Tallies::expire(std::uint64_t now_ns) {
    if (ttl_ns_ == 0) return;
    std::erase_if(sums_, [&](const auto& entry) { return entry.second.grown_ns + ttl_ns_ < now_ns; });
}

void Tallies::append(metrics::Snapshot& snapshot) const {
    for (const auto& [key, sum] : sums_) {
        const auto& [resource, port, role] = key;
        metrics::Point point;
        if (port) point.attributes.push_back({attr::server_port, std::int64_t{port}});
        point.attributes.push_back({attr::waggle_role, role_name(role)});
        point.start_ns = sum.since_ns;
        point.time_ns = snapshot.time_ns;
        point.histogram.count = sum.tally.count - sum.tally.unanswered;
        point.histogram.sum = static_cast<double>(sum.tally.sum_ns) * 1e-9;
        point.histogram.counts.assign(sum.tally.buckets, sum.tally.buckets + WG_TALLY_BUCKETS);
        metric_of(snapshot, resource).points.push_back(std::move(point));
    }
}

}  // namespace waggle::agent
