// SPDX-License-Identifier: Apache-2.0
#include "exporters/console.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "exporters/console_fields.h"
#include "metrics/test_spans.h"

namespace waggle::exporters {
namespace {

using nlohmann::json;
using spans::SpanBatch;

void fill(SpanBatch& batch) {
    auto& span = spans::add_server_span(batch, spans::test_resource());
    span.sequence.is_known = true;
    span.sequence.client_address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 9};
    span.sequence.server_address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1};
    span.sequence.client_port = 5555;
    span.sequence.server_port = 8080;
}

TEST(ConsoleText, OneLinePerSpan) {
    SpanBatch batch;
    fill(batch);
    std::string out;
    print_text(batch, 1'700'000'000'000'000'000, out);
    EXPECT_THAT(out, testing::HasSubstr(" (20ms[20ms]) HTTP 200 GET /items/7 "
                                        "[10.0.0.9 as 10.0.0.2:5555]->[10.0.0.1 as 10.0.0.1:8080] size:100B "
                                        "svc=[prod/shop go] traceparent=[00-ab000000000000000000000000000001-"
                                        "0000000000000002[0000000000000000]-01]\n"));
    EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 1);
}

TEST(ConsoleText, ControlCharactersDoNotReachTheTerminal) {
    SpanBatch batch;
    auto& span = spans::add_server_span(batch, nullptr);
    span.attributes.set("url.path", std::string_view("/\x1b[31m\n\xff"));
    std::string out;
    print_text(batch, 0, out);
    EXPECT_EQ(out.find('\x1b'), std::string::npos);
    EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 1);
}

TEST(ConsoleJson, HasBeylasFields) {
    SpanBatch batch;
    fill(batch);
    batch.begin()->is_ignored_for_traces = true;
    std::string out;
    print_json(batch, 1'700'000'000'000'000'000, false, out);
    const json span = json::parse(out)[0];
    EXPECT_EQ(span["type"], "HTTP");
    EXPECT_EQ(span["ignoreSpan"], "Traces");
    EXPECT_EQ(span["peer"], "10.0.0.9");
    EXPECT_EQ(span["peerPort"], "5555");
    EXPECT_EQ(span["hostPort"], "8080");
    EXPECT_EQ(span["traceID"], "ab000000000000000000000000000001");
    EXPECT_EQ(span["kind"], "SPAN_KIND_SERVER");
    EXPECT_EQ(span["flags"], "1");
    EXPECT_EQ(span["start"], "1700000001000000");
    EXPECT_EQ(span["duration"], "20ms");
    EXPECT_EQ(span["durationUSec"], "20000");
    EXPECT_EQ(span["attributes"], json::parse(R"({"method":"GET","status":"200","url":"/items/7","contentLen":"100",
                              "route":"/items/*","clientAddr":"10.0.0.2","serverAddr":"10.0.0.1",
                              "serverPort":"8080"})"));
}

TEST(ConsoleJson, IndentedIsTheSameDocument) {
    SpanBatch batch;
    fill(batch);
    std::string line;
    std::string indented;
    print_json(batch, 0, false, line);
    print_json(batch, 0, true, indented);
    EXPECT_EQ(json::parse(line), json::parse(indented));
    EXPECT_THAT(indented, testing::StartsWith("[\n {\n  \"type\": \"HTTP\""));
    std::string nothing;
    print_json(SpanBatch{}, 0, false, nothing);
    EXPECT_EQ(nothing, "");
}

TEST(GoDuration, PrintsLikeGo) {
    EXPECT_EQ(go_duration(0), "0s");
    EXPECT_EQ(go_duration(999), "999ns");
    EXPECT_EQ(go_duration(1'500), "1.5µs");
    EXPECT_EQ(go_duration(350'000), "350µs");
    EXPECT_EQ(go_duration(1'234'567), "1.234567ms");
    EXPECT_EQ(go_duration(2'500'000'000), "2.5s");
    EXPECT_EQ(go_duration(62'500'000'000), "1m2.5s");
    EXPECT_EQ(go_duration(3'600'000'000'000), "1h0m0s");
}

}  // namespace
}  // namespace waggle::exporters
