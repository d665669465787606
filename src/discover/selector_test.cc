// SPDX-License-Identifier: Apache-2.0
#include "discover/selector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/load.h"

namespace waggle::discover {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::uint32_t kOwnPid = 99;

Selectors compiled(std::string_view yaml, const config::Environment& environment = {}) {
    auto loaded = config::load(yaml, "test.yaml", environment);
    if (!loaded) throw std::runtime_error(loaded.error().message);
    auto selectors = Selectors::compile(loaded->config, kOwnPid);
    if (!selectors) throw std::runtime_error(selectors.error().message);
    return std::move(*selectors);
}

Selectors services(std::string_view entries) { return compiled("discovery: {services: " + std::string(entries) + "}"); }

Process program(std::string exe, std::vector<std::string> argv = {}, std::vector<Listen> listens = {}) {
    return {
        .pid = 10, .kernel_tgid = 10, .exe = std::move(exe), .argv = std::move(argv), .listens = std::move(listens)};
}

TEST(Selectors, ByOpenPorts) {
    const Selectors selectors = services("[{open_ports: '80,8000-8010'}]");
    const auto selects = [&](std::vector<Listen> listens) {
        return selectors.match(program("/bin/x", {}, std::move(listens))).is_selected();
    };
    EXPECT_TRUE(selects({{.port = 80}}));
    EXPECT_TRUE(selects({{.port = 22}, {.port = 8000}}));
    EXPECT_TRUE(selects({{.port = 8010}}));
    EXPECT_FALSE(selects({{.port = 81}}));
    EXPECT_FALSE(selects({{.port = 7999}}));
    EXPECT_FALSE(selects({{.port = 8011}}));
    EXPECT_FALSE(selects({}));
    EXPECT_FALSE(selects({{.path = "/run/80"}}));
    EXPECT_EQ(selectors.match(program("/bin/x", {}, {{.port = 80}})).reason,
              "listens on port 80 (discovery.services[0])");
}

TEST(Selectors, AnyListener) {
    const Selectors selectors = services("[{any_listener: true}]");
    EXPECT_TRUE(selectors.match(program("/bin/x", {}, {{.port = 1}})).is_selected());
    EXPECT_TRUE(selectors.match(program("/bin/x", {}, {{.path = "@name"}})).is_selected());
    EXPECT_FALSE(selectors.match(program("/bin/x")).is_selected());
}

TEST(Selectors, ByExecutable) {
    // A regular expression is found anywhere, a glob takes the whole path.
    const Selectors regex = services("[{exe_path: 'ngin[xy]$'}]");
    EXPECT_TRUE(regex.match(program("/usr/sbin/nginx")).is_selected());
    EXPECT_FALSE(regex.match(program("/usr/sbin/nginx-debug")).is_selected());
    EXPECT_FALSE(regex.match(program("/usr/sbin/NGINX")).is_selected());
    const Selectors glob = services("[{exe_glob: '/usr/{bin,sbin}/nginx'}]");
    EXPECT_TRUE(glob.match(program("/usr/sbin/nginx")).is_selected());
    EXPECT_FALSE(glob.match(program("/opt/usr/sbin/nginx")).is_selected());
    EXPECT_TRUE(services("[{exe_path: unknown}]").match(program("")).is_selected());
}

TEST(Selectors, ByCommandLine) {
    const Process shop = program("/usr/bin/python3", {"python3", "-m", "shop", "--port", "80"});
    EXPECT_TRUE(services("[{cmd_args: '-m shop\\b'}]").match(shop).is_selected());
    EXPECT_FALSE(services("[{cmd_args: '^-m shop'}]").match(shop).is_selected());
    EXPECT_TRUE(services("[{cmd_glob: 'python3 -m shop *'}]").match(shop).is_selected());
    EXPECT_FALSE(services("[{cmd_glob: '-m shop'}]").match(shop).is_selected());
    // What the kernel sees of a wildcard is any byte.
    EXPECT_TRUE(services("[{cmd_glob: '*\\xff*'}]").match(program("/x", {"a", "\\xff"})).is_selected() ||
                services("[{cmd_glob: '*'}]").match(program("/x", {"\xff\xfe"})).is_selected());
}

TEST(Selectors, ByPid) {
    const Selectors selectors = services("[{pids: [10, 500]}]");
    EXPECT_TRUE(selectors.match(program("/bin/x")).is_selected());
    Process in_container = program("/bin/x");
    in_container.pid = 7;
    in_container.kernel_tgid = 500;
    EXPECT_TRUE(selectors.match(in_container).is_selected());
    in_container.kernel_tgid = 501;
    EXPECT_FALSE(selectors.match(in_container).is_selected());
}

TEST(Selectors, ConditionsOfAnEntryAreAnded) {
    const Selectors selectors = services("[{open_ports: 80, exe_path: nginx, cmd_args: worker}]");
    EXPECT_TRUE(selectors.match(program("/nginx", {"nginx: worker"}, {{.port = 80}})).is_selected());
    EXPECT_FALSE(selectors.match(program("/nginx", {"nginx: worker"}, {{.port = 81}})).is_selected());
    EXPECT_FALSE(selectors.match(program("/nginx", {"nginx: master"}, {{.port = 80}})).is_selected());
    EXPECT_FALSE(selectors.match(program("/httpd", {"nginx: worker"}, {{.port = 80}})).is_selected());
}

TEST(Selectors, FirstEntryThatMatchesCounts) {
    const Selectors selectors =
        services("[{exe_path: one, name: a}, {exe_path: shop, name: b}, {exe_path: sho, name: c}]");
    const Verdict verdict = selectors.match(program("/shop"));
    EXPECT_EQ(verdict.entry, 1);
    EXPECT_EQ(selectors.entry(verdict.entry).name, "b");
    EXPECT_EQ(selectors.match(program("/other")).reason, "no selector matches");
    EXPECT_EQ(compiled("").match(program("/x")).reason, "no selector is configured");
}

TEST(Selectors, ExclusionsWin) {
    const Selectors selectors = compiled(
        "discovery: {services: [{open_ports: 1-65535}], exclude_services: [{exe_path: nginx, "
        "open_ports: 81}, {cmd_args: secret}]}");
    EXPECT_TRUE(selectors.match(program("/nginx", {}, {{.port = 80}})).is_selected());
    EXPECT_EQ(selectors.match(program("/nginx", {}, {{.port = 80}, {.port = 81}})).kind, VerdictKind::Excluded);
    const Verdict verdict = selectors.match(program("/shop", {"shop", "--secret"}, {{.port = 80}}));
    EXPECT_EQ(verdict.kind, VerdictKind::Excluded);
    EXPECT_EQ(verdict.reason, "command line matches secret (discovery.exclude_services[1])");
    // Not for children either.
    EXPECT_EQ(selectors.follow(program("/shop", {"secret"}), 0, 5).kind, VerdictKind::Excluded);
    EXPECT_TRUE(selectors.follow(program("/shop"), 0, 5).is_selected());
}

TEST(Selectors, NeverTheAgentNorCollectors) {
    const Selectors selectors = services("[{exe_path: .}]");
    Process agent = program("/usr/bin/anything");
    agent.pid = kOwnPid;
    EXPECT_EQ(selectors.match(agent).reason, "the agent itself");
    for (const char* exe :
         {"/usr/bin/otelcol", "/usr/bin/otelcol-contrib", "otelcol-k8s", "/bin/alloy", "/beyla", "/usr/bin/waggle"})
        EXPECT_EQ(selectors.match(program(exe)).kind, VerdictKind::Excluded) << exe;
    for (const char* exe :
         {"/usr/bin/otelcollector/shop", "/usr/bin/alloyed", "/usr/bin/my-beyla", "/opt/beyla/bin/shop"})
        EXPECT_TRUE(selectors.match(program(exe)).is_selected()) << exe;
    // Whoever wants to see them says so.
    EXPECT_TRUE(compiled("discovery: {services: [{exe_path: .}], default_exclude_services: []}")
                    .match(program("/bin/otelcol"))
                    .is_selected());
}

TEST(Selectors, LegacyKeysAreOneEntryMore) {
    const Selectors selectors =
        compiled("executable_name: shop\nopen_port: 80\ndiscovery: {services: [{exe_path: cart}]}\n");
    EXPECT_EQ(selectors.match(program("/cart")).entry, 0);
    EXPECT_FALSE(selectors.match(program("/shop")).is_selected());
    EXPECT_FALSE(selectors.match(program("/x", {}, {{.port = 80}})).is_selected());
    EXPECT_EQ(selectors.match(program("/shop", {}, {{.port = 80}})).entry, 1);
    const Selectors by_variables = compiled("", {{"BEYLA_OPEN_PORT", "8080-8089"}, {"BEYLA_SERVICE_NAME", "named"}});
    EXPECT_TRUE(by_variables.match(program("/x", {}, {{.port = 8081}})).is_selected());
    EXPECT_EQ(by_variables.entry(0).name, "named");
    EXPECT_TRUE(compiled("", {{"BEYLA_EXECUTABLE_NAME", "^/opt/"}}).match(program("/opt/x")).is_selected());
    EXPECT_EQ(compiled("", {{"BEYLA_EXECUTABLE_NAME", ""}}).size(), 0u);
}

TEST(Selectors, SystemWideIsEveryProcess) {
    const Selectors selectors = compiled("discovery: {system_wide: true}");
    EXPECT_TRUE(selectors.match(program("/bin/x")).is_selected());
    EXPECT_FALSE(selectors.match(program("/bin/otelcol")).is_selected());
}

TEST(Selectors, ChildrenFollowUnlessToldNotTo) {
    const Selectors selectors =
        services("[{exe_path: a}, {exe_path: b, children: false}, {exe_path: c, children: true}]");
    EXPECT_TRUE(selectors.follows_children(0));
    EXPECT_FALSE(selectors.follows_children(1));
    EXPECT_TRUE(selectors.follows_children(2));
    EXPECT_EQ(selectors.follow(program("/x"), 2, 5).reason, "child of process 5 (discovery.services[2])");
    EXPECT_EQ(selectors.follow(program("/x"), 2, 10).reason,
              "was selected before it started this program (discovery.services[2])");
}

TEST(Selectors, KubernetesEntriesSelectNothingYet) {
    const Selectors selectors = services("[{k8s_namespace: ., exe_path: .}]");
    EXPECT_FALSE(selectors.match(program("/x")).is_selected());
    EXPECT_THAT(selectors.explain(program("/x")).front(), HasSubstr("Kubernetes metadata, which is not known"));
}

TEST(Selectors, SaysWhatItNeeds) {
    EXPECT_FALSE(services("[{exe_path: x}]").needs().ports);
    EXPECT_TRUE(services("[{open_ports: 80}]").needs().ports);
    EXPECT_FALSE(services("[{open_ports: 80}]").needs().unix_sockets);
    EXPECT_TRUE(services("[{any_listener: true}]").needs().unix_sockets);
    EXPECT_TRUE(compiled("discovery: {services: [{exe_path: x}], exclude_services: [{open_ports: 80}]}").needs().ports);
}

TEST(Selectors, ExplainsEveryEntry) {
    const Selectors selectors = compiled(
        "discovery: {services: [{open_ports: 80, exe_path: nginx}, {exe_glob: '/x'}], "
        "exclude_services: [{cmd_args: debug}], "
        "default_exclude_services: []}");
    EXPECT_THAT(selectors.explain(program("/usr/sbin/nginx", {"nginx"}, {{.port = 81}})),
                ElementsAre("discovery.services[0]: does not select: listens on none of the ports; executable "
                            "matches nginx",
                            "discovery.services[1]: does not select: executable does not match /x",
                            "discovery.exclude_services[0]: does not exclude: command line does not match debug"));
}

TEST(Selectors, RefusesABrokenExpression) {
    config::Config config;
    config.discovery.services.push_back({.exe_path = "("});
    const auto selectors = Selectors::compile(config, kOwnPid);
    ASSERT_FALSE(selectors);
    EXPECT_THAT(selectors.error().message, HasSubstr("discovery.services[0].exe_path"));
}

}  // namespace
}  // namespace waggle::discover
