// SPDX-License-Identifier: Apache-2.0
// Registry: turns spans into metrics for one reader (an OTLP push or a Prometheus scrape, which
// have their own features, buckets, TTL and temporality). One owner at a time; time comes in as
// arguments. record() does not allocate once the series exist.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/instruments.h"
#include "metrics/select.h"
#include "metrics/snapshot.h"
#include "spans/span.h"

namespace waggle::metrics {

enum class Histograms : std::uint8_t { Explicit, Exponential, Both };

struct RegistryOptions {
    Profile profile = Profile::Otel;
    std::vector<std::string> features{"application"};
    std::vector<std::string> instrumentations{"*"};
    Selection select;
    std::optional<std::vector<double>> duration_bounds;
    std::optional<std::vector<double>> size_bounds;
    Histograms histograms = Histograms::Explicit;
    std::int32_t exponential_scale = 20;  // at most
    std::uint32_t exponential_size = 160;
    Temporality temporality = Temporality::Cumulative;
    std::uint64_t ttl_ns = 70ull * 60 * 1'000'000'000;  // 0: never
    std::uint32_t series_limit = 2000;                  // per instrument; 0: none
    bool has_exemplars = true;
    bool has_routes = true;  // the routes section is not null: http.route is a known attribute
};

class Registry {
  public:
    explicit Registry(RegistryOptions options);
    ~Registry();
    Registry(Registry&&) noexcept;
    Registry& operator=(Registry&&) noexcept;

    // The hot path. now_ns is CLOCK_MONOTONIC, once per batch.
    void record(const spans::SpanBatch& batch, std::uint64_t now_ns);
    void record(const spans::Span& span, std::uint64_t now_ns);

    // Instruments that are counted elsewhere (http.server.active_requests): the value replaces the
    // last one of these attributes. Unknown or switched off names do nothing.
    void set(std::string_view instrument, const spans::ResourcePtr& resource,
             std::span<const spans::Attribute> attributes, double value, std::uint64_t now_ns);

    // Everything at this moment. Drops series that were not touched for the TTL; with delta
    // temporality starts a new interval.
    Snapshot collect(std::uint64_t now_ns, std::int64_t wall_offset_ns);

    // While memory is short: no series is added, what would begin one goes to the overflow series.
    void hold_series(bool is_held);

    std::uint64_t series() const;
    // Points that went to an overflow series because of series_limit.
    std::uint64_t overflowed() const;
    Profile profile() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace waggle::metrics
