// SPDX-License-Identifier: Apache-2.0
#include "decorate/own_telemetry.h"

#include <gtest/gtest.h>

#include "spans/attribute_names.h"

namespace waggle::decorate {
namespace {

using spans::Span;
using spans::SpanBatch;
using spans::SpanKind;

constexpr std::string_view kGrpcTraces = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
constexpr std::string_view kGrpcMetrics = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";

spans::ResourcePtr service(std::string name) {
    auto made = std::make_shared<spans::Resource>();
    made->service_name = std::move(name);
    made->instance_id = "host:5";
    return made;
}

Span& add(SpanBatch& batch, const spans::ResourcePtr& resource, SpanKind kind, std::string_view path,
          int status = 200) {
    Span& span = batch.add();
    span.kind = kind;
    span.resource = resource;
    span.attributes.add(attr::url_path, path);
    span.attributes.add(attr::http_response_status_code, std::int64_t{status});
    return span;
}

// What of a later request of the service is left out: 't' traces, 'm' metrics.
std::string left_out(OwnTelemetry& stage, const spans::ResourcePtr& resource) {
    SpanBatch batch;
    const Span& span = add(batch, resource, SpanKind::Server, "/items");
    stage.apply(batch);
    return std::string(span.is_ignored_for_traces ? "t" : "") + (span.is_ignored_for_metrics ? "m" : "");
}

struct Row {
    SpanKind kind;
    std::string_view path;
    int status;
    std::string_view left_out;
};

TEST(OwnTelemetry, IsWhatAClientSendsAndABackEndTakes) {
    for (const Row& row :
         {Row{SpanKind::Client, "/v1/traces", 200, "t"}, Row{SpanKind::Client, "/otlp/v1/traces", 202, "t"},
          Row{SpanKind::Client, "/v1/metrics", 200, "m"}, Row{SpanKind::Client, "/v1/traces", 404, ""},
          Row{SpanKind::Client, "/v1/metrics", 302, ""}, Row{SpanKind::Client, "/v1/logs", 200, ""},
          Row{SpanKind::Client, "/v1/traces/5", 200, ""}, Row{SpanKind::Server, "/v1/traces", 200, ""}}) {
        OwnTelemetry stage(true);
        SpanBatch batch;
        const Span& span = add(batch, service("shop"), row.kind, row.path, row.status);
        stage.apply(batch);
        EXPECT_EQ(left_out(stage, service("shop")), row.left_out) << row.path << " " << row.status;
        EXPECT_EQ(left_out(stage, service("other")), "");
        EXPECT_EQ(span.is_ignored_for_traces, row.left_out == "t") << "the export itself is left out, too";
    }
}

TEST(OwnTelemetry, ByGrpc) {
    for (const auto& [path, status, expected] :
         {std::tuple{kGrpcTraces, "OK", "t"}, std::tuple{kGrpcMetrics, "OK", "m"},
          std::tuple{kGrpcTraces, "UNAVAILABLE", ""}, std::tuple{kGrpcTraces, "", ""},
          std::tuple{std::string_view("/shop.Items/Export"), "OK", ""}}) {
        OwnTelemetry stage(true);
        SpanBatch batch;
        Span& span = batch.add();
        span.span_class = spans::SpanClass::Rpc;
        span.kind = SpanKind::Client;
        span.resource = service("shop");
        span.attributes.add(attr::url_path, path);
        span.attributes.add(attr::rpc_response_status_code, std::string_view(status));
        stage.apply(batch);
        EXPECT_EQ(left_out(stage, service("shop")), expected) << path << " " << status;
    }
}

TEST(OwnTelemetry, NothingIsConcludedFromHalfAnExchange) {
    OwnTelemetry stage(true);
    SpanBatch batch;
    add(batch, service("shop"), SpanKind::Client, "/v1/traces").incomplete = spans::Incomplete::Closed;
    add(batch, service("shop"), SpanKind::Client, "/v1/metrics").status = spans::Status::Error;
    add(batch, nullptr, SpanKind::Client, "/v1/traces");
    stage.apply(batch);
    EXPECT_EQ(left_out(stage, service("shop")), "");
}

TEST(OwnTelemetry, CanBeSwitchedOff) {
    OwnTelemetry stage(false);
    SpanBatch batch;
    add(batch, service("shop"), SpanKind::Client, "/v1/traces");
    stage.apply(batch);
    EXPECT_EQ(left_out(stage, service("shop")), "");
}

TEST(OwnTelemetry, StaysBounded) {
    OwnTelemetry stage(true);
    for (int i = 0; i < 10'000; ++i) {
        SpanBatch batch;
        add(batch, service("shop" + std::to_string(i)), SpanKind::Client, "/v1/traces");
        stage.apply(batch);
    }
    EXPECT_EQ(left_out(stage, service("shop9999")), "t");
    EXPECT_EQ(left_out(stage, service("shop0")), "");  // forgotten until its next export
}

}  // namespace
}  // namespace waggle::decorate
