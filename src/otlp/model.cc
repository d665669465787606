// SPDX-License-Identifier: Apache-2.0
#include "otlp/model.h"

#include <unordered_map>

#include "metrics/target_info.h"
#include "spans/attribute_names.h"
#include "spans/certainty.h"

namespace waggle::otlp {

std::vector<ResourceSpans> by_resource(const spans::SpanBatch& batch) {
    std::vector<ResourceSpans> groups;
    std::unordered_map<const spans::Resource*, std::size_t> places;
    for (const spans::Span& span : batch) {
        const auto [at, is_new] = places.try_emplace(span.resource.get(), groups.size());
        if (is_new) groups.push_back({.resource = span.resource.get()});
        groups[at->second].spans.push_back(&span);
    }
    return groups;
}

std::vector<spans::Attribute> resource_attributes(const spans::Resource* resource, metrics::Profile profile) {
    if (!resource) return {};
    return metrics::resource_attributes(*resource, profile);
}

void span_attributes(const spans::Span& span, metrics::Profile profile, std::vector<spans::Attribute>& out) {
    out.assign(span.attributes.begin(), span.attributes.end());
    if (profile == metrics::Profile::Beyla) return;
    const auto add_text = [&](std::string_view key, std::string_view text) {
        if (!text.empty()) out.push_back({key, text});
    };
    add_text(attr::waggle_incomplete, spans::incomplete_name(span.incomplete));
    add_text(attr::waggle_parent, spans::parent_name(span.parent_source));
    add_text(attr::waggle_role, spans::role_name(span.has_unknown_role));
    if (span.first_byte_ns > span.start_ns)
        out.push_back({attr::waggle_ttfb, static_cast<double>(span.first_byte_ns - span.start_ns) * 1e-9});
    if (span.queue_us) out.push_back({attr::waggle_queue_time, span.queue_us * 1e-6});
}

std::uint32_t span_flags(const spans::Span& span) {
    constexpr std::uint32_t kKnowsRemote = 0x100;
    constexpr std::uint32_t kIsRemote = 0x200;
    std::uint32_t flags = span.flags;
    if (!span.parent_span_id.is_valid()) return flags;
    const bool is_local =
        span.parent_source == spans::ParentSource::Runtime || span.parent_source == spans::ParentSource::Thread;
    const bool is_remote =
        span.parent_source == spans::ParentSource::Header || span.parent_source == spans::ParentSource::Exact;
    if (is_local || is_remote) flags |= kKnowsRemote;
    if (is_remote) flags |= kIsRemote;
    return flags;
}

std::string_view span_scope(metrics::Profile profile) { return profile == metrics::Profile::Beyla ? "" : "waggle"; }

std::string_view metric_scope(metrics::Profile profile) {
    return profile == metrics::Profile::Beyla ? "github.com/grafana/beyla" : "waggle";
}

}  // namespace waggle::otlp
