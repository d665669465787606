// SPDX-License-Identifier: Apache-2.0
// Sampler: which spans are exported as traces, by the names of OTEL_TRACES_SAMPLER. Decisions
// depend on nothing but the span, so all spans of a trace agree, in every agent.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "spans/span.h"

namespace waggle::spans {

class Sampler {
  public:
    // always_on, always_off, traceidratio, and each after "parentbased_". Nothing when the name is
    // unknown or arg (traceidratio: 0 to 1, empty is 1) is no such number.
    static std::optional<Sampler> from(std::string_view name, std::string_view arg);

    // parentbased_always_on
    Sampler() = default;

    // Parent-based: where another process began the trace its sampled flag decides, else the trace
    // id.
    bool is_sampled(const Span& span) const {
        if (is_parent_based_ && (span.has_remote_root || span.parent_source == ParentSource::Header))
            return (span.flags & kSampled) != 0;
        return root_decision(span.trace_id);
    }
    // What a trace that begins here gets.
    bool root_decision(const TraceId& id) const;

  private:
    static constexpr std::uint64_t kAlways = std::uint64_t{1} << 63;

    bool is_parent_based_ = true;
    std::uint64_t bound_ = kAlways;  // of 2^63 trace ids
};

}  // namespace waggle::spans
