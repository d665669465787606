// SPDX-License-Identifier: Apache-2.0
#include "metrics/select.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace waggle::metrics {
namespace {

using testing::ElementsAre;

TEST(NormalMetricKey, AllNotationsAreOneKey) {
    const std::pair<std::string_view, std::string_view> kCases[] = {
        {"http_server_request_duration_seconds_bucket", "http.server.request.duration"},
        {"http.server.request.duration", "http.server.request.duration"},
        {"process_cpu_utilization_ratio", "process.cpu.utilization"},
        {"beyla_network_flow_bytes_total", "beyla.network.flow"},
        {"beyla_network_flow_bytes", "beyla.network.flow"},
        {"beyla.network.flow", "beyla.network.flow"},
        {"gpu_memory_allocations_bytes_total", "gpu.memory.allocations"},
    };
    for (const auto& [given, wanted] : kCases) EXPECT_EQ(normal_metric_key(given), wanted);
}

TEST(GlobMatches, ShellRules) {
    EXPECT_TRUE(glob_matches("*", ""));
    EXPECT_TRUE(glob_matches("k8s_*", "k8s_pod_name"));
    EXPECT_TRUE(glob_matches("*_name", "k8s_pod_name"));
    EXPECT_TRUE(glob_matches("a?c", "abc"));
    EXPECT_TRUE(glob_matches("[a-c]x", "bx"));
    EXPECT_TRUE(glob_matches("\\*", "*"));
    EXPECT_TRUE(glob_matches("a*b*c", "aXbYbZc"));
    EXPECT_FALSE(glob_matches("[^a-c]x", "bx"));
    EXPECT_FALSE(glob_matches("a*", "a/b"));
    EXPECT_FALSE(glob_matches("a?c", "a/c"));
    EXPECT_FALSE(glob_matches("abc", "abcd"));
    EXPECT_FALSE(glob_matches("[a", "a"));
    EXPECT_FALSE(glob_matches("", "a"));
}

std::vector<std::string_view> names(const Selection& selection) {
    constexpr AttributeRow kRows[] = {
        {"http.route"}, {"http.request.method"}, {"url.path", Shown::Optional}, {"k8s.pod.name"}};
    std::vector<std::string_view> out;
    for (const AttributeRow& row : selected(selection, "http.server.request.duration", kRows)) out.push_back(row.name);
    return out;
}

TEST(Selected, DefaultsWithoutEntries) {
    EXPECT_THAT(names({}), ElementsAre("http.request.method", "http.route", "k8s.pod.name"));
}

TEST(Selected, IncludeReplacesTheDefaults) {
    EXPECT_THAT(names({{"http_server_request_duration", {.include = {"url_path"}}}}), ElementsAre("url.path"));
}

TEST(Selected, ExcludeAloneStartsFromTheDefaults) {
    EXPECT_THAT(names({{"http.server.request.duration_seconds", {.exclude = {"k8s.*"}}}}),
                ElementsAre("http.request.method", "http.route"));
}

TEST(Selected, BroadKeysApplyBeforeNarrowOnes) {
    EXPECT_THAT(names({{"*", {.include = {"*"}}}, {"http.server.request.duration", {.exclude = {"url_*"}}}}),
                ElementsAre("http.request.method", "http.route", "k8s.pod.name"));
}

TEST(Selected, OtherMetricsAndUnknownAttributesAreIgnored) {
    EXPECT_THAT(names({{"db.client.operation.duration", {.include = {"*"}}}}),
                ElementsAre("http.request.method", "http.route", "k8s.pod.name"));
    EXPECT_THAT(names({{"http_*", {.include = {"http_route", "no_such"}}}}), ElementsAre("http.route"));
}

}  // namespace
}  // namespace waggle::metrics
