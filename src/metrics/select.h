// SPDX-License-Identifier: Apache-2.0
// attributes.select: which attributes a metric carries. Keys name metrics in dotted or Prometheus
// notation and may be globs; Registry resolves them once at start.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/instruments.h"

namespace waggle::metrics {

struct SelectEntry {
    std::vector<std::string> include;
    std::vector<std::string> exclude;
};
using Selection = std::map<std::string, SelectEntry>;

// "http_server_request_duration_seconds_bucket" is "http.server.request.duration".
std::string normal_metric_key(std::string_view key);

// Shell glob over the whole text: *, ?, [a-z], [^a-z], backslash. * and ? do not cross '/'.
bool glob_matches(std::string_view pattern, std::string_view text);

// The rows the metric carries, sorted by name.
std::vector<AttributeRow> selected(const Selection& selection, std::string_view metric, AttributeRows rows);

}  // namespace waggle::metrics
