// SPDX-License-Identifier: Apache-2.0
// SelfMetrics: the agent's own counters and gauges. Anybody registers one by name and labels and
// keeps the reference; adding is one atomic operation from any thread. References live as long as
// this object.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "metrics/instruments.h"
#include "metrics/snapshot.h"

namespace waggle::metrics {

class SelfValue {
  public:
    void add(std::int64_t amount = 1) { value_.fetch_add(amount, std::memory_order_relaxed); }
    void set(std::int64_t value) { value_.store(value, std::memory_order_relaxed); }
    std::int64_t get() const { return value_.load(std::memory_order_relaxed); }

  private:
    std::atomic<std::int64_t> value_{0};
};

class SelfMetrics {
  public:
    using Labels = std::vector<std::pair<std::string, std::string>>;

    SelfMetrics() = default;
    SelfMetrics(const SelfMetrics&) = delete;
    SelfMetrics& operator=(const SelfMetrics&) = delete;
    ~SelfMetrics();

    // Dotted name without unit or "_total": counter("waggle.events.lost", {{"cause", "ring_full"}})
    // is waggle_events_lost_total{cause="ring_full"} in Prometheus. What counts in "ns" is given out in seconds. The
    // same name and labels give the same value, also when two threads register at once. Labels come from code: nothing
    // bounds their number.
    SelfValue& counter(std::string_view name, Labels labels = {}, std::string_view unit = {});
    SelfValue& gauge(std::string_view name, Labels labels = {}, std::string_view unit = {});

    // Adds everything under the agent's own resource. Profile::Beyla renames what Beyla has too.
    void append(Snapshot& snapshot, Profile profile, spans::ResourcePtr agent, std::uint64_t started_ns) const;

    // Every value of that name.
    void visit(std::string_view name, const std::function<void(const Labels&, std::int64_t)>& visit) const;

    // For tests and the end-of-run summary: 0 when there is no such value.
    std::int64_t value(std::string_view name, const Labels& labels = {}) const;

  private:
    struct Entry {
        Entry(std::string_view name, std::string_view unit, Kind kind, Labels labels)
            : name(name), unit(unit), kind(kind), labels(std::move(labels)) {}
        std::string name;
        std::string unit;
        Kind kind;
        Labels labels;
        SelfValue value;
        Entry* next = nullptr;
    };
    Entry* find(std::string_view name, const Labels& labels) const;
    SelfValue& find_or_add(std::string_view name, Labels labels, std::string_view unit, Kind kind);

    std::atomic<Entry*> head_{nullptr};  // grows at the head only: readers need no lock
};

// A constant as labels, name{labels} 1: "waggle.build.info".
void append_info(Snapshot& snapshot, Profile profile, std::string_view name, const SelfMetrics::Labels& labels,
                 spans::ResourcePtr agent);

}  // namespace waggle::metrics
