// SPDX-License-Identifier: Apache-2.0
#include "spans/span_copy.h"

namespace waggle::spans {

Span& copy_span(const Span& from, SpanBatch& to) {
    Span& span = to.add();
    static_cast<SpanFields&>(span) = from;
    span.resource = from.resource;
    span.links = from.links;
    span.name = to.text(from.name);
    span.trace_state = to.text(from.trace_state);
    for (const Attribute& attribute : from.attributes) {
        Value value = attribute.value;
        if (auto* text = std::get_if<std::string_view>(&value)) *text = to.text(*text);
        span.attributes.add(attribute.key, value);
    }
    return span;
}

}  // namespace waggle::spans
