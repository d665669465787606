// SPDX-License-Identifier: Apache-2.0
#include "spans/span_copy.h"

#include <gtest/gtest.h>

namespace waggle::spans {
namespace {

TEST(SpanCopy, OutlivesTheSource) {
    SpanBatch to;
    {
        SpanBatch from;
        Span& span = from.add();
        span.name = from.text(std::string(40, 'n'));
        span.protocol = "http";
        span.trace_state = from.text("a=b");
        span.links.push_back({});
        span.attributes.add("http.request.header.x", from.text(std::string(40, 'v')));
        span.attributes.add("n", std::int64_t{4});
        copy_span(span, to);
    }
    const Span& copy = *to.begin();
    EXPECT_EQ(copy.name, std::string(40, 'n'));
    EXPECT_EQ(copy.protocol, "http");
    EXPECT_EQ(copy.trace_state, "a=b");
    EXPECT_EQ(copy.links.size(), 1u);
    EXPECT_EQ(copy.attributes.text("http.request.header.x"), std::string(40, 'v'));
    EXPECT_EQ(copy.attributes.number("n", 0), 4);
}

}  // namespace
}  // namespace waggle::spans
