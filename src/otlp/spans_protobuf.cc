// SPDX-License-Identifier: Apache-2.0
#include "otlp/encode.h"
#include "otlp/model.h"
#include "otlp/protobuf.h"

namespace waggle::otlp {
namespace {

using protozero::pbf_writer;

void add_span(pbf_writer& parent, const spans::Span& from, const SpanContext& context,
              std::vector<spans::Attribute>& scratch) {
    namespace f = field::span;
    pbf_writer to(parent, field::by_scope::kItems);
    add_id(to, f::kTraceId, from.trace_id);
    add_id(to, f::kSpanId, from.span_id);
    if (!from.trace_state.empty()) add_text(to, f::kTraceState, from.trace_state);
    if (from.parent_span_id.is_valid()) add_id(to, f::kParentSpanId, from.parent_span_id);
    add_text(to, f::kName, from.name);
    to.add_enum(f::kKind, span_kind(from));
    to.add_fixed64(f::kStart, wall(from.start_ns, context.wall_offset_ns));
    to.add_fixed64(f::kEnd, wall(from.end_ns, context.wall_offset_ns));
    span_attributes(from, context.profile, scratch);
    for (const spans::Attribute& attribute : scratch) add_attribute(to, f::kAttributes, attribute);
    for (const spans::Link& link : from.links) {
        pbf_writer writer(to, f::kLinks);
        add_id(writer, field::link::kTraceId, link.trace_id);
        add_id(writer, field::link::kSpanId, link.span_id);
    }
    if (from.status == spans::Status::Error) {
        pbf_writer status(to, f::kStatus);
        status.add_enum(field::status::kCode, kStatusError);
    }
    if (context.profile != metrics::Profile::Beyla) to.add_fixed32(f::kFlags, span_flags(from));
}

}  // namespace

std::string spans_to_protobuf(const spans::SpanBatch& batch, const SpanContext& context) {
    std::string data;
    data.reserve(batch.size() * 512);
    pbf_writer request(data);
    std::vector<spans::Attribute> scratch;
    for (const ResourceSpans& group : by_resource(batch)) {
        pbf_writer resource_spans(request, field::request::kResources);
        add_resource(resource_spans, resource_attributes(group.resource, context.profile));
        pbf_writer scope_spans(resource_spans, field::by_resource::kScopes);
        add_scope(scope_spans, span_scope(context.profile));
        for (const spans::Span* span : group.spans) add_span(scope_spans, *span, context, scratch);
    }
    return data;
}

}  // namespace waggle::otlp
