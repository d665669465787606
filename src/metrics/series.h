// SPDX-License-Identifier: Apache-2.0
// Series storage of Registry. A View is all instruments that look at the same spans through the
// same attributes: their values of one attribute set share a Row, so a span is hashed once per
// view.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/exponential.h"
#include "metrics/instruments.h"
#include "metrics/snapshot.h"

namespace waggle::metrics {

struct ResourceState {
    spans::ResourcePtr resource;  // the newest description of this service instance
    std::uint64_t last_ns = 0;
    std::uint32_t rows = 0;
    std::size_t snapshot_index = 0;  // only while collecting
};

// The value of one instrument for one attribute set.
struct Cell {
    std::uint64_t count = 0;  // 0: nothing recorded (yet, or since the last delta)
    double sum = 0;           // of gauges: the value
    double min = 0;
    double max = 0;
    std::vector<std::uint64_t> counts;
    std::optional<ExponentialHistogram> exponential;
    std::optional<Exemplar> exemplar;
};

// Attribute values as extracted from a span: text belongs to the span.
struct AttributeSet {
    static constexpr std::size_t kMax = 32;
    std::array<spans::Value, kMax> values;
    std::uint32_t present = 0;  // bit i: values[i] is there
    std::uint32_t size = 0;
};

struct Row {
    std::uint64_t hash = 0;
    ResourceState* resource = nullptr;  // null: free, or an overflow row
    std::uint32_t present = 0;
    std::vector<spans::Value> values;  // text in the row's own storage
    std::unique_ptr<char[]> text;
    std::uint64_t start_ns = 0;
    std::int64_t start_unix_ns = 0;  // 0: not collected yet
    std::uint64_t last_ns = 0;
    std::vector<Cell> cells;  // by instrument of the view
};

// One instrument as configured.
struct Active {
    const Instrument* instrument = nullptr;
    const Shape* shape = nullptr;
    std::vector<double> bounds;
    std::size_t id = 0;  // position among all active ones
};

class View {
  public:
    struct Limits {
        std::uint32_t series = 0;  // 0: none
        std::uint64_t ttl_ns = 0;
    };

    View(std::vector<AttributeRow> keys, Limits limits) : keys_(std::move(keys)), limits_(limits) {
        slots_.resize(16, kFree);
    }

    // Instruments join before the first row exists.
    void add(Active active) { actives_.push_back(std::move(active)); }
    const std::vector<Active>& actives() const { return actives_; }
    const std::vector<AttributeRow>& keys() const { return keys_; }

    void extract(const spans::Span& span, AttributeSet& set) const;
    // The values of keys() among the attributes.
    void extract(std::span<const spans::Attribute> attributes, AttributeSet& set) const;

    // The row of the set, made if need be; the overflow row when there are too many. start_ns is
    // when a new series begins.
    Row& row(const AttributeSet& set, ResourceState& resource, std::uint64_t start_ns);
    // While held no series is added: what is new goes to the overflow row.
    void hold(bool is_held) { is_held_ = is_held; }
    bool is_overflow(const Row& row) const { return &row == overflow_.get(); }

    // Forgets rows that were not touched for the TTL.
    void expire(std::uint64_t now_ns);

    // All rows in use, the overflow row last.
    template <typename Visit>
    void visit(Visit visit) {
        for (auto& row : rows_)
            if (row->resource) visit(*row);
        if (overflow_) visit(*overflow_);
    }
    std::size_t size() const { return rows_.size() - free_.size(); }

  private:
    static constexpr std::uint32_t kFree = UINT32_MAX;

    std::unique_ptr<Row> make_row(const AttributeSet& set, std::uint64_t start_ns) const;
    void rebuild(std::size_t slots);

    std::vector<AttributeRow> keys_;
    Limits limits_;
    bool is_held_ = false;
    std::vector<Active> actives_;
    std::vector<std::unique_ptr<Row>> rows_;
    std::vector<std::uint32_t> free_;   // unused places of rows_
    std::vector<std::uint32_t> slots_;  // open addressing by hash; a power of two
    std::unique_ptr<Row> overflow_;
};

}  // namespace waggle::metrics
