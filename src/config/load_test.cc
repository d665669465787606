// SPDX-License-Identifier: Apache-2.0
#include "config/load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

#include "config/test_loading.h"

namespace waggle::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;

TEST(Load, NothingGivesTheDefaults) {
    const Loaded all = loaded("");
    EXPECT_EQ(all.config.profile, Profile::Otel);
    EXPECT_EQ(all.config.ebpf.batch_length, 100u);
    EXPECT_EQ(all.config.metrics.ttl, 70min);
    EXPECT_EQ(all.config.metrics.interval, 60s);
    EXPECT_FALSE(all.config.enforce_sys_caps);
    ASSERT_EQ(all.config.discovery.default_exclude_services.size(), 1u);
    EXPECT_EQ(all.config.discovery.default_exclude_services[0].exe_path,
              "(?:^|/)(waggle$|beyla$|alloy$|otelcol[^/]*$)");
    EXPECT_EQ(warnings_of(all), "");
    EXPECT_FALSE(has_selection(all.config));
    EXPECT_FALSE(has_exporter(all.config));
}

TEST(Load, LaterSourcesWin) {
    const std::string yaml = "log_level: debug\nopen_port: 80\n";
    EXPECT_EQ(loaded(yaml).config.log_level, LogLevel::Debug);
    const Environment environment{{"BEYLA_LOG_LEVEL", "warn"}};
    EXPECT_EQ(loaded(yaml, environment).config.log_level, LogLevel::Warn);
    EXPECT_EQ(loaded(yaml, environment, {.log_level = "ERROR"}).config.log_level, LogLevel::Error);
}

TEST(Load, SaysWhereEachValueCameFrom) {
    const Loaded all = loaded("ebpf:\n  batch_length: 7\n", {{"BEYLA_OPEN_PORT", "80"}}, {.print = "text"});
    EXPECT_EQ(setting(all, "ebpf.batch_length").origin, "w.yaml:2");
    EXPECT_EQ(setting(all, "ebpf.batch_length").value, "7");
    EXPECT_EQ(setting(all, "open_port").origin, "environment BEYLA_OPEN_PORT");
    EXPECT_EQ(setting(all, "trace_printer").origin, "flag --print");
    EXPECT_EQ(setting(all, "ebpf.batch_timeout").origin, "default");
}

TEST(Load, WaggleVariablesWinOverBeylas) {
    const Environment both{{"BEYLA_OPEN_PORT", "80"}, {"WAGGLE_OPEN_PORT", "81"}};
    EXPECT_TRUE(loaded("", both).config.open_port.contains(81));
    EXPECT_TRUE(loaded("", {{"WAGGLE_BPF_BATCH_LENGTH", "9"}}).config.ebpf.batch_length == 9);
    EXPECT_EQ(loaded("", {{"OTEL_SERVICE_NAME", "o"}, {"BEYLA_SERVICE_NAME", "b"}}).config.service_name, "o");
    EXPECT_EQ(loaded("", {{"OTEL_SERVICE_NAME", "o"}, {"WAGGLE_SERVICE_NAME", "w"}}).config.service_name, "w");
}

TEST(Load, EmptyVariablesAreUnset) {
    const Loaded all = loaded("open_port: 80", {{"BEYLA_OPEN_PORT", ""}, {"BEYLA_BPF_BATCH_LENGTH", ""}});
    EXPECT_TRUE(all.config.open_port.contains(80));
    EXPECT_EQ(all.config.profile, Profile::Otel);
}

TEST(Load, CollectsEveryError) {
    const std::string error =
        error_of("open_port: 80-\nebpf:\n  batch_timeout: 5x\n  batch_length: -1\nlog_level: loud\n",
                 {{"BEYLA_SYSTEM_WIDE", "yes"}}, {.prometheus_port = "high"});
    EXPECT_THAT(error, HasSubstr("w.yaml:1: open_port: \"80-\" is not a list of ports; use for "
                                 "example 80,443,8000-8999\n"));
    EXPECT_THAT(error, HasSubstr("w.yaml:3: ebpf.batch_timeout: \"5x\" is not a duration; use for "
                                 "example 500ms, 5s or 1m30s\n"));
    EXPECT_THAT(error, HasSubstr("w.yaml:4: ebpf.batch_length: \"-1\" is not a whole number from 0 to 4294967295\n"));
    EXPECT_THAT(error, HasSubstr("w.yaml:5: log_level: loud is none of INFO, DEBUG, WARN, ERROR"));
    EXPECT_THAT(error, HasSubstr("environment BEYLA_SYSTEM_WIDE: discovery.system_wide: \"yes\" is not a boolean"));
    EXPECT_THAT(error, HasSubstr("flag --prometheus-port: prometheus_export.port: high is not a whole number"));
}

TEST(Load, UnknownKeysAreWarningsThatGuess) {
    const Loaded all = loaded(
        "open_prot: 80\nebpf:\n  batch_lenght: 7\nprometheus_port: 1\nbatch_length: 3\nzzzzzzzzzz: "
        "1\n");
    const std::string warnings = warnings_of(all);
    EXPECT_THAT(warnings, HasSubstr("w.yaml:1: open_prot: unknown key, ignored; did you mean open_port?"));
    EXPECT_THAT(warnings,
                HasSubstr("w.yaml:3: ebpf.batch_lenght: unknown key, ignored; did you mean ebpf.batch_length?"));
    EXPECT_THAT(warnings, HasSubstr("w.yaml:5: batch_length: unknown key, ignored; did you mean ebpf.batch_length?"));
    EXPECT_THAT(warnings, HasSubstr("w.yaml:6: zzzzzzzzzz: unknown key, ignored"));
    EXPECT_EQ(all.config.ebpf.batch_length, 100u);
}

TEST(Load, UnknownVariablesAreWarningsThatGuess) {
    const Loaded all = loaded("", {{"BEYLA_OPEN_PROT", "80"}, {"BEYLA_CONFIG_PATH", "/x"}, {"OTHER", "1"}});
    EXPECT_EQ(warnings_of(all),
              "environment BEYLA_OPEN_PROT: unknown variable, ignored; did you mean BEYLA_OPEN_PORT?");
}

TEST(Load, IgnoresKubernetesServiceLinks) {
    const Loaded all = loaded("", {{"BEYLA_SERVICE_HOST", "10.0.0.1"},
                                   {"BEYLA_SERVICE_PORT_HTTP", "80"},
                                   {"BEYLA_PORT", "tcp://10.0.0.1:80"},
                                   {"BEYLA_PORT_80_TCP_ADDR", "10.0.0.1"},
                                   {"WAGGLE_PROMETHEUS_PORT", "tcp://10.0.0.1:80"}});
    EXPECT_EQ(warnings_of(all), "");
    EXPECT_EQ(all.config.profile, Profile::Otel);
    EXPECT_EQ(all.config.prometheus.port, 0);
}

TEST(Load, ProfileFollowsTheKindOfConfiguration) {
    EXPECT_EQ(loaded("", {{"BEYLA_OPEN_PORT", "80"}}).config.profile, Profile::Beyla);
    EXPECT_EQ(loaded("", {{"BEYLA_CONFIG_PATH", "/etc/beyla.yaml"}}).config.profile, Profile::Beyla);
    EXPECT_EQ(loaded("", {}, {.is_beyla_file = true}).config.profile, Profile::Beyla);
    EXPECT_EQ(loaded("", {{"WAGGLE_OPEN_PORT", "80"}}).config.profile, Profile::Otel);
    EXPECT_EQ(loaded("profile: otel", {{"BEYLA_OPEN_PORT", "80"}}).config.profile, Profile::Otel);
    EXPECT_EQ(loaded("", {{"BEYLA_OPEN_PORT", "80"}, {"WAGGLE_PROFILE", "otel"}}).config.profile, Profile::Otel);
    EXPECT_EQ(loaded("profile: beyla").config.profile, Profile::Beyla);
}

TEST(Load, RequestTimeoutFollowsTheProfile) {
    EXPECT_EQ(loaded("").config.ebpf.http_request_timeout, 0s);
    EXPECT_EQ(loaded("profile: beyla").config.ebpf.http_request_timeout, 30s);
    const Config never = loaded("profile: beyla\nebpf: {http_request_timeout: 0}").config;
    EXPECT_EQ(never.ebpf.http_request_timeout, 0s);
    EXPECT_TRUE(never.ebpf.is_http_request_timeout_set);
}

TEST(Load, BareNumbersAreNanosecondsInYamlOnly) {
    EXPECT_EQ(loaded("shutdown_timeout: 5000000000").config.shutdown_timeout, 5s);
    EXPECT_THAT(warnings_of(loaded("shutdown_timeout: 5")), HasSubstr("5 is in nanoseconds; write 5s for seconds"));
    EXPECT_THAT(error_of("", {{"BEYLA_BPF_BATCH_TIMEOUT", "5"}}), HasSubstr("is not a duration"));
}

TEST(Load, ZeroMeansTheDefaultWhereBeylaSaysSo) {
    const Config config = loaded(
                              "discovery: {poll_interval: 0}\nchannel_buffer_len: 0\notel_metrics_export: {interval: "
                              "0}\n"
                              "otel_traces_export: {batch_timeout: 0, backoff_max_interval: 0, max_queue_size: 0}")
                              .config;
    EXPECT_EQ(config.discovery.poll_interval, 5s);
    EXPECT_EQ(config.metrics.interval, 60s);
    EXPECT_EQ(config.traces.batch_timeout, 200ms);
    EXPECT_EQ(config.traces.backoff_max, 30s);
    EXPECT_EQ(config.traces.max_queue_size, 4096u);
    EXPECT_EQ(config.channel_buffer_len, 1u);
}

TEST(Load, OtelMetricIntervalFillsOnlyTheGap) {
    const Environment environment{{"OTEL_METRIC_EXPORT_INTERVAL", "15000"}};
    const Loaded filled = loaded("", environment);
    EXPECT_EQ(filled.config.metrics.interval, 15s);
    EXPECT_EQ(setting(filled, "otel_metrics_export.interval").origin, "environment OTEL_METRIC_EXPORT_INTERVAL");
    EXPECT_EQ(loaded("otel_metrics_export: {interval: 5s}", environment).config.metrics.interval, 5s);
}

TEST(Load, ListsReplaceAndNullEmpties) {
    EXPECT_THAT(loaded("otel_metrics_export: {features: [application_span]}").config.metrics.features,
                ElementsAre("application_span"));
    EXPECT_THAT(loaded("", {{"BEYLA_PROMETHEUS_FEATURES", "application, application_span"}}).config.prometheus.features,
                ElementsAre("application", "application_span"));
    EXPECT_TRUE(loaded("discovery: {default_exclude_services: []}").config.discovery.default_exclude_services.empty());
    EXPECT_TRUE(loaded("discovery: {default_exclude_services: ~}").config.discovery.default_exclude_services.empty());
    EXPECT_EQ(loaded("ebpf: {batch_length: ~}\nprometheus_export:\n").config.ebpf.batch_length, 100u);
}

TEST(Load, NullSwitchesRoutesOff) {
    EXPECT_TRUE(loaded("routes: {}").config.routes.is_enabled);
    EXPECT_FALSE(loaded("routes: ~").config.routes.is_enabled);
    EXPECT_THAT(error_of("routes: 3"), HasSubstr("w.yaml:1: routes: must be a section of keys, or null"));
}

TEST(Load, UnknownRouteWordsKeepTheDefault) {
    const Loaded all = loaded("routes: {unmatched: heuristics, ignore_mode: nothing}");
    EXPECT_EQ(all.config.routes.unmatched, Unmatched::Heuristic);
    EXPECT_THAT(warnings_of(all), HasSubstr("did you mean heuristic?; it stays heuristic"));
    EXPECT_EQ(loaded("routes: {unmatched: ''}").config.routes.unmatched, Unmatched::Wildcard);
    EXPECT_THAT(error_of("routes: {wildcard_char: ab}"), HasSubstr("longer than one character"));
    EXPECT_EQ(loaded("routes: {wildcard_char: …}").config.routes.wildcard_char, "…");
}

TEST(Load, LegacySelectorComesLast) {
    const Loaded all = loaded("open_port: 8080\nservice_name: shop\ndiscovery: {services: [{exe_path: java}]}",
                              {{"OTEL_GO_AUTO_TARGET_EXE", "server"}});
    ASSERT_EQ(all.config.discovery.services.size(), 2u);
    const SelectorConfig& last = all.config.discovery.services[1];
    EXPECT_TRUE(last.open_ports.contains(8080));
    EXPECT_EQ(last.exe_path, "server");
    EXPECT_EQ(last.name, "shop");
    EXPECT_TRUE(has_selection(all.config));
    EXPECT_EQ(loaded("executable_name: x", {{"OTEL_GO_AUTO_TARGET_EXE", "y"}}).config.executable_name, "x");
}

TEST(Load, SystemWideExcludesSelectors) {
    EXPECT_TRUE(has_selection(loaded("discovery: {system_wide: true}").config));
    EXPECT_THAT(error_of("open_port: 80\ndiscovery: {system_wide: true}"),
                HasSubstr("w.yaml:2: discovery.system_wide: cannot go together with"));
}

TEST(Load, ReadsSelectFiltersAndBuckets) {
    const Config config = loaded(R"(
attributes:
  select:
    http_server_request_duration: {include: ["*"], exclude: ["k8s_*"]}
filter:
  application:
    url.path: {not_match: "/health*"}
prometheus_export:
  buckets: {duration_histogram: [0, 0.5, 1]}
resource_attributes: {deployment.environment: test}
)")
                              .config;
    EXPECT_THAT(config.attributes.select.at("http_server_request_duration").exclude, ElementsAre("k8s_*"));
    EXPECT_EQ(config.filter_application.at("url.path").not_match, "/health*");
    EXPECT_THAT(*config.prometheus.buckets.duration_histogram, ElementsAre(0, 0.5, 1));
    EXPECT_THAT(config.resource_attributes, ElementsAre(Pair("deployment.environment", "test")));
    EXPECT_THAT(error_of("filter: {application: {a: {match: x, not_match: y}}}"), HasSubstr("exactly one of"));
    EXPECT_THAT(error_of("filter: {application: {a: {}}}"), HasSubstr("filter.application.a: needs exactly one of"));
    EXPECT_THAT(error_of("prometheus_export: {buckets: {duration_histogram: [1, 1]}}"), HasSubstr("must increase"));
}

TEST(Load, ReadsWagglesOwnKeys) {
    const Config config =
        loaded("memory_limit: 512MiB\nebpf: {ring_bytes: 1MiB, disable: [fentry], tick: 2ms}\n",
               {{"WAGGLE_SERIES_LIMIT", "10"}, {"WAGGLE_BPF_QUEUE_TIME", "true"}, {"WAGGLE_BPF_TLS", "false"}})
            .config;
    EXPECT_EQ(config.memory_limit, 512u << 20);
    EXPECT_EQ(config.ebpf.ring_bytes, 1u << 20);
    EXPECT_THAT(config.ebpf.disable, ElementsAre("fentry"));
    EXPECT_EQ(config.series_limit, 10u);
    EXPECT_TRUE(config.ebpf.queue_time);
    EXPECT_FALSE(config.ebpf.tls);
    EXPECT_THAT(error_of("ebpf: {ring_bytes: 3MiB}"), HasSubstr("ebpf.ring_bytes: must be a power of two"));
    EXPECT_THAT(error_of("ebpf: {ring_bytes: 8GiB}"), HasSubstr("is more than"));
    EXPECT_THAT(error_of("ebpf: {tick: 2s}"), HasSubstr("ebpf.tick: must be at most 1s"));
    EXPECT_THAT(error_of("ebpf: {program_copies: 5}"), HasSubstr("ebpf.program_copies: must be at most 4"));
    EXPECT_THAT(error_of("memory_limit: 64MiB\nebpf: {ring_bytes: 32MiB, rings: 2}"),
                HasSubstr("ebpf.ring_bytes: the rings must fit into half of memory_limit"));
    EXPECT_THAT(error_of("cpu_limit: -1"), HasSubstr("cpu_limit: must be a share of a core"));
    EXPECT_THAT(error_of("cpu_limit: much"), HasSubstr("cpu_limit: much is not a number"));
}

TEST(Load, InternalMetricsRules) {
    EXPECT_EQ(loaded("internal_metrics: {prometheus: {port: 9}}").config.internal_metrics.exporter, "prometheus");
    EXPECT_THAT(error_of("internal_metrics: {exporter: otel, prometheus: {port: 9}}"), HasSubstr("cannot go together"));
    EXPECT_THAT(error_of("internal_metrics: {exporter: otel}"), HasSubstr("needs an endpoint"));
    loaded("internal_metrics: {exporter: otel}\notlp: {endpoint: http://h:4318}");
}

TEST(Load, ExportersNeedATargetAndAFeature) {
    EXPECT_TRUE(has_exporter(loaded("trace_printer: text").config));
    EXPECT_TRUE(has_exporter(loaded("prometheus_export: {port: 9090}").config));
    EXPECT_FALSE(has_exporter(loaded("prometheus_export: {port: 9090, features: [network]}").config));
    EXPECT_TRUE(has_exporter(loaded("otel_traces_export: {endpoint: http://h:4318}").config));
}

TEST(Load, FlagsSetAnyKey) {
    EXPECT_EQ(loaded("", {}, {.set = {{"ebpf.batch_length", "3"}}}).config.ebpf.batch_length, 3u);
    EXPECT_THAT(error_of("", {}, {.set = {{"ebpf.batch_lenght", "3"}}}),
                HasSubstr("flag --set: ebpf.batch_lenght: unknown key; did you mean ebpf.batch_length?"));
    EXPECT_THAT(error_of("", {}, {.set = {{"routes", "3"}}}), HasSubstr("flag --set: routes: unknown key"));
}

TEST(Load, FileProblemsNameTheFile) {
    EXPECT_THAT(error_of("a: [1"), HasSubstr("w.yaml:1: "));
    EXPECT_THAT(error_of("- a\n- b\n"), HasSubstr("w.yaml:1: must be a map of keys"));
    EXPECT_THAT(error_of("ebpf: 3\n"), HasSubstr("w.yaml:1: ebpf: must be a section of keys"));
    EXPECT_THAT(error_of("ebpf: {batch_length: [1]}\n"), HasSubstr("must be a number, not a list"));
    const Result<Loaded> missing = load_file("/nonexistent/w.yaml", {});
    ASSERT_FALSE(missing);
    EXPECT_THAT(missing.error().message, HasSubstr("/nonexistent/w.yaml: No such file"));
    EXPECT_FALSE(load_file("/", {}));
    EXPECT_TRUE(load_file("", {}));
}

TEST(Load, ReadsFiles) {
    const std::string path = testing::TempDir() + "waggle-load-test.yaml";
    std::ofstream(path) << "open_port: 80\n";
    const Result<Loaded> all = load_file(path, {});
    std::remove(path.c_str());
    ASSERT_TRUE(all);
    EXPECT_EQ(setting(*all, "open_port").origin, path + ":1");
}

TEST(Load, PathFromTheEnvironmentWins) {
    EXPECT_EQ(config_path("flag", {}), "flag");
    EXPECT_EQ(config_path("flag", {{"BEYLA_CONFIG_PATH", ""}}), "flag");
    EXPECT_EQ(config_path("flag", {{"BEYLA_CONFIG_PATH", "b"}}), "b");
    EXPECT_EQ(config_path("flag", {{"BEYLA_CONFIG_PATH", "b"}, {"WAGGLE_CONFIG_PATH", "w"}}), "w");
}

TEST(Load, SnapshotsTheProcessEnvironment) { EXPECT_THAT(process_environment(), Not(testing::IsEmpty())); }

}  // namespace
}  // namespace waggle::config
