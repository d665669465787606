// SPDX-License-Identifier: Apache-2.0
// What the agent's own metrics mean: one row each, for help texts and docs/metrics.md.
#pragma once

#include <span>
#include <string_view>

namespace waggle::metrics {

struct SelfDescription {
    std::string_view name;    // as SelfMetrics knows it
    std::string_view kind;    // counter or gauge
    std::string_view labels;  // for the documentation
    std::string_view text;
};

std::span<const SelfDescription> self_descriptions();
// Empty when there is no such row.
std::string_view self_description(std::string_view name);

}  // namespace waggle::metrics
