// SPDX-License-Identifier: Apache-2.0
#include "proc/container.h"

#include <gtest/gtest.h>

#include "proc/test_tree.h"

namespace waggle::proc {
namespace {

const std::string kId(64, 'a');
const std::string kOther(64, 'b');
const std::string kDocker = "root/var/lib/docker/containers/" + kId + "/config.v2.json";
const std::string kContainerd = "root/run/containerd/io.containerd.runtime.v2.task/";
const std::string kStorage = "/containers/storage/overlay-containers/";

struct ContainerNamesTest : testing::Test {
    std::string name(std::string_view id = kId) const { return ContainerNames(tree.procfs()).of(id).text; }
    ProcTree tree;
};

TEST_F(ContainerNamesTest, DockersOwn) {
    tree.write(1, kDocker, R"({"ID":"a","Config":{"Image":"nginx","Labels":{"maintainer":"x"}},"Name":"/web"})");
    EXPECT_EQ(name(), "web");
    EXPECT_EQ(name(kOther), "");
}

TEST_F(ContainerNamesTest, LabelsSayMoreThanAReplicasName) {
    const auto labelled = [&](const std::string& labels) {
        tree.write(1, kDocker, R"({"Config":{"Labels":{)" + labels + R"(}},"Name":"/shop-web-1"})");
        return name();
    };
    EXPECT_EQ(labelled(R"("com.docker.compose.project":"shop","com.docker.compose.service":"web")"), "web");
    EXPECT_EQ(labelled(R"("com.docker.swarm.service.name":"shop_web")"), "shop_web");
    EXPECT_EQ(labelled(R"("io.kubernetes.container.name":"app","io.kubernetes.pod.name":"shop-1")"), "app");
    EXPECT_EQ(labelled(R"("com.docker.compose.service":7)"), "shop-web-1");
}

TEST_F(ContainerNamesTest, WhatTheEngineMadeUpIsNotChosen) {
    const auto is_chosen = [&](const std::string& of_docker) {
        tree.write(1, kDocker, of_docker);
        return ContainerNames(tree.procfs()).of(kId).is_chosen;
    };
    const auto named = [&](const std::string& own) { return is_chosen("{\"Name\":\"/" + own + "\"}"); };
    for (const std::string own :
         {"web", "web-1", "shop-web", "Shop_Web", "shop_web_1", "web2", "shop-1f0c9f", "_", "a_"})
        EXPECT_TRUE(named(own)) << own;
    for (const std::string own : {"quirky_einstein", "quirky_einstein7", "nginx-1f0c9"})
        EXPECT_FALSE(named(own)) << own;
    EXPECT_TRUE(is_chosen(R"({"Config":{"Labels":{"com.docker.compose.service":"my_web"}},"Name":"/x"})"));
    EXPECT_FALSE(is_chosen("{}"));
}

TEST_F(ContainerNamesTest, LongOnesAreCut) {
    tree.write(1, kDocker, "{\"Name\":\"/" + std::string(100'000, 'x') + "\"}");
    EXPECT_EQ(name(), std::string(255, 'x'));
}

TEST_F(ContainerNamesTest, DockersFolderIsWhereItsConfigurationSays) {
    tree.write(1, "root/etc/docker/daemon.json", R"({"data-root":"/data/docker"})");
    tree.write(1, "root/data/docker/containers/" + kId + "/config.v2.json", R"({"Name":"/web"})");
    EXPECT_EQ(name(), "web");
}

TEST_F(ContainerNamesTest, AnnotationsOfTheBundle) {
    tree.write(1, kContainerd + "k8s.io/" + kId + "/config.json",
               R"({"ociVersion":"1.1.0","annotations":{"io.kubernetes.cri.container-name":"app",
                   "io.kubernetes.cri.container-type":"container","io.kubernetes.cri.sandbox-name":"shop-1"}})");
    EXPECT_EQ(name(), "app");
    tree.write(1, kContainerd + "default/" + kOther + "/config.json", R"({"annotations":{"nerdctl/name":"web"}})");
    EXPECT_EQ(name(kOther), "web");
    const std::string third(64, 'c');
    tree.write(1, "root/run" + kStorage + third + "/userdata/config.json",
               R"({"annotations":{"io.container.manager":"cri-o","io.kubernetes.container.name":"till"}})");
    EXPECT_EQ(name(third), "till");
}

TEST_F(ContainerNamesTest, PodmansList) {
    tree.write(
        1, "root/var/lib" + kStorage + "containers.json",
        R"([{"id":")" + kOther + R"(","names":["db"]},{"id":")" + kId + R"(","names":["web","www"],"image":"x"}])");
    EXPECT_EQ(name(), "web");
    EXPECT_EQ(name(kOther), "db");
    EXPECT_EQ(name(std::string(64, 'c')), "");
}

TEST_F(ContainerNamesTest, DamagedFilesTellNothing) {
    for (const std::string_view damaged : {"", "{", "[]", "null", R"("web")", R"({"Name":1})",
                                           R"({"Name":null,"Config":[]})", R"({"Config":{"Labels":"x"}})"}) {
        tree.write(1, kDocker, damaged);
        EXPECT_EQ(name(), "") << damaged;
    }
    for (const std::string_view damaged : {"{}", "[1]", R"([{"id":1,"names":{}}])", R"([{"names":["web"]}])"}) {
        tree.write(1, "root/var/lib" + kStorage + "containers.json", damaged);
        EXPECT_EQ(name(), "") << damaged;
    }
}

TEST_F(ContainerNamesTest, AFileIsReadOnce) {
    ContainerNames names(tree.procfs());
    tree.write(1, kDocker, R"({"Name":"/web"})");
    EXPECT_EQ(names.of(kId).text, "web");
    tree.write(1, kDocker, R"({"Name":"/other"})");
    EXPECT_EQ(names.of(kId).text, "web");
}

}  // namespace
}  // namespace waggle::proc
