// SPDX-License-Identifier: Apache-2.0
#include "otlp/model.h"

#include <unordered_map>

#include "metrics/target_info.h"
#include "spans/attribute_names.h"

namespace waggle::otlp {
namespace {

std::string_view incomplete_name(spans::Incomplete incomplete) {
    switch (incomplete) {
        case spans::Incomplete::Closed:
            return "closed";
        case spans::Incomplete::Timeout:
            return "timeout";
        case spans::Incomplete::MaxAge:
            return "max_age";
        case spans::Incomplete::Hole:
            return "hole";
        case spans::Incomplete::AgentStart:
            return "agent_start";
        case spans::Incomplete::AgentStop:
            return "agent_stop";
        case spans::Incomplete::No:
            break;
    }
    return {};
}

// Nothing for a parent that a header names: that is what everybody expects.
std::string_view parent_name(spans::ParentSource source) {
    switch (source) {
        case spans::ParentSource::Exact:
            return "exact";
        case spans::ParentSource::Runtime:
            return "runtime";
        case spans::ParentSource::Thread:
            return "thread";
        case spans::ParentSource::Inferred:
            return "inferred";
        default:
            return {};
    }
}

}  // namespace

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

std::vector<spans::Attribute> resource_attributes(const spans::Resource* resource,
                                                  metrics::Profile profile) {
    if (!resource) return {};
    return metrics::resource_attributes(*resource, profile);
}

void span_attributes(const spans::Span& span, metrics::Profile profile,
                     std::vector<spans::Attribute>& out) {
    out.assign(span.attributes.begin(), span.attributes.end());
    if (profile == metrics::Profile::Beyla) return;
    const auto add = [&](std::string_view key, spans::Value value) {
        if (!span.attributes.find(key)) out.push_back({key, value});
    };
    if (const auto name = incomplete_name(span.incomplete); !name.empty())
        add(attr::waggle_incomplete, name);
    if (const auto name = parent_name(span.parent_source); !name.empty())
        add(attr::waggle_parent, name);
    if (span.has_unknown_role) add(attr::waggle_role, std::string_view("unknown"));
    if (span.first_byte_ns > span.start_ns)
        add(attr::waggle_ttfb, static_cast<double>(span.first_byte_ns - span.start_ns) * 1e-9);
}

std::uint32_t span_flags(const spans::Span& span) {
    constexpr std::uint32_t kKnowsRemote = 0x100;
    constexpr std::uint32_t kIsRemote = 0x200;
    std::uint32_t flags = span.flags;
    if (!span.parent_span_id.is_valid()) return flags;
    const bool is_local = span.parent_source == spans::ParentSource::Runtime ||
                          span.parent_source == spans::ParentSource::Thread;
    const bool is_remote = span.parent_source == spans::ParentSource::Header ||
                           span.parent_source == spans::ParentSource::Exact;
    if (is_local || is_remote) flags |= kKnowsRemote;
    if (is_remote) flags |= kIsRemote;
    return flags;
}

std::string_view span_scope(metrics::Profile profile) {
    return profile == metrics::Profile::Beyla ? "" : "waggle";
}

std::string_view metric_scope(metrics::Profile profile) {
    return profile == metrics::Profile::Beyla ? "github.com/grafana/beyla" : "waggle";
}

}  // namespace waggle::otlp
