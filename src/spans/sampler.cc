// SPDX-License-Identifier: Apache-2.0
#include "spans/sampler.h"

#include <charconv>

namespace waggle::spans {
namespace {

std::optional<double> parse_ratio(std::string_view text) {
    if (text.empty()) return 1.0;
    double ratio = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), ratio);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    if (!(ratio >= 0 && ratio <= 1)) return std::nullopt;
    return ratio;
}

}  // namespace

std::optional<Sampler> Sampler::from(std::string_view name, std::string_view arg) {
    constexpr std::string_view kParentBased = "parentbased_";
    Sampler sampler;
    sampler.is_parent_based_ = name.starts_with(kParentBased);
    if (sampler.is_parent_based_) name.remove_prefix(kParentBased.size());
    if (name == "always_on") return sampler;
    if (name == "always_off") {
        sampler.bound_ = 0;
        return sampler;
    }
    if (name != "traceidratio") return std::nullopt;
    const auto ratio = parse_ratio(arg);
    if (!ratio) return std::nullopt;
    sampler.bound_ = static_cast<std::uint64_t>(*ratio * static_cast<double>(kAlways));
    return sampler;
}

// The rule of the OpenTelemetry SDKs: the last eight bytes, without the lowest bit, against the
// bound.
bool Sampler::root_decision(const TraceId& id) const {
    std::uint64_t number = 0;
    for (std::size_t i = 8; i < id.bytes.size(); ++i) number = number << 8 | id.bytes[i];
    return number >> 1 < bound_;
}

}  // namespace waggle::spans
