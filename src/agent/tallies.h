// SPDX-License-Identifier: Apache-2.0
// Tallies: what the kernel side has counted and timed by itself (bpf/abi/tally.h), summed by service, as a histogram of
// its own: waggle.counted.request.duration. Any thread, one at a time.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <tuple>
#include <vector>

#include "bpf/abi/tally.h"
#include "discover/target.h"
#include "metrics/self_metrics.h"
#include "metrics/snapshot.h"
#include "sensors/map.h"

namespace waggle::agent {

class Tallies {
  public:
    using Table = std::shared_ptr<const discover::TargetTable>;

    // What has not grown for ttl_ns is forgotten, as series are.
    Tallies(sensors::Map<wg_tally_key, wg_tally>& map, metrics::SelfMetrics& self, std::uint64_t ttl_ns);

    // Takes in what was counted since the last call; entries of processes that are gone are deleted. More often than
    // processes are forgotten that have ended: else nobody knows what they were called.
    void refresh(const Table& table, std::uint64_t now_ns);
    // The same from what the map has; true for entries to delete.
    bool take(const wg_tally_key& key, const wg_tally& value, const Table& table, std::uint64_t now_ns);
    void expire(std::uint64_t now_ns);
    void append(metrics::Snapshot& snapshot) const;

  private:
    struct Sum {
        wg_tally tally{};
        std::uint64_t since_ns = 0;
        std::uint64_t grown_ns = 0;
    };
    using Key = std::tuple<spans::ResourcePtr, std::uint16_t, std::uint8_t>;  // service, port, role

    sensors::Map<wg_tally_key, wg_tally>& map_;
    metrics::SelfValue& unanswered_;
    std::uint64_t ttl_ns_;
    std::map<std::uint64_t, wg_tally> last_;  // by the kernel's key, as a number
    std::map<Key, Sum> sums_;
    std::vector<wg_tally_key> keys_;
    std::vector<wg_tally> values_;
};

}  // namespace waggle::agent
