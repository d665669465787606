// SPDX-License-Identifier: Apache-2.0
#include "otlp/encode.h"
#include "otlp/json.h"
#include "otlp/model.h"

namespace waggle::otlp {
namespace {

void write_span(JsonWriter& json, const spans::Span& span, const SpanContext& context,
                std::vector<spans::Attribute>& scratch) {
    json.begin_object();
    write_id(json, "traceId", span.trace_id);
    write_id(json, "spanId", span.span_id);
    if (!span.trace_state.empty()) json.key("traceState").text(span.trace_state);
    if (span.parent_span_id.is_valid()) write_id(json, "parentSpanId", span.parent_span_id);
    if (context.profile != metrics::Profile::Beyla) json.key("flags").integer(span_flags(span));
    json.key("name").text(span.name);
    json.key("kind").integer(span_kind(span));
    json.key("startTimeUnixNano").long_unsigned(wall(span.start_ns, context.wall_offset_ns));
    json.key("endTimeUnixNano").long_unsigned(wall(span.end_ns, context.wall_offset_ns));
    span_attributes(span, context.profile, scratch);
    write_attributes(json, scratch);
    if (!span.links.empty()) {
        json.key("links").begin_array();
        for (const spans::Link& link : span.links) {
            json.begin_object();
            write_id(json, "traceId", link.trace_id);
            write_id(json, "spanId", link.span_id);
            json.end_object();
        }
        json.end_array();
    }
    json.key("status").begin_object();
    if (span.status == spans::Status::Error) json.key("code").integer(kStatusError);
    json.end_object();
    json.end_object();
}

}  // namespace

std::string spans_to_json(const spans::SpanBatch& batch, const SpanContext& context) {
    std::string data;
    JsonWriter json(data);
    std::vector<spans::Attribute> scratch;
    json.begin_object();
    json.key("resourceSpans").begin_array();
    for (const ResourceSpans& group : by_resource(batch)) {
        json.begin_object();
        write_resource(json, resource_attributes(group.resource, context.profile));
        json.key("scopeSpans").begin_array();
        json.begin_object();
        write_scope(json, span_scope(context.profile));
        json.key("spans").begin_array();
        for (const spans::Span* span : group.spans) write_span(json, *span, context, scratch);
        json.end_array();
        json.end_object();
        json.end_array();
        json.end_object();
    }
    json.end_array();
    json.end_object();
    return data;
}

}  // namespace waggle::otlp
