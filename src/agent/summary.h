// SPDX-License-Identifier: Apache-2.0
// Summary: what the console shows: per service and protocol the rate, errors and latency of the
// last seconds. Fed by the pipeline thread.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "agent/account.h"
#include "spans/span.h"

namespace waggle::agent {

class Summary {
  public:
    void record(const spans::SpanBatch& batch);

    struct Row {
        std::string service;
        std::string protocol;
        std::string side;  // server, client, unknown
        double per_second = 0;
        double error_share = 0;
        double p50_s = 0;
        double p99_s = 0;
        std::uint64_t total = 0;
    };
    // Rows over the seconds since the last call, busiest first; services that are silent keep their
    // total.
    std::vector<Row> take(double seconds);

  private:
    // Upper bounds grow by 2^(1/4) from 1 µs: p50 and p99 within 19 %.
    static constexpr std::size_t kBuckets = 112;
    struct Cell {
        std::array<std::uint32_t, kBuckets> buckets{};
        std::uint64_t count = 0;
        std::uint64_t errors = 0;
        std::uint64_t total = 0;
    };
    struct Key {
        std::string service;
        std::string_view protocol;
        spans::SpanKind kind;
        auto operator<=>(const Key&) const = default;
    };
    static constexpr std::size_t kMaxCells = 1000;

    static std::size_t bucket_of(double seconds);
    static double percentile(const Cell& cell, double share);

    std::map<Key, Cell> cells_;
    // The span before: most belong to the same service.
    const spans::Resource* last_resource_ = nullptr;
    std::string_view last_protocol_;
    spans::SpanKind last_kind_{};
    Cell* last_cell_ = nullptr;
};

// Traffic of one service that nobody could read.
struct Undecoded {
    std::uint64_t connections = 0;
    std::uint64_t bytes = 0;
};

// What stands around the rows.
struct Status {
    std::size_t watched = 0;
    std::uint64_t open = 0;
    std::uint16_t port = 0;  // of Prometheus; 0: none
    std::map<std::string, Undecoded> undecoded;
    Account account;
};

struct Screen {
    int width = 80;
    int height = 24;
};

// As a table for a terminal, drawn over the one before.
std::string render_live(const std::vector<Summary::Row>& rows, const Status& status, const Screen& screen);
// As plain lines: one for each service that had requests, and one for what is lost.
std::string render_lines(const std::vector<Summary::Row>& rows, const Status& status);

}  // namespace waggle::agent
