// SPDX-License-Identifier: Apache-2.0
#include "config/selector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/test_loading.h"

namespace waggle::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

std::string services(std::string_view entries) { return "discovery:\n  services: " + std::string(entries) + "\n"; }

TEST(Selector, ReadsEveryKey) {
    const Loaded all =
        loaded(services("[{name: shop, namespace: eu, open_ports: '80,8000-8010', exe_path: java, "
                        "exe_glob: /opt/*, cmd_args: '-jar',"
                        " cmd_glob: '*x*', pids: [1, 2], any_listener: true, children: false}]"));
    ASSERT_EQ(all.config.discovery.services.size(), 1u);
    const SelectorConfig& selector = all.config.discovery.services[0];
    EXPECT_EQ(selector.name, "shop");
    EXPECT_EQ(selector.service_namespace, "eu");
    EXPECT_TRUE(selector.open_ports.contains(8005));
    EXPECT_EQ(selector.exe_path, "java");
    EXPECT_EQ(selector.exe_glob, "/opt/*");
    EXPECT_EQ(selector.cmd_args, "-jar");
    EXPECT_EQ(selector.cmd_glob, "*x*");
    EXPECT_THAT(selector.pids, ElementsAre(1, 2));
    EXPECT_TRUE(selector.is_any_listener);
    EXPECT_EQ(selector.children, false);
}

TEST(Selector, PortsMayBeANumber) {
    EXPECT_TRUE(loaded(services("[{open_ports: 8080}]")).config.discovery.services[0].open_ports.contains(8080));
    EXPECT_THAT(error_of(services("[{open_ports: [80]}]")), HasSubstr("not a list"));
    EXPECT_THAT(error_of(services("[{open_ports: ''}]")), HasSubstr("\"\" is not a list of ports"));
}

TEST(Selector, DeprecatedPathCountsOnlyAlone) {
    EXPECT_EQ(loaded(services("[{exe_path_regexp: old}]")).config.discovery.services[0].exe_path, "old");
    EXPECT_EQ(loaded(services("[{exe_path_regexp: old, exe_path: new}]")).config.discovery.services[0].exe_path, "new");
}

TEST(Selector, UnknownKeyIsAnError) {
    EXPECT_THAT(error_of(services("\n    - open_port: 80")),
                HasSubstr("w.yaml:3: discovery.services[0]: unknown selector open_port; did you "
                          "mean open_ports?"));
}

TEST(Selector, EntryWithoutSelectorIsAnError) {
    for (const std::string_view entry : {"[{name: a, namespace: b}]", "[{}]", "[{any_listener: false}]",
                                         "[{exe_path: ''}]", "[{children: true}]", "[{exe_path: ~}]"})
        EXPECT_THAT(error_of(services(entry)), HasSubstr("discovery.services[0]: selects nothing")) << entry;
    EXPECT_THAT(error_of("discovery: {exclude_services: [{name: a}]}"),
                HasSubstr("exclude_services[0]: selects nothing"));
    EXPECT_THAT(error_of(services("[80]")), HasSubstr("must be a map"));
    EXPECT_THAT(error_of(services("80")), HasSubstr("must be a list of selectors"));
}

TEST(Selector, BadRegexIsAnErrorWithItsReason) {
    EXPECT_THAT(error_of(services("[{exe_path: 'a('}]")),
                HasSubstr("discovery.services[0].exe_path: \"a(\" is not a regular expression (RE2): missing )"));
}

TEST(Selector, KeepsKubernetesKeysWithAWarning) {
    const Loaded all = loaded(services("[{k8s_namespace: ., k8s_pod_labels: {app: web}}]"));
    const SelectorConfig& selector = all.config.discovery.services[0];
    EXPECT_THAT(selector.k8s, ElementsAre(Pair("k8s_namespace", "."), Pair("k8s_pod_labels.app", "web")));
    EXPECT_FALSE(selector.exe_path);
    EXPECT_THAT(warnings_of(all), HasSubstr("k8s_namespace: accepted, has no effect yet"));
    EXPECT_THAT(error_of(services("[{k8s_owner_name: '['}]")), HasSubstr("k8s_owner_name"));
    EXPECT_THAT(error_of(services("[{k8s_pod_labels: [a]}]")), HasSubstr("must be a map from label"));
}

TEST(Selector, PrintsWhatItRead) {
    const std::string entries =
        R"([{name: shop, open_ports: "80,8000-8010", exe_path: java, pids: [1, 2], children: false, )"
        R"(k8s_namespace: "^a$", k8s_pod_labels: {app: web}}])";
    EXPECT_EQ(setting(loaded(services(entries)), "discovery.services").value, entries);
}

}  // namespace
}  // namespace waggle::config
