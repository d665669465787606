// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

#include "config/options.h"
#include "config/test_loading.h"

namespace waggle::config {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::string kSource = WAGGLE_SOURCE_DIR;

std::string read(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

// What lies between "<!-- name -->" and "<!-- /name -->".
std::string put_between_marks(std::string text, const std::string& name, const std::string& table) {
    const std::string begin = "<!-- " + name + " -->\n";
    const size_t from = text.find(begin);
    const size_t to = text.find("<!-- /" + name + " -->");
    if (from == std::string::npos || to == std::string::npos) return "no marks for " + name;
    return text.replace(from + begin.size(), to - from - begin.size(), table);
}

TEST(Docs, TablesAreFresh) {
    const std::string path = kSource + "/docs/configuration.md";
    const std::string text = read(path);
    const std::string fresh =
        put_between_marks(put_between_marks(text, "settings", settings_reference()), "selectors", selector_reference());
    if (text == fresh) return;
    if (std::getenv("WAGGLE_UPDATE_DOCS")) {
        std::ofstream(path) << fresh;
    } else {
        ADD_FAILURE() << path << " is stale: run this test with WAGGLE_UPDATE_DOCS=1";
    }
}

TEST(Options, EveryRowHasAPlaceAndAMeaning) {
    std::set<std::string_view> keys;
    for (const Option& option : options()) {
        EXPECT_TRUE(!option.key.empty() || !option.environment.empty());
        EXPECT_FALSE(option.help.empty()) << option.key;
        EXPECT_TRUE(option.key.empty() || keys.insert(option.key).second) << option.key << " is there twice";
    }
}

TEST(Beyla, ItsWholeFileLoadsWithoutAWarning) {
    const Loaded all = loaded(read(kSource + "/src/config/testdata/beyla-2.0-defaults.yaml"));
    EXPECT_EQ(warnings_of(all), "");
    EXPECT_EQ(setting(all, "network.reverse_dns.cache_len").value, "256");
    EXPECT_FALSE(has_selection(all.config));
    EXPECT_FALSE(has_exporter(all.config));
}

TEST(Beyla, FeaturesThatAreMissingWarnWhenSwitchedOn) {
    const std::pair<std::string_view, std::string_view> cases[] = {
        {"network: {enable: true}", "network.enable"},
        {"attributes: {kubernetes: {enable: autodetect}}", "attributes.kubernetes.enable"},
        {"ebpf: {enable_context_propagation: true}", "ebpf.enable_context_propagation"},
        {"ebpf: {instrument_gpu: yes}", "ebpf.instrument_gpu"},
        {"profile_port: 6060", "profile_port"},
        {"name_resolver: {sources: [dns]}", "name_resolver.sources: dns"},
        {"prometheus_export: {port: 1, features: [application, network]}", "prometheus_export.features: network"},
        {"filter: {network: {dst.port: {match: '80'}}}", "filter.network"}};
    for (const auto& [yaml, key] : cases)
        EXPECT_EQ(warnings_of(loaded(yaml)), "w.yaml:1: " + std::string(key) + ": accepted, has no effect yet") << yaml;
    EXPECT_EQ(warnings_of(loaded("", {{"BEYLA_NETWORK_METRICS", "1"}})),
              "environment BEYLA_NETWORK_METRICS: network.enable: accepted, has no effect yet");
    for (const std::string_view quiet : {"network: {enable: false, cache_max_flows: 3}",
                                         "network: {cidrs: nonsense, sampling: {}, cache_max_flows: many}",
                                         "prometheus_export: {features: [network]}"})
        EXPECT_EQ(warnings_of(loaded(quiet)), "") << quiet;
}

TEST(Beyla, SettingsThatNothingHeedsWarn) {
    const std::pair<std::string_view, std::string_view> cases[] = {
        {"channel_buffer_len: 33", "channel_buffer_len"},
        {"ebpf: {batch_length: 5}", "ebpf.batch_length"},
        {"ebpf: {batch_timeout: 3s}", "ebpf.batch_timeout"},
        {"ebpf: {wakeup_len: 77}", "ebpf.wakeup_len"},
        {"ebpf: {traffic_control_backend: tcx}", "ebpf.traffic_control_backend"},
        {"ebpf: {disable_black_box_cp: true}", "ebpf.disable_black_box_cp"},
        {"attributes: {host_id: {fetch_timeout: 1s}}", "attributes.host_id.fetch_timeout"},
        {"prometheus_export: {service_cache_size: 3}", "prometheus_export.service_cache_size"},
        {"name_resolver: {cache_len: 5}", "name_resolver.cache_len"},
        {"name_resolver: {cache_expiry: 1s}", "name_resolver.cache_expiry"}};
    for (const auto& [yaml, key] : cases)
        EXPECT_EQ(warnings_of(loaded(yaml)), "w.yaml:1: " + std::string(key) + ": accepted, has no effect") << yaml;
    EXPECT_EQ(warnings_of(loaded("", {{"BEYLA_BPF_BATCH_LENGTH", "1000"}})),
              "environment BEYLA_BPF_BATCH_LENGTH: ebpf.batch_length: accepted, has no effect");
    for (const std::string_view quiet : {"channel_buffer_len: 10", "ebpf: {batch_length: 100, batch_timeout: 1s}",
                                         "discovery: {exclude_otel_instrumented_services: false}",
                                         "name_resolver: {cache_len: 1024, cache_expiry: 5m}"})
        EXPECT_EQ(warnings_of(loaded(quiet)), "") << quiet;
}

TEST(Print, NamesTheOriginOfEveryLine) {
    const std::string text = print(loaded("ebpf:\n  batch_length: 7\n", {{"WAGGLE_PROMETHEUS_PORT", "9090"}}));
    EXPECT_THAT(text, testing::MatchesRegex("(.|\n)*\nebpf:\n  batch_length: 7 +# w.yaml:2\n(.|\n)*"));
    EXPECT_THAT(text, testing::MatchesRegex("(.|\n)*\n  port: 9090 +# environment WAGGLE_PROMETHEUS_PORT\n(.|\n)*"));
    std::istringstream lines(text);
    int values = 0;
    for (std::string line; std::getline(lines, line);) {
        if (line.empty() || line.starts_with('#') || line.ends_with(':')) continue;  // a section's name has no origin
        ++values;
        EXPECT_THAT(line, testing::MatchesRegex("[^#]+# (default|w.yaml:[0-9]+|environment [A-Z_0-9]+)"));
    }
    EXPECT_GT(values, 150);
}

TEST(Print, LoadsBackToTheSame) {
    const std::string yaml = R"(
profile: beyla
open_port: 80,8000-8010
discovery: {services: [{exe_path: "^/a b\"c$", k8s_pod_labels: {a.b/c: d}}], exclude_services: [{pids: [1]}]}
attributes: {select: {"http*": {include: ["*"], exclude: [x]}}, kubernetes: {enable: true}}
filter: {application: {url.path: {not_match: "/h*"}}, network: {a: {match: "b: c"}}}
otel_metrics_export: {endpoint: "http://h:4317", buckets: {duration_histogram: [0, 0.5]}, interval: 1m1s}
otel_traces_export: {endpoint: "https://h/x", sampler: {name: traceidratio, arg: "0.5"}}
resource_attributes: {a: "1", b: "x\ny"}
routes: {patterns: ["/a/{id}", "/b/*"], unmatched: path}
memory_limit: 100000001
network: {cidrs: [10.0.0.0/8], agent_ip: "::1"}
)";
    const Loaded first = loaded(yaml);
    const Loaded second = loaded(print(first));
    ASSERT_EQ(first.settings.size(), second.settings.size());
    for (size_t i = 0; i < first.settings.size(); ++i)
        EXPECT_EQ(first.settings[i].value, second.settings[i].value) << first.settings[i].key;
    EXPECT_EQ(first.config.traces.endpoint, second.config.traces.endpoint);
    EXPECT_FALSE(loaded(print(loaded("routes: ~"))).config.routes.is_enabled);
}

TEST(Print, MasksSecrets) {
    const std::string text = print(loaded("otlp: {client_key: \"-----BEGIN KEY hidden1\", headers: {api-key: hidden2}}",
                                          {{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://user:hidden3@h:4318"},
                                           {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://h:4318/x?api_key=hidden6"},
                                           {"GRAFANA_CLOUD_API_KEY", "hidden4"},
                                           {"GRAFANA_CLOUD_INSTANCE_ID", "7"},
                                           {"OTEL_EXPORTER_OTLP_TRACES_HEADERS", "x=hidden5"}}));
    EXPECT_THAT(text, Not(HasSubstr("hidden")));
    EXPECT_THAT(text, Not(HasSubstr("Basic ")));
    EXPECT_THAT(text, HasSubstr("\"http://***@h:4318/v1/traces\""));
    EXPECT_THAT(text, HasSubstr("api-key: \"***\""));
}

TEST(Print, MaskedUrlsCanBeReadAgain) {
    for (const char* url :
         {"http://h/x@:y", "http://u:p@h:4318/a?b=c", "http://u:p@[::1]:1/#x", "http://h:1/?a@b", "http://u@h/@"}) {
        const std::string text = print(loaded("otel_traces_export: {endpoint: \"" + std::string(url) + "\"}"));
        EXPECT_TRUE(load(text, "printed.yaml", {})) << text.substr(text.find("endpoint"), 80);
    }
}

}  // namespace
}  // namespace waggle::config
