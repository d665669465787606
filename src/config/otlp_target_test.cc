// SPDX-License-Identifier: Apache-2.0
#include "config/otlp_target.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/test_loading.h"

namespace waggle::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;

constexpr const char* kCommon = "OTEL_EXPORTER_OTLP_ENDPOINT";
constexpr const char* kTraces = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
constexpr const char* kMetrics = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT";

Config config_of(const Environment& environment, std::string_view yaml = "") {
    return loaded(yaml, environment).config;
}

TEST(OtlpTarget, CommonEndpointGetsThePathOfEachSignal) {
    for (const char* base : {"http://h:4318", "http://h:4318/"}) {
        const Config config = config_of({{kCommon, base}});
        EXPECT_EQ(config.traces.endpoint, "http://h:4318/v1/traces");
        EXPECT_EQ(config.metrics.endpoint, "http://h:4318/v1/metrics");
        EXPECT_EQ(config.traces.protocol, OtlpProtocol::HttpProtobuf);
    }
    EXPECT_EQ(config_of({{kCommon, "https://h/otlp/"}}).metrics.endpoint, "https://h/otlp/v1/metrics");
}

TEST(OtlpTarget, SignalEndpointIsVerbatim) {
    const Config config = config_of({{kTraces, "http://h:4318/my/traces"}, {kMetrics, "http://h:4318/my/metrics"}});
    EXPECT_EQ(config.traces.endpoint, "http://h:4318/my/traces");
    EXPECT_EQ(config.metrics.endpoint, "http://h:4318/my/metrics");
    EXPECT_EQ(config_of({{kMetrics, "http://h:4318"}}).metrics.endpoint, "http://h:4318/v1/metrics");
    EXPECT_FALSE(config_of({{kMetrics, "http://h:4318"}}).traces.is_enabled());
}

TEST(OtlpTarget, BeylaAddsThePathToTheTracesEndpoint) {
    EXPECT_EQ(config_of({{kTraces, "http://h/my"}}, "profile: beyla").traces.endpoint, "http://h/my/v1/traces");
    EXPECT_EQ(config_of({{kTraces, "http://h/my/v1/traces"}}, "profile: beyla").traces.endpoint,
              "http://h/my/v1/traces");
    EXPECT_EQ(config_of({{kMetrics, "http://h/my"}}, "profile: beyla").metrics.endpoint, "http://h/my");
}

TEST(OtlpTarget, SignalEndpointOfTheFileWinsOverTheCommonVariable) {
    const Config config = config_of({{kCommon, "http://c:4318"}}, "otel_traces_export: {endpoint: http://y:4318}");
    EXPECT_EQ(config.traces.endpoint, "http://y:4318/v1/traces");
    EXPECT_EQ(config.metrics.endpoint, "http://c:4318/v1/metrics");
}

TEST(OtlpTarget, GuessesTheProtocolFromThePort) {
    const std::pair<const char*, OtlpProtocol> cases[] = {
        {"http://h:4317", OtlpProtocol::Grpc},         {"http://h:14317", OtlpProtocol::Grpc},
        {"http://h:4318", OtlpProtocol::HttpProtobuf}, {"http://h:80", OtlpProtocol::HttpProtobuf},
        {"http://[::1]:4317", OtlpProtocol::Grpc},     {"https://h", OtlpProtocol::HttpProtobuf}};
    for (const auto& [endpoint, protocol] : cases)
        EXPECT_EQ(config_of({{kCommon, endpoint}}).traces.protocol, protocol) << endpoint;
    EXPECT_EQ(config_of({{kCommon, "http://h:4317/x?y"}}).traces.endpoint, "http://h:4317");
}

TEST(OtlpTarget, ProtocolVariablesWinOverTheGuess) {
    const Environment common{{kCommon, "http://h:4317"}, {"OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"}};
    EXPECT_EQ(config_of(common).metrics.protocol, OtlpProtocol::HttpJson);
    Environment specific = common;
    specific["OTEL_EXPORTER_OTLP_METRICS_PROTOCOL"] = "grpc";
    EXPECT_EQ(config_of(specific).metrics.protocol, OtlpProtocol::Grpc);
    EXPECT_EQ(config_of(specific).traces.protocol, OtlpProtocol::HttpJson);
    EXPECT_EQ(config_of({}, "otlp: {endpoint: 'http://h:1', protocol: grpc}").traces.protocol, OtlpProtocol::Grpc);
    EXPECT_THAT(error_of("", {{kCommon, "http://h:1"}, {"OTEL_EXPORTER_OTLP_PROTOCOL", "thrift"}}),
                HasSubstr("thrift is none of grpc, http/protobuf, http/json"));
}

TEST(OtlpTarget, OtherSchemesAreTls) {
    EXPECT_EQ(config_of({{kCommon, "grpc://h:4317"}}).traces.endpoint, "https://h:4317");
    EXPECT_EQ(config_of({{kCommon, "HTTP://h:4317"}}).traces.endpoint, "http://h:4317");
}

TEST(OtlpTarget, EndpointNeedsSchemeAndHost) {
    EXPECT_THAT(error_of("", {{kCommon, "collector:4317"}}),
                "environment OTEL_EXPORTER_OTLP_ENDPOINT: otlp.endpoint: \"collector:4317\" has no scheme; "
                "write http://host:port or https://host:port");
    for (const char* endpoint : {"http://", "://h", "http://:80", "http://h:port", "http://h:0", "http://h:99999",
                                 "http://h h", "http://a:b:1", "unix:///run/x", "http://h/\x01"})
        EXPECT_THAT(error_of("", {{kCommon, endpoint}}), HasSubstr("is not a URL")) << endpoint;
    for (const char* endpoint :
         {"http://user:pass@", "user:pass@h", "http://user:p@ss:pass@", "http://h h/?key=pass"}) {
        EXPECT_THAT(error_of("", {{kCommon, endpoint}}), Not(HasSubstr("pass"))) << endpoint;
        EXPECT_THAT(error_of("", {{kCommon, endpoint}}), HasSubstr("***")) << endpoint;
    }
}

TEST(OtlpTarget, InsecurePermitsAnEndpointWithoutScheme) {
    EXPECT_EQ(config_of({{kCommon, "h:4317"}, {"OTEL_EXPORTER_OTLP_INSECURE", "true"}}).traces.endpoint,
              "http://h:4317");
    EXPECT_EQ(config_of({{kCommon, "h:4317"}, {"OTEL_EXPORTER_OTLP_INSECURE", "false"}}).traces.endpoint,
              "https://h:4317");
}

TEST(OtlpTarget, NoneSwitchesASignalOff) {
    const Config config = config_of({{kCommon, "http://h:4318"}, {"OTEL_TRACES_EXPORTER", "none"}});
    EXPECT_FALSE(config.traces.is_enabled());
    EXPECT_TRUE(config.metrics.is_enabled());
    EXPECT_THAT(warnings_of(loaded("", {{"OTEL_TRACES_EXPORTER", "zipkin"}})), HasSubstr("zipkin has no effect"));
}

TEST(OtlpTarget, HeadersAreDecodedAndSignalsWin) {
    const Config config =
        config_of({{"OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b,x=1"}, {"OTEL_EXPORTER_OTLP_TRACES_HEADERS", "X=2"}});
    EXPECT_THAT(config.traces.headers, ElementsAre(Pair("api-key", "a b"), Pair("x", "2")));
    EXPECT_THAT(config.metrics.headers, ElementsAre(Pair("api-key", "a b"), Pair("x", "1")));
    const Loaded broken = loaded("", {{"OTEL_EXPORTER_OTLP_HEADERS", "secret"}});
    EXPECT_THAT(warnings_of(broken), HasSubstr("1 of its entries are not name=value"));
    EXPECT_THAT(warnings_of(broken), Not(HasSubstr("secret")));
}

TEST(OtlpTarget, TlsCompressionAndTimeoutAreInherited) {
    const Config config = config_of({{"OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca"},
                                     {"OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE", "/mca"},
                                     {"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "/cert"},
                                     {"OTEL_EXPORTER_OTLP_CLIENT_KEY", "/key"},
                                     {"OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"},
                                     {"OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "none"},
                                     {"OTEL_EXPORTER_OTLP_TIMEOUT", "2500"},
                                     {"OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "1000"},
                                     {"BEYLA_OTEL_INSECURE_SKIP_VERIFY", "true"}});
    EXPECT_EQ(config.traces.tls.certificate, "/ca");
    EXPECT_EQ(config.metrics.tls.certificate, "/mca");
    EXPECT_EQ(config.metrics.tls.client_certificate, "/cert");
    EXPECT_EQ(config.traces.tls.client_key, "/key");
    EXPECT_FALSE(config.traces.gzip);
    EXPECT_TRUE(config.metrics.gzip);
    EXPECT_EQ(config.traces.timeout, 1s);
    EXPECT_EQ(config.metrics.timeout, 2500ms);
    EXPECT_TRUE(config.traces.tls.insecure_skip_verify && config.metrics.tls.insecure_skip_verify);
    EXPECT_EQ(config_of({}).traces.timeout, 10s);
    EXPECT_EQ(config_of({{"OTEL_METRIC_EXPORT_TIMEOUT", "3000"}}).metrics.timeout, 3s);
}

TEST(OtlpTarget, GrafanaGivesEndpointAndAuthorization) {
    const Environment cloud{
        {"GRAFANA_CLOUD_ZONE", "eu"}, {"GRAFANA_CLOUD_INSTANCE_ID", "1"}, {"GRAFANA_CLOUD_API_KEY", "k"}};
    const Config config = config_of(cloud);
    EXPECT_EQ(config.traces.endpoint, "https://otlp-gateway-eu.grafana.net/otlp/v1/traces");
    EXPECT_THAT(config.traces.headers, ElementsAre(Pair("Authorization", "Basic MTpr")));
    EXPECT_FALSE(config.metrics.is_enabled());
    Environment both = cloud;
    both["GRAFANA_CLOUD_SUBMIT"] = "traces,metrics";
    EXPECT_EQ(config_of(both).metrics.endpoint, "https://otlp-gateway-eu.grafana.net/otlp/v1/metrics");
    Environment explicit_endpoint = cloud;
    explicit_endpoint[kCommon] = "http://h:4318";
    explicit_endpoint["OTEL_EXPORTER_OTLP_HEADERS"] = "authorization=mine";
    EXPECT_EQ(config_of(explicit_endpoint).traces.endpoint, "http://h:4318/v1/traces");
    EXPECT_THAT(config_of(explicit_endpoint).traces.headers, ElementsAre(Pair("Authorization", "mine")));
    EXPECT_THAT(warnings_of(loaded("", {{"GRAFANA_CLOUD_API_KEY", "k"}})),
                HasSubstr("grafana.otlp.cloud_zone: is not set"));
}

TEST(OtlpTarget, FlagReplacesEveryEndpoint) {
    const Config config = loaded("otel_metrics_export: {endpoint: http://y:4318}", {{kTraces, "http://t:4318"}},
                                 {.otlp_endpoint = "http://f:4317"})
                              .config;
    EXPECT_EQ(config.traces.endpoint, "http://f:4317");
    EXPECT_EQ(config.metrics.endpoint, "http://f:4317");
}

TEST(OtlpTarget, SaysWhereTheTargetCameFrom) {
    const Loaded all = loaded("", {{kCommon, "http://h:4318"}});
    EXPECT_EQ(setting(all, "otel_traces_export.endpoint").value, "\"http://h:4318/v1/traces\"");
    EXPECT_EQ(setting(all, "otel_traces_export.endpoint").origin, "environment OTEL_EXPORTER_OTLP_ENDPOINT");
}

TEST(OtlpTarget, UnusableSamplersKeepTheDefault) {
    EXPECT_EQ(
        config_of({{"OTEL_TRACES_SAMPLER", "traceidratio"}, {"OTEL_TRACES_SAMPLER_ARG", "0.25"}}).traces.sampler.arg,
        "0.25");
    const Loaded wrong = loaded("", {{"OTEL_TRACES_SAMPLER", "traceidrate"}});
    EXPECT_EQ(wrong.config.traces.sampler.name, "parentbased_always_on");
    EXPECT_THAT(warnings_of(wrong), HasSubstr("did you mean traceidratio?"));
    EXPECT_THAT(warnings_of(loaded("otel_traces_export: {sampler: {name: traceidratio, arg: '2'}}")),
                HasSubstr("is not a ratio from 0 to 1"));
}

TEST(OtlpTarget, HistogramAndTemporalityVariables) {
    const Config config =
        config_of({{"OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "base2_exponential_bucket_histogram"},
                   {"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "Delta"}});
    EXPECT_EQ(config.metrics.histogram_aggregation, HistogramAggregation::Exponential);
    EXPECT_EQ(config.metrics.temporality, Temporality::Delta);
    EXPECT_THAT(warnings_of(loaded("otel_metrics_export: {histogram_aggregation: other}")),
                HasSubstr("it stays explicit_bucket_histogram"));
}

}  // namespace
}  // namespace waggle::config
