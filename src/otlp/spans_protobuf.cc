// SPDX-License-Identifier: Apache-2.0
#include "otlp/encode.h"
#include "otlp/model.h"
#include "otlp/protobuf.h"

namespace waggle::otlp {
namespace {

// One span at a time is built where there is room for certain, which costs half of growing a string.
using FixedWriter = protozero::basic_pbf_writer<protozero::fixed_size_buffer_adaptor>;

struct Scratch {
    std::vector<spans::Attribute> attributes;
    std::string bytes;
};

// No less than what the span takes: each text may grow threefold where bytes are replaced (utf8.h), each field
// has tags and lengths.
std::size_t size_bound(const spans::Span& span, const std::vector<spans::Attribute>& attributes) {
    constexpr std::size_t kPlain = 256;  // ids, times, kind, status, flags
    constexpr std::size_t kAround = 32;
    constexpr std::size_t kGrowth = 3;
    std::size_t bound =
        kPlain + kGrowth * (span.name.size() + span.trace_state.size()) + span.links.size() * 2 * kAround;
    for (const spans::Attribute& attribute : attributes) {
        const auto* text = std::get_if<std::string_view>(&attribute.value);
        bound += kAround + kGrowth * (attribute.key.size() + (text ? text->size() : 0));
    }
    return bound;
}

void add_span(protozero::pbf_writer& parent, const spans::Span& from, const SpanContext& context, Scratch& scratch) {
    namespace f = field::span;
    span_attributes(from, context.profile, scratch.attributes);
    const std::size_t bound = size_bound(from, scratch.attributes);
    if (scratch.bytes.size() < bound) scratch.bytes.resize(2 * bound);
    protozero::fixed_size_buffer_adaptor buffer(scratch.bytes.data(), scratch.bytes.size());
    FixedWriter to(buffer);
    add_id(to, f::kTraceId, from.trace_id);
    add_id(to, f::kSpanId, from.span_id);
    if (!from.trace_state.empty()) add_text(to, f::kTraceState, from.trace_state);
    if (from.parent_span_id.is_valid()) add_id(to, f::kParentSpanId, from.parent_span_id);
    add_text(to, f::kName, from.name);
    to.add_enum(f::kKind, span_kind(from));
    to.add_fixed64(f::kStart, wall(from.start_ns, context.wall_offset_ns));
    to.add_fixed64(f::kEnd, wall(from.end_ns, context.wall_offset_ns));
    for (const spans::Attribute& attribute : scratch.attributes) add_attribute(to, f::kAttributes, attribute);
    for (const spans::Link& link : from.links) {
        FixedWriter writer(to, f::kLinks);
        add_id(writer, field::link::kTraceId, link.trace_id);
        add_id(writer, field::link::kSpanId, link.span_id);
    }
    if (from.status == spans::Status::Error) {
        FixedWriter status(to, f::kStatus);
        status.add_enum(field::status::kCode, kStatusError);
    }
    if (context.profile != metrics::Profile::Beyla) to.add_fixed32(f::kFlags, span_flags(from));
    parent.add_message(field::by_scope::kItems, buffer.data(), buffer.size());
}

}  // namespace

std::string spans_to_protobuf(const spans::SpanBatch& batch, const SpanContext& context) {
    std::string data;
    data.reserve(batch.size() * 512);
    protozero::pbf_writer request(data);
    Scratch scratch;
    for (const ResourceSpans& group : by_resource(batch)) {
        protozero::pbf_writer resource_spans(request, field::request::kResources);
        add_resource(resource_spans, resource_attributes(group.resource, context.profile));
        protozero::pbf_writer scope_spans(resource_spans, field::by_resource::kScopes);
        add_scope(scope_spans, span_scope(context.profile));
        for (const spans::Span* span : group.spans) add_span(scope_spans, *span, context, scratch);
    }
    return data;
}

}  // namespace waggle::otlp
