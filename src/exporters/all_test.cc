// SPDX-License-Identifier: Apache-2.0
#include "exporters/all.h"

#include <gtest/gtest.h>

#include "metrics/test_spans.h"

namespace waggle::exporters {
namespace {

TEST(All, NoEndpointIsNoDelivery) {
    metrics::SelfMetrics self;
    const config::Config config;
    EXPECT_EQ(*make_trace_delivery(config, self), nullptr);
    EXPECT_EQ(*make_metric_delivery(config, self), nullptr);
}

TEST(All, EveryProtocolHasAnExporter) {
    metrics::SelfMetrics self;
    config::Config config;
    config.traces.endpoint = "http://127.0.0.1:1/v1/traces";
    for (const auto protocol :
         {config::OtlpProtocol::Grpc, config::OtlpProtocol::HttpProtobuf, config::OtlpProtocol::HttpJson}) {
        config.traces.protocol = protocol;
        EXPECT_NE(*make_trace_delivery(config, self), nullptr);
    }
}

TEST(All, RegistriesFollowTheirReader) {
    config::Config config;
    config.profile = config::Profile::Beyla;
    config.metrics.histogram_aggregation = config::HistogramAggregation::Exponential;
    config.metrics.temporality = config::Temporality::Delta;
    config.prometheus.features = {"application_span"};
    const auto otlp = otlp_registry(config);
    EXPECT_EQ(otlp.histograms, metrics::Histograms::Exponential);
    EXPECT_EQ(otlp.temporality, metrics::Temporality::Delta);
    EXPECT_EQ(otlp.profile, metrics::Profile::Beyla);
    const auto prometheus = prometheus_registry(config);
    EXPECT_EQ(prometheus.temporality, metrics::Temporality::Cumulative);
    EXPECT_EQ(prometheus.features, std::vector<std::string>{"application_span"});
    EXPECT_EQ(prometheus.exponential_scale, 3);
}

TEST(TraceFilter, ChecksIgnoredInstrumentationAndSampling) {
    config::Config config;
    spans::SpanBatch batch;
    auto& span = spans::add_server_span(batch, nullptr);
    EXPECT_TRUE(trace_filter(config)(span));
    config.traces.instrumentations = {"sql"};
    EXPECT_FALSE(trace_filter(config)(span));
    config.traces.instrumentations = {"http"};
    EXPECT_TRUE(trace_filter(config)(span));
    config.traces.sampler.name = "always_off";
    EXPECT_FALSE(trace_filter(config)(span));
    config.traces.sampler.name = "no such sampler";
    EXPECT_TRUE(trace_filter(config)(span));
    span.is_ignored_for_traces = true;
    EXPECT_FALSE(trace_filter(config)(span));
}

}  // namespace
}  // namespace waggle::exporters
