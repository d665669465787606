// SPDX-License-Identifier: Apache-2.0
#include "metrics/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "metrics/test_spans.h"

namespace waggle::metrics {
namespace {

using spans::add_server_span;
using spans::SpanBatch;
using spans::test_resource;
using testing::Contains;

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::string_view kDuration = "http.server.request.duration";

const Metric* find(const Snapshot& snapshot, std::string_view name, std::string_view service = {}) {
    for (const auto& resource : snapshot.resources)
        for (const Metric& metric : resource.metrics)
            if (metric.name == name &&
                (service.empty() || (resource.resource && resource.resource->service_name == service)))
                return &metric;
    return nullptr;
}

std::uint64_t total_count(const Snapshot& snapshot, std::string_view name) {
    std::uint64_t sum = 0;
    for (const auto& resource : snapshot.resources)
        for (const Metric& metric : resource.metrics)
            if (metric.name == name)
                for (const Point& point : metric.points) sum += point.histogram.count;
    return sum;
}

std::vector<std::string> keys(const Point& point) {
    std::vector<std::string> out;
    for (const auto& attribute : point.attributes) out.emplace_back(attribute.key);
    return out;
}

bool has_key(const Point& point, std::string_view key) {
    return std::ranges::any_of(point.attributes, [&](const auto& attribute) { return attribute.key == key; });
}

TEST(Registry, RecordsDurationAndSizesOfAServerSpan) {
    Registry registry({});
    SpanBatch batch;
    add_server_span(batch, test_resource());
    registry.record(batch, 2 * kSecond);

    const Snapshot snapshot = registry.collect(3 * kSecond, 0);
    const Metric* duration = find(snapshot, kDuration);
    ASSERT_TRUE(duration);
    ASSERT_EQ(duration->points.size(), 1u);
    const Point& point = duration->points[0];
    EXPECT_THAT(keys(point), testing::ElementsAre("http.request.method", "http.response.status_code", "http.route",
                                                  "network.protocol.version", "url.scheme"));
    EXPECT_EQ(point.histogram.count, 1u);
    EXPECT_NEAR(point.histogram.sum, 0.02, 1e-12);
    EXPECT_EQ(point.histogram.counts[2], 1u);  // (0.01, 0.025]
    EXPECT_EQ(point.start_ns, kSecond);
    EXPECT_EQ(point.time_ns, 3 * kSecond);
    EXPECT_EQ(find(snapshot, "http.server.request.body.size")->points[0].histogram.sum, 100);
    EXPECT_EQ(find(snapshot, "http.server.response.body.size")->points[0].histogram.sum, 2000);
    EXPECT_FALSE(find(snapshot, "http.client.request.duration"));
}

// The head of its answer was read: what becomes of it is not known.
TEST(Registry, AnExchangeThatIsStillOpenHasNoStatus) {
    for (const Profile profile : {Profile::Otel, Profile::Beyla})
        for (const auto why : {spans::Incomplete::MaxAge, spans::Incomplete::AgentStop}) {
            Registry registry({.profile = profile});
            SpanBatch batch;
            add_server_span(batch, test_resource());
            add_server_span(batch, test_resource()).incomplete = why;
            add_server_span(batch, test_resource()).incomplete = spans::Incomplete::Closed;
            registry.record(batch, kSecond);
            const Snapshot snapshot = registry.collect(2 * kSecond, 0);
            const Metric* metric = find(snapshot, kDuration);
            ASSERT_TRUE(metric);
            std::map<bool, std::uint64_t> by_status;
            for (const Point& point : metric->points)
                by_status[has_key(point, attr::http_response_status_code)] += point.histogram.count;
            EXPECT_EQ(by_status, (std::map<bool, std::uint64_t>{{false, 1}, {true, 2}}));
        }
}

TEST(Registry, SpansWithEqualAttributesShareASeries) {
    Registry registry({});
    SpanBatch batch;
    for (int i = 0; i < 5; ++i) add_server_span(batch, test_resource());  // five equal resources
    add_server_span(batch, test_resource(), "/other");
    registry.record(batch, kSecond);
    const Snapshot snapshot = registry.collect(2 * kSecond, 0);
    ASSERT_EQ(snapshot.resources.size(), 1u);
    EXPECT_EQ(find(snapshot, kDuration)->points.size(), 2u);
    EXPECT_EQ(total_count(snapshot, kDuration), 6u);
}

TEST(Registry, IgnoresSpansThatFiltersTookOut) {
    Registry registry({});
    SpanBatch batch;
    add_server_span(batch, test_resource()).is_ignored_for_metrics = true;
    registry.record(batch, kSecond);
    EXPECT_TRUE(registry.collect(2 * kSecond, 0).resources.empty());
}

TEST(Registry, SeriesTextDoesNotDependOnTheBatch) {
    Registry registry({});
    {
        SpanBatch batch;
        add_server_span(batch, test_resource(), "/gone/after/this/scope");
        registry.record(batch, kSecond);
    }
    const Snapshot snapshot = registry.collect(2 * kSecond, 0);
    const Metric* metric = find(snapshot, kDuration);
    ASSERT_TRUE(metric);
    EXPECT_EQ(std::get<std::string_view>(metric->points[0].attributes[2].value), "/gone/after/this/scope");
}

TEST(Registry, BeylaProfileHasItsAttributesAndBuckets) {
    Registry registry({.profile = Profile::Beyla});
    SpanBatch batch;
    add_server_span(batch, test_resource());
    registry.record(batch, kSecond);
    const Snapshot snapshot = registry.collect(2 * kSecond, 0);
    const Metric* metric = find(snapshot, kDuration);
    ASSERT_TRUE(metric);
    EXPECT_THAT(keys(metric->points[0]), testing::ElementsAre("http.request.method", "http.response.status_code",
                                                              "http.route", "server.address", "server.port"));
    EXPECT_EQ(metric->bounds.size(), 15u);
    EXPECT_EQ(metric->bounds[0], 0);
    EXPECT_FALSE(find(snapshot, "http.server.response.body.size"));
}

TEST(Registry, SelectAddsAndRemovesAttributes) {
    RegistryOptions options;
    options.select["http_server_*"] = {.include = {"*"}, .exclude = {"url_*"}};
    Registry registry(options);
    SpanBatch batch;
    add_server_span(batch, test_resource());
    registry.record(batch, kSecond);
    const Snapshot snapshot = registry.collect(2 * kSecond, 0);
    const auto names = keys(find(snapshot, kDuration)->points[0]);
    EXPECT_THAT(names, Contains("client.address"));
    EXPECT_THAT(names, testing::Not(Contains("url.path")));
}

TEST(Registry, SpanMetricsAndServiceGraph) {
    RegistryOptions options;
    options.profile = Profile::Beyla;
    options.features = {"application_span", "application_service_graph"};
    Registry registry(options);
    SpanBatch batch;
    add_server_span(batch, test_resource(), "/x", 500);
    add_server_span(batch, test_resource(), "/x", 200);
    registry.record(batch, kSecond);
    const Snapshot snapshot = registry.collect(2 * kSecond, 0);
    const Metric* calls = find(snapshot, "traces_spanmetrics_calls_total");
    ASSERT_TRUE(calls);
    EXPECT_EQ(calls->points.size(), 2u);  // status code 1 and 0
    EXPECT_EQ(find(snapshot, "traces_spanmetrics_size_total")->points[0].value, 100);
    EXPECT_EQ(find(snapshot, "traces_service_graph_request_total")->points[0].value, 2);
    EXPECT_EQ(find(snapshot, "traces_service_graph_request_failed_total")->points[0].value, 1);
    EXPECT_FALSE(find(snapshot, "traces_service_graph_request_client"));
    EXPECT_TRUE(find(snapshot, "traces_target_info"));
    EXPECT_FALSE(find(snapshot, kDuration));
}

TEST(Registry, OverflowKeepsTheSums) {
    RegistryOptions options;
    options.series_limit = 10;
    Registry registry(options);
    SpanBatch batch;
    for (int i = 0; i < 100; ++i) add_server_span(batch, test_resource(), "/r" + std::to_string(i));
    for (int i = 0; i < 100; ++i) add_server_span(batch, test_resource(), "/r" + std::to_string(i));
    registry.record(batch, kSecond);

    const Snapshot snapshot = registry.collect(2 * kSecond, 0);
    EXPECT_EQ(total_count(snapshot, kDuration), 200u);
    const ResourceMetrics& last = snapshot.resources.back();
    EXPECT_FALSE(last.resource);
    ASSERT_EQ(last.metrics[0].points.size(), 1u);
    const Point& point = last.metrics[0].points[0];
    EXPECT_TRUE(point.is_overflow);
    EXPECT_EQ(point.histogram.count, 180u);
    EXPECT_THAT(keys(point), testing::ElementsAre("otel.metric.overflow"));
    EXPECT_EQ(registry.overflowed(), 180u * 3);  // duration and two sizes
    EXPECT_EQ(registry.series(), 10u * 4);       // of four instruments that share the rows
}

TEST(Registry, ExpiredSeriesComesBackWithANewStart) {
    RegistryOptions options;
    options.ttl_ns = 10 * kSecond;
    Registry registry(options);
    SpanBatch batch;
    add_server_span(batch, test_resource());
    registry.record(batch, kSecond);
    EXPECT_FALSE(registry.collect(11 * kSecond, 0).resources.empty());
    EXPECT_TRUE(registry.collect(12 * kSecond, 0).resources.empty());
    EXPECT_EQ(registry.series(), 0u);

    batch.begin()->start_ns = 20 * kSecond;
    batch.begin()->end_ns = 21 * kSecond;
    registry.record(batch, 21 * kSecond);
    const Snapshot snapshot = registry.collect(22 * kSecond, 0);
    EXPECT_EQ(find(snapshot, kDuration)->points[0].start_ns, 20 * kSecond);
    EXPECT_EQ(total_count(snapshot, kDuration), 1u);
}

TEST(Registry, ExpiryMakesRoomBelowTheLimit) {
    RegistryOptions options;
    options.ttl_ns = 10 * kSecond;
    options.series_limit = 1;
    Registry registry(options);
    SpanBatch batch;
    add_server_span(batch, test_resource(), "/a");
    registry.record(batch, kSecond);
    registry.collect(20 * kSecond, 0);
    batch.clear();
    add_server_span(batch, test_resource(), "/b");
    registry.record(batch, 21 * kSecond);
    EXPECT_EQ(registry.overflowed(), 0u);
}

TEST(Registry, DeltaStartsAgainAfterEveryCollect) {
    RegistryOptions options;
    options.temporality = Temporality::Delta;
    Registry registry(options);
    SpanBatch batch;
    add_server_span(batch, test_resource());
    registry.record(batch, kSecond);
    EXPECT_EQ(total_count(registry.collect(2 * kSecond, 0), kDuration), 1u);
    EXPECT_TRUE(registry.collect(3 * kSecond, 0).resources.empty());
    registry.record(batch, 4 * kSecond);
    registry.record(batch, 4 * kSecond);
    const Snapshot snapshot = registry.collect(5 * kSecond, 0);
    EXPECT_EQ(total_count(snapshot, kDuration), 2u);
    EXPECT_EQ(find(snapshot, kDuration)->temporality, Temporality::Delta);
    EXPECT_EQ(find(snapshot, kDuration)->points[0].start_ns, 3 * kSecond);
    EXPECT_NEAR(find(snapshot, kDuration)->points[0].histogram.max, 0.02, 1e-12);
}

TEST(Registry, ExemplarIsTheLatestSampledSpan) {
    Registry registry({});
    SpanBatch batch;
    add_server_span(batch, test_resource()).span_id.bytes[7] = 8;
    add_server_span(batch, test_resource()).span_id.bytes[7] = 9;
    add_server_span(batch, test_resource()).flags = 0;
    registry.record(batch, kSecond);
    const Snapshot snapshot = registry.collect(2 * kSecond, 0);
    const Point& point = find(snapshot, kDuration)->points[0];
    ASSERT_TRUE(point.exemplar);
    EXPECT_EQ(point.exemplar->span_id.bytes[7], 9);
}

TEST(Registry, SetReplacesALevel) {
    Registry registry({});
    const std::vector<spans::Attribute> attributes{{"http.request.method", "GET"}, {"url.scheme", "http"}};
    registry.set("http.server.active_requests", test_resource(), attributes, 5, kSecond);
    registry.set("http.server.active_requests", test_resource(), attributes, 3, 2 * kSecond);
    registry.set("no.such.metric", test_resource(), attributes, 3, 2 * kSecond);
    const Snapshot snapshot = registry.collect(3 * kSecond, 0);
    const Metric* metric = find(snapshot, "http.server.active_requests");
    ASSERT_TRUE(metric);
    EXPECT_EQ(metric->kind, Kind::UpDownCounter);
    ASSERT_EQ(metric->points.size(), 1u);
    EXPECT_EQ(metric->points[0].value, 3);
}

TEST(Registry, BothHistogramsHoldTheSameCounts) {
    RegistryOptions options;
    options.histograms = Histograms::Both;
    Registry registry(options);
    SpanBatch batch;
    for (std::uint64_t i = 0; i < 50; ++i) add_server_span(batch, test_resource()).end_ns += i * i * 1'000'000;
    registry.record(batch, kSecond);
    const Snapshot snapshot = registry.collect(2 * kSecond, 0);
    const HistogramPoint& point = find(snapshot, kDuration)->points[0].histogram;
    ASSERT_TRUE(point.exponential);
    std::uint64_t sum = point.exponential->zero_count;
    for (const std::uint64_t count : point.exponential->counts) sum += count;
    EXPECT_EQ(sum, point.count);
    EXPECT_FALSE(point.counts.empty());
}

// … of what is named by the same attributes as others, too.
TEST(Registry, InstrumentationsAreOfEachSpan) {
    RegistryOptions options;
    options.instrumentations = {"sql"};
    Registry registry(options);
    SpanBatch batch;
    for (const auto& [protocol, word] : {std::pair{"postgresql", "sql"}, {"redis", ""}}) {
        spans::Span& span = add_server_span(batch, test_resource());
        span.span_class = spans::SpanClass::Db;
        span.kind = spans::SpanKind::Client;
        span.protocol = protocol;
        span.instrumentation = word;
        span.attributes.add(attr::db_system_name, protocol);
    }
    registry.record(batch, kSecond);
    const Snapshot snapshot = registry.collect(2 * kSecond, 0);
    const Metric* metric = find(snapshot, "db.client.operation.duration");
    ASSERT_TRUE(metric);
    ASSERT_EQ(metric->points.size(), 1u);
    EXPECT_EQ(metric->points[0].histogram.count, 1u);
}

TEST(Registry, InstrumentationsSwitchMetricsOff) {
    RegistryOptions options;
    options.instrumentations = {"sql"};
    Registry registry(options);
    SpanBatch batch;
    add_server_span(batch, test_resource());
    registry.record(batch, kSecond);
    EXPECT_TRUE(registry.collect(2 * kSecond, 0).resources.empty());
}

TEST(Registry, NewDescriptionOfTheSameServiceReplacesTheOld) {
    Registry registry({});
    SpanBatch batch;
    add_server_span(batch, test_resource());
    auto richer = std::make_shared<spans::Resource>(*test_resource());
    richer->attributes.emplace_back("process.pid", "7");
    add_server_span(batch, richer);
    registry.record(batch, kSecond);
    const Snapshot snapshot = registry.collect(2 * kSecond, 0);
    ASSERT_EQ(snapshot.resources.size(), 1u);
    EXPECT_EQ(snapshot.resources[0].resource->attributes.back().first, "process.pid");
}

// Two reads of the clocks never give the same offset, and the wall clock is adjusted.
TEST(Registry, AStartTimeStaysWhileTheWallClockMoves) {
    for (const Temporality temporality : {Temporality::Cumulative, Temporality::Delta}) {
        Registry registry({.temporality = temporality});
        SpanBatch batch;
        add_server_span(batch, test_resource());
        std::vector<std::int64_t> starts;
        std::int64_t last_end = 0;
        for (const std::int64_t offset : {1000, 1007, 996}) {
            registry.record(batch, 2 * kSecond);
            const Snapshot snapshot = registry.collect((starts.size() + 3) * kSecond, offset);
            const Point& point = find(snapshot, kDuration)->points.at(0);
            starts.push_back(static_cast<std::int64_t>(point.start_ns) + offset);
            if (temporality == Temporality::Delta && last_end) {
                EXPECT_EQ(starts.back(), last_end);
            }
            last_end = static_cast<std::int64_t>(point.time_ns) + offset;
        }
        if (temporality == Temporality::Cumulative) {
            EXPECT_EQ(starts, std::vector(3, starts[0]));
        }
    }
}

}  // namespace
}  // namespace waggle::metrics
