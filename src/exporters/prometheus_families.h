// SPDX-License-Identifier: Apache-2.0
// A Snapshot seen as Prometheus sees it: families by name, samples with final labels. Points whose
// labels are the same after resources became labels are added up. Used by the text and protobuf
// writers.
#pragma once

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "exporters/prometheus.h"
#include "metrics/snapshot.h"

namespace waggle::exporters {

struct Sample {
    std::vector<std::pair<std::string, std::string>> labels;  // sorted by name
    const metrics::Point* point = nullptr;
};

struct Family {
    std::string name;  // counters: with _total
    std::string unit;  // as in the name, or empty
    std::string help;
    metrics::Kind kind = metrics::Kind::Gauge;
    bool is_info = false;
    std::vector<double> bounds;
    std::vector<Sample> samples;
};

struct Families {
    std::vector<Family> list;           // sorted by name
    std::deque<metrics::Point> merged;  // points of samples that are sums
};

// Points into the snapshot, which must stay.
Families to_families(const metrics::Snapshot& snapshot, const PrometheusOptions& options);

std::string write_text(const Families& families, bool is_open_metrics, std::int64_t wall_offset_ns);
std::string write_protobuf(const Families& families, bool has_native_histograms, std::int64_t wall_offset_ns);

}  // namespace waggle::exporters
