// SPDX-License-Identifier: Apache-2.0
#include "exporters/prometheus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <protozero/pbf_reader.hpp>

#include "http/gzip.h"
#include "metrics/registry.h"
#include "metrics/test_spans.h"

namespace waggle::exporters {
namespace {

using metrics::Kind;
using metrics::Metric;
using metrics::Point;
using metrics::Profile;
using metrics::Snapshot;
using testing::HasSubstr;

spans::ResourcePtr service(std::string instance = "host:1") {
    return std::make_shared<const spans::Resource>(
        spans::Resource{.service_name = "shop",
                        .service_namespace = "prod",
                        .instance_id = std::move(instance),
                        .language = "go",
                        .attributes = {{"host.name", "node"}, {"k8s.pod.name", "p1"}}});
}

Metric histogram_metric() {
    Metric metric{.name = "http.server.request.duration",
                  .unit = "s",
                  .description = "How \"long\"\nit took.",
                  .kind = Kind::Histogram,
                  .bounds = {0.1, 1}};
    Point point;
    point.attributes = {{"http.route", std::string_view("/a\"b\\c\nd")},
                        {"http.response.status_code", std::int64_t{200}}};
    point.histogram = {.count = 6, .sum = 8.5, .counts = {1, 2, 3}};
    point.exemplar = metrics::Exemplar{.value = 0.5, .time_ns = 2'500'000'000};
    point.exemplar->trace_id.bytes[0] = 0xab;
    point.exemplar->span_id.bytes[7] = 1;
    metric.points.push_back(point);
    return metric;
}

Snapshot snapshot_with(std::vector<Metric> metrics) {
    Snapshot snapshot;
    snapshot.resources.push_back({.resource = service(), .metrics = std::move(metrics)});
    return snapshot;
}

TEST(PrometheusName, DerivesFromNameUnitAndKind) {
    EXPECT_EQ(prometheus_name("http.server.request.duration", "s", Kind::Histogram),
              "http_server_request_duration_seconds");
    EXPECT_EQ(prometheus_name("http.server.request.body.size", "By", Kind::Histogram),
              "http_server_request_body_size_bytes");
    EXPECT_EQ(prometheus_name("traces_spanmetrics_calls_total", "", Kind::Counter), "traces_spanmetrics_calls_total");
    EXPECT_EQ(prometheus_name("process.cpu.time", "s", Kind::Counter), "process_cpu_time_seconds_total");
    EXPECT_EQ(prometheus_name("process.cpu.utilization", "1", Kind::Gauge), "process_cpu_utilization_ratio");
    EXPECT_EQ(prometheus_name("http.server.active_requests", "{request}", Kind::UpDownCounter),
              "http_server_active_requests");
    EXPECT_EQ(prometheus_name("2nd metric", "", Kind::Gauge), "_2nd_metric");
}

TEST(PrometheusText, HistogramIsExact) {
    const Snapshot snapshot = snapshot_with({histogram_metric()});
    EXPECT_EQ(write_prometheus(snapshot, PrometheusFormat::Text, {}),
              R"(# HELP http_server_request_duration_seconds How "long"\nit took.
# TYPE http_server_request_duration_seconds histogram
http_server_request_duration_seconds_bucket{http_response_status_code="200",http_route="/a\"b\\c\nd",instance="host:1",job="prod/shop",le="0.1"} 1
http_server_request_duration_seconds_bucket{http_response_status_code="200",http_route="/a\"b\\c\nd",instance="host:1",job="prod/shop",le="1"} 3
http_server_request_duration_seconds_bucket{http_response_status_code="200",http_route="/a\"b\\c\nd",instance="host:1",job="prod/shop",le="+Inf"} 6
http_server_request_duration_seconds_sum{http_response_status_code="200",http_route="/a\"b\\c\nd",instance="host:1",job="prod/shop"} 8.5
http_server_request_duration_seconds_count{http_response_status_code="200",http_route="/a\"b\\c\nd",instance="host:1",job="prod/shop"} 6
# HELP target_info Target metadata
# TYPE target_info gauge
target_info{host_name="node",instance="host:1",job="prod/shop",k8s_pod_name="p1",telemetry_sdk_language="go",telemetry_sdk_name="waggle",telemetry_sdk_version=")" WAGGLE_VERSION
              R"("} 1
)");
}

TEST(PrometheusText, OpenMetricsIsExact) {
    Metric counter{.name = "traces_spanmetrics_calls_total", .kind = Kind::Counter};
    counter.points.push_back({.value = 3});
    Metric histogram = histogram_metric();
    histogram.points[0].attributes.clear();
    Snapshot snapshot;
    snapshot.wall_offset_ns = 1'000'000'000;
    snapshot.resources.push_back({.is_agent = true, .metrics = {counter, histogram}});
    EXPECT_EQ(write_prometheus(snapshot, PrometheusFormat::OpenMetrics, {}),
              R"(# HELP http_server_request_duration_seconds How \"long\"\nit took.
# TYPE http_server_request_duration_seconds histogram
# UNIT http_server_request_duration_seconds seconds
http_server_request_duration_seconds_bucket{le="0.1"} 1
http_server_request_duration_seconds_bucket{le="1.0"} 3 # {trace_id="ab000000000000000000000000000000",span_id="0000000000000001"} 0.5 3.500
http_server_request_duration_seconds_bucket{le="+Inf"} 6
http_server_request_duration_seconds_sum 8.5
http_server_request_duration_seconds_count 6
# TYPE traces_spanmetrics_calls counter
traces_spanmetrics_calls_total 3
# EOF
)");
}

TEST(PrometheusText, OpenMetricsNamesInfoByFamily) {
    const std::string text = write_prometheus(snapshot_with({}), PrometheusFormat::OpenMetrics, {});
    EXPECT_THAT(text, HasSubstr("# TYPE target info\ntarget_info{"));
}

TEST(PrometheusText, BeylaProfileHasItsLabels) {
    Metric metric{.name = "http.server.request.duration", .unit = "s", .kind = Kind::Histogram};
    metric.points.push_back({.histogram = {.count = 1, .sum = 1}});
    Metric spans{.name = "traces_spanmetrics_calls_total", .kind = Kind::Counter};
    spans.points.push_back({.attributes = {{"status.code", std::int64_t{0}}}, .value = 1});
    const std::string text =
        write_prometheus(snapshot_with({metric, spans}), PrometheusFormat::Text, {.profile = Profile::Beyla});
    EXPECT_THAT(text, HasSubstr("http_server_request_duration_seconds_count{instance=\"host:1\","
                                "job=\"prod/shop\",k8s_pod_name=\"p1\",service_name=\"shop\","
                                "service_namespace=\"prod\"} 1\n"));
    EXPECT_THAT(text, HasSubstr("traces_spanmetrics_calls_total{instance=\"host:1\","
                                "job=\"prod/shop\",status_code=\"0\"} 1\n"));
    EXPECT_THAT(text, HasSubstr("target_info{host_name=\"node\",instance=\"host:1\","
                                "job=\"prod/shop\",k8s_pod_name=\"p1\",service=\"shop\","
                                "service_namespace=\"prod\",source=\"beyla\","
                                "telemetry_sdk_language=\"go\",telemetry_sdk_name=\"beyla\"} 1\n"));
}

TEST(PrometheusText, EqualLabelsOfSeveralResourcesAreAddedUp) {
    Metric graph{.name = "traces_service_graph_request_total", .kind = Kind::Counter};
    graph.points.push_back({.attributes = {{"client", std::string_view("a")}}, .value = 2});
    Snapshot snapshot = snapshot_with({graph});
    snapshot.resources.push_back({.resource = service("host:2"), .metrics = {graph}});
    const std::string text = write_prometheus(snapshot, PrometheusFormat::Text, {});
    EXPECT_THAT(text, HasSubstr("traces_service_graph_request_total{client=\"a\"} 4\n"));
}

TEST(PrometheusText, BadTextAndClashingLabelsAreMended) {
    Metric metric{.name = "m", .kind = Kind::Gauge};
    metric.points.push_back(
        {.attributes = {{"a.b", std::string_view("\xff")}, {"a_b", std::string_view("two")}, {"1st", true}},
         .value = 0.25});
    Snapshot snapshot;
    snapshot.resources.push_back({.metrics = {metric}});
    EXPECT_EQ(write_prometheus(snapshot, PrometheusFormat::Text, {}),
              "# TYPE m gauge\nm{_1st=\"true\",a_b=\"\xef\xbf\xbd;two\"} 0.25\n");
}

TEST(PrometheusNegotiation, HighestQualityWins) {
    const std::string kProto =
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;"
        "encoding=delimited";
    EXPECT_EQ(negotiate_format(""), PrometheusFormat::Text);
    EXPECT_EQ(negotiate_format("*/*"), PrometheusFormat::Text);
    EXPECT_EQ(negotiate_format("text/html"), PrometheusFormat::Text);
    EXPECT_EQ(negotiate_format("application/openmetrics-text;version=1.0.0,text/plain;q=0.5"),
              PrometheusFormat::OpenMetrics);
    EXPECT_EQ(negotiate_format("application/openmetrics-text;version=0.0.1;q=0.9,*/*;q=0.1"), PrometheusFormat::Text);
    EXPECT_EQ(negotiate_format("text/plain;q=0.3," + kProto +
                               ";q=0.6,"
                               "application/openmetrics-text; version=1.0.0; q=0.5"),
              PrometheusFormat::Protobuf);
    EXPECT_EQ(negotiate_format(kProto + ";q=0, text/plain"), PrometheusFormat::Text);
    EXPECT_EQ(negotiate_format("application/vnd.google.protobuf;encoding=text"), PrometheusFormat::Text);
}

TEST(PrometheusResponse, GzipsWhenAsked) {
    const Snapshot snapshot = snapshot_with({histogram_metric()});
    const auto plain = prometheus_response(snapshot, {}, {});
    EXPECT_EQ(plain.content_type, "text/plain; version=0.0.4; charset=utf-8");
    const http::Request request{.headers = {{"accept-encoding", "gzip"}, {"accept", "application/openmetrics-text"}}};
    const auto packed = prometheus_response(snapshot, request, {});
    EXPECT_EQ(http::find_header(packed.headers, "Content-Encoding"), "gzip");
    EXPECT_THAT(*http::gunzip(packed.body, 1 << 20), testing::EndsWith("# EOF\n"));
    EXPECT_THAT(packed.content_type, HasSubstr("openmetrics-text; version=1.0.0"));
}

// The native histogram of a registry read back from the protobuf exposition.
TEST(PrometheusProtobuf, NativeHistogramHoldsAllCounts) {
    metrics::Registry registry(
        {.histograms = metrics::Histograms::Both, .exponential_scale = 3, .exponential_size = 100});
    spans::SpanBatch batch;
    for (std::uint64_t i = 0; i < 20; ++i) spans::add_server_span(batch, service()).end_ns += i * 10'000'000;
    registry.record(batch, 1);
    const std::string data = write_prometheus(registry.collect(2, 0), PrometheusFormat::Protobuf, {});

    const char* at = data.data();
    const char* const end = at + data.size();
    bool is_found = false;
    while (at < end) {
        const auto size = protozero::decode_varint(&at, end);
        protozero::pbf_reader family(at, size);
        at += size;
        if (!family.next(1) || family.get_string() != "http_server_request_duration_seconds") continue;
        is_found = true;
        ASSERT_TRUE(family.next(4));
        protozero::pbf_reader metric = family.get_message();
        ASSERT_TRUE(metric.next(7));
        protozero::pbf_reader histogram = metric.get_message();
        int classic = 0;
        std::int64_t sum = 0;
        std::uint32_t length = 0;
        while (histogram.next()) switch (histogram.tag()) {
                case 1:
                    EXPECT_EQ(histogram.get_uint64(), 20u);
                    break;
                case 3:
                    ++classic;
                    histogram.skip();
                    break;
                case 5:
                    EXPECT_EQ(histogram.get_sint32(), 3);
                    break;
                case 12: {
                    auto span = histogram.get_message();
                    ASSERT_TRUE(span.next(1));
                    // 20 ms is in (2^(-46/8), 2^(-45/8)], which Prometheus numbers by its end.
                    EXPECT_EQ(span.get_sint32(), -45);
                    ASSERT_TRUE(span.next(2));
                    length = span.get_uint32();
                    break;
                }
                case 13: {
                    std::int64_t count = 0;
                    std::uint32_t buckets = 0;
                    for (const std::int64_t delta : histogram.get_packed_sint64()) {
                        count += delta;
                        sum += count;
                        ++buckets;
                    }
                    EXPECT_EQ(buckets, length);
                    break;
                }
                default:
                    histogram.skip();
            }
        EXPECT_EQ(sum, 20);
        EXPECT_EQ(classic, 14);
    }
    EXPECT_TRUE(is_found);
}

}  // namespace
}  // namespace waggle::exporters
