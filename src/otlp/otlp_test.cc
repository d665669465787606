// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <protozero/pbf_reader.hpp>
#include <protozero/pbf_writer.hpp>

#include "metrics/registry.h"
#include "metrics/test_spans.h"
#include "otlp/encode.h"

namespace waggle::otlp {
namespace {

using nlohmann::json;
using protozero::pbf_reader;
using spans::add_server_span;
using spans::SpanBatch;
using spans::test_resource;

constexpr std::int64_t kOffset = 1'700'000'000'000'000'000;

// A message as field number → values, all length-delimited, varint and fixed ones as text.
struct Message {
    std::multimap<std::uint32_t, std::string> bytes;
    std::multimap<std::uint32_t, std::uint64_t> numbers;

    explicit Message(const std::string& data) {
        pbf_reader reader(data);
        while (reader.next()) {
            const std::uint32_t tag = reader.tag();
            switch (reader.wire_type()) {
                case protozero::pbf_wire_type::length_delimited:
                    bytes.emplace(tag, reader.get_string());
                    break;
                case protozero::pbf_wire_type::varint:
                    numbers.emplace(tag, reader.get_uint64());
                    break;
                case protozero::pbf_wire_type::fixed64:
                    numbers.emplace(tag, reader.get_fixed64());
                    break;
                default:
                    numbers.emplace(tag, reader.get_fixed32());
            }
        }
    }
    Message at(std::uint32_t tag) const { return Message(text(tag)); }
    std::string text(std::uint32_t tag) const { return bytes.contains(tag) ? bytes.find(tag)->second : ""; }
    std::uint64_t number(std::uint32_t tag) const { return numbers.contains(tag) ? numbers.find(tag)->second : 0; }
    double real(std::uint32_t tag) const { return std::bit_cast<double>(number(tag)); }
    // Attributes in the field as key → text form.
    std::map<std::string, std::string> attributes(std::uint32_t tag) const {
        std::map<std::string, std::string> out;
        const auto [from, to] = bytes.equal_range(tag);
        for (auto at = from; at != to; ++at) {
            const Message pair(at->second);
            const Message value = pair.at(2);
            out[pair.text(1)] = value.bytes.contains(1) ? value.text(1) : std::to_string(value.numbers.begin()->second);
        }
        return out;
    }
};

void fill(SpanBatch& batch) {
    auto& span = add_server_span(batch, test_resource(), "/x", 503);
    span.parent_span_id.bytes[7] = 5;
    span.parent_source = spans::ParentSource::Header;
    span.trace_state = "vendor=1";
    span.links.push_back({.trace_id = span.trace_id, .span_id = span.span_id});
    span.first_byte_ns = span.start_ns + 5'000'000;
    span.queue_us = 1500;
    span.incomplete = spans::Incomplete::MaxAge;
    span.has_unknown_role = true;
}

TEST(OtlpSpans, ProtobufHasEveryField) {
    SpanBatch batch;
    fill(batch);
    const Message request(spans_to_protobuf(batch, {.wall_offset_ns = kOffset}));
    const Message resource_spans = request.at(1);
    const auto resource = resource_spans.at(1).attributes(1);
    EXPECT_EQ(resource.at("service.name"), "shop");
    EXPECT_EQ(resource.at("service.namespace"), "prod");
    EXPECT_EQ(resource.at("service.instance.id"), "host:1");
    EXPECT_EQ(resource.at("telemetry.sdk.name"), "waggle");
    EXPECT_EQ(resource.at("host.id"), "h1");
    EXPECT_EQ(resource_spans.at(2).at(1).text(1), "waggle");

    const Message span = resource_spans.at(2).at(2);
    EXPECT_EQ(span.text(1), std::string("\xab\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16));
    EXPECT_EQ(span.text(2), std::string("\0\0\0\0\0\0\0\2", 8));
    EXPECT_EQ(span.text(3), "vendor=1");
    EXPECT_EQ(span.text(4), std::string("\0\0\0\0\0\0\0\5", 8));
    EXPECT_EQ(span.text(5), "GET /x");
    EXPECT_EQ(span.number(6), 2u);  // SPAN_KIND_SERVER
    EXPECT_EQ(span.number(7), 1'700'000'001'000'000'000u);
    EXPECT_EQ(span.number(8), 1'700'000'001'020'000'000u);
    EXPECT_EQ(span.number(16), 0x301u);  // sampled, parent known to be remote
    EXPECT_EQ(span.at(15).number(3), 2u);
    EXPECT_EQ(span.at(13).text(2), span.text(2));
    const auto attributes = span.attributes(9);
    EXPECT_EQ(attributes.at("http.response.status_code"), "503");
    EXPECT_EQ(attributes.at("http.route"), "/x");
    EXPECT_EQ(attributes.at("waggle.incomplete"), "max_exchange_age");
    EXPECT_EQ(attributes.at("waggle.role"), "unknown");
    EXPECT_TRUE(attributes.contains("waggle.time_to_first_byte"));
    EXPECT_TRUE(attributes.contains("waggle.queue_time"));
}

TEST(OtlpSpans, GroupsByResource) {
    SpanBatch batch;
    const auto first = test_resource("a");
    const auto second = test_resource("b");
    add_server_span(batch, first);
    add_server_span(batch, second);
    add_server_span(batch, first);
    const Message request(spans_to_protobuf(batch, {}));
    EXPECT_EQ(request.bytes.count(1), 2u);
    EXPECT_EQ(request.at(1).at(2).bytes.count(2), 2u);
}

TEST(OtlpSpans, BeylaProfileKeepsToWhatBeylaSends) {
    SpanBatch batch;
    fill(batch);
    const Message request(spans_to_protobuf(batch, {.profile = metrics::Profile::Beyla}));
    EXPECT_EQ(request.at(1).at(1).attributes(1).at("telemetry.sdk.name"), "beyla");
    const Message span = request.at(1).at(2).at(2);
    EXPECT_FALSE(span.numbers.contains(16));
    for (const auto& [key, value] : span.attributes(9)) EXPECT_FALSE(key.starts_with("waggle.")) << key;
}

TEST(OtlpSpans, BadTextIsRepaired) {
    SpanBatch batch;
    add_server_span(batch, nullptr, "/\xff");
    const Message span = Message(spans_to_protobuf(batch, {})).at(1).at(2).at(2);
    EXPECT_EQ(span.text(5), "GET /\xef\xbf\xbd");
    EXPECT_FALSE(json::parse(spans_to_json(batch, {}), nullptr, false).is_discarded());
}

TEST(OtlpSpans, Json) {
    SpanBatch batch;
    fill(batch);
    const json request = json::parse(spans_to_json(batch, {.wall_offset_ns = kOffset}));
    const json& group = request["resourceSpans"][0];
    EXPECT_EQ(group["resource"]["attributes"][0]["value"]["stringValue"], "shop");
    const json& span = group["scopeSpans"][0]["spans"][0];
    EXPECT_EQ(span["traceId"], "ab000000000000000000000000000001");
    EXPECT_EQ(span["spanId"], "0000000000000002");
    EXPECT_EQ(span["parentSpanId"], "0000000000000005");
    EXPECT_EQ(span["kind"], 2);
    EXPECT_EQ(span["flags"], 0x301);
    EXPECT_EQ(span["startTimeUnixNano"], "1700000001000000000");
    EXPECT_EQ(span["status"]["code"], 2);
    EXPECT_EQ(span["links"][0]["spanId"], "0000000000000002");
    EXPECT_EQ(span["attributes"][1]["key"], "http.response.status_code");
    EXPECT_EQ(span["attributes"][1]["value"]["intValue"], "503");
}

metrics::Snapshot snapshot_of(metrics::RegistryOptions options) {
    metrics::Registry registry(std::move(options));
    SpanBatch batch;
    add_server_span(batch, test_resource());
    add_server_span(batch, test_resource()).end_ns += 1'000'000'000;
    registry.record(batch, 2'000'000'000);
    return registry.collect(3'000'000'000, kOffset);
}

// The first metric of that name.
Message metric_of(const std::string& data, std::string_view name) {
    const Message scope = Message(data).at(1).at(2);
    const auto [from, to] = scope.bytes.equal_range(2);
    for (auto at = from; at != to; ++at)
        if (Message(at->second).text(1) == name) return Message(at->second);
    ADD_FAILURE() << "no " << name;
    return Message("");
}

TEST(OtlpMetrics, ExplicitHistogram) {
    const auto snapshot = snapshot_of({});
    const Message metric =
        metric_of(metrics_to_protobuf(snapshot, metrics::Profile::Otel), "http.server.request.duration");
    EXPECT_EQ(metric.text(3), "s");
    const Message data = metric.at(9);
    EXPECT_EQ(data.number(2), 2u);  // cumulative
    const Message point = data.at(1);
    EXPECT_EQ(point.number(2), 1'700'000'001'000'000'000u);
    EXPECT_EQ(point.number(3), 1'700'000'003'000'000'000u);
    EXPECT_EQ(point.number(4), 2u);
    EXPECT_NEAR(point.real(5), 1.04, 1e-9);
    EXPECT_EQ(point.text(6).size(), 15 * 8u);
    EXPECT_EQ(point.text(7).size(), 14 * 8u);
    EXPECT_NEAR(point.real(11), 0.02, 1e-9);
    EXPECT_NEAR(point.real(12), 1.02, 1e-9);
    EXPECT_EQ(point.attributes(9).at("http.route"), "/items/*");
    const Message exemplar = point.at(8);
    EXPECT_NEAR(exemplar.real(3), 1.02, 1e-9);
    EXPECT_EQ(exemplar.text(4).size(), 8u);
    EXPECT_EQ(exemplar.text(5).size(), 16u);
}

TEST(OtlpMetrics, ExponentialHistogram) {
    const auto snapshot =
        snapshot_of({.histograms = metrics::Histograms::Exponential, .temporality = metrics::Temporality::Delta});
    const Message data =
        metric_of(metrics_to_protobuf(snapshot, metrics::Profile::Otel), "http.server.request.duration").at(10);
    EXPECT_EQ(data.number(2), 1u);  // delta
    const Message point = data.at(1);
    EXPECT_EQ(point.number(4), 2u);
    EXPECT_NEAR(point.real(5), 1.04, 1e-9);
    EXPECT_NEAR(point.real(13), 1.02, 1e-9);
    const std::string counts = point.at(8).text(2);
    std::uint64_t sum = 0;
    for (const char c : counts) sum += static_cast<std::uint64_t>(c);  // small: one byte each
    EXPECT_EQ(sum, 2u);
    EXPECT_LE(counts.size(), 160u);
}

TEST(OtlpMetrics, SumsAndJson) {
    const auto snapshot = snapshot_of({.features = {"application_span", "application"}});
    const Message sum =
        metric_of(metrics_to_protobuf(snapshot, metrics::Profile::Otel), "traces_spanmetrics_calls_total").at(7);
    EXPECT_EQ(sum.number(3), 1u);  // monotonic
    EXPECT_EQ(sum.at(1).number(6), 2u);

    const json request = json::parse(metrics_to_json(snapshot, metrics::Profile::Otel));
    const json& metrics = request["resourceMetrics"][0]["scopeMetrics"][0]["metrics"];
    const auto named = [&](std::string_view name) {
        for (const json& metric : metrics)
            if (metric["name"] == name) return metric;
        return json();
    };
    const json calls = named("traces_spanmetrics_calls_total")["sum"];
    EXPECT_EQ(calls["isMonotonic"], true);
    EXPECT_EQ(calls["aggregationTemporality"], 2);
    EXPECT_EQ(calls["dataPoints"][0]["asInt"], "2");
    const json duration = named("http.server.request.duration")["histogram"]["dataPoints"][0];
    EXPECT_EQ(duration["count"], "2");
    EXPECT_EQ(duration["bucketCounts"].size(), 15u);
    EXPECT_EQ(duration["exemplars"][0]["traceId"], "ab000000000000000000000000000001");
}

TEST(OtlpMetrics, OverflowHasNoResourceAttributes) {
    metrics::Registry registry({.series_limit = 1});
    SpanBatch batch;
    add_server_span(batch, test_resource(), "/a");
    add_server_span(batch, test_resource(), "/b");
    registry.record(batch, 1);
    const json request = json::parse(metrics_to_json(registry.collect(2, 0), metrics::Profile::Otel));
    const json& last = request["resourceMetrics"].back();
    EXPECT_TRUE(last["resource"]["attributes"].empty());
    const json& point = last["scopeMetrics"][0]["metrics"][0]["histogram"]["dataPoints"][0];
    EXPECT_EQ(point["attributes"][0]["key"], "otel.metric.overflow");
    EXPECT_EQ(point["attributes"][0]["value"]["boolValue"], true);
}

std::string partial(std::int64_t rejected, const std::string& message) {
    std::string data;
    {
        protozero::pbf_writer response(data);
        protozero::pbf_writer inner(response, 1);
        inner.add_int64(1, rejected);
        inner.add_string(2, message);
    }
    return data;
}

TEST(PartialSuccess, Protobuf) {
    const auto out = read_partial_success(partial(7, "too old"));
    ASSERT_TRUE(out);
    EXPECT_EQ(out->rejected, 7u);
    EXPECT_EQ(out->message, "too old");
    EXPECT_FALSE(read_partial_success(""));
    EXPECT_FALSE(read_partial_success(partial(0, "")));
    EXPECT_EQ(read_partial_success(partial(-4, "x"))->rejected, 0u);
    EXPECT_EQ(read_partial_success(partial(1, std::string(5000, 'x')))->message.size(), 1024u);
}

TEST(PartialSuccess, DamagedProtobufIsNothing) {
    const std::string whole = partial(7, "too old");
    for (std::size_t size = 1; size < whole.size(); ++size) EXPECT_FALSE(read_partial_success(whole.substr(0, size)));
    EXPECT_FALSE(read_partial_success("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"));
}

TEST(PartialSuccess, Json) {
    EXPECT_EQ(read_partial_success_json(R"({"partialSuccess":{"rejectedSpans":"3","errorMessage":"m"}})")->rejected,
              3u);
    EXPECT_EQ(read_partial_success_json(R"({"partialSuccess":{"rejectedDataPoints":4}})")->rejected, 4u);
    for (const std::string_view text : {"", "{}", "[]", "{\"partialSuccess\":", R"({"partialSuccess":{}})", "<html>",
                                        R"({"partialSuccess":{"rejectedSpans":"-3"}})", R"({"partialSuccess":[1]})"})
        EXPECT_FALSE(read_partial_success_json(text)) << text;
    EXPECT_FALSE(read_partial_success_json(std::string(100'000, '[')));
}

}  // namespace
}  // namespace waggle::otlp
