// SPDX-License-Identifier: Apache-2.0
#include "proc/cgroup.h"

#include <gtest/gtest.h>

namespace waggle::proc {
namespace {

const std::string kId = "40c03570b6f4c30bc8d69923d37ee698f5cfcced92c7b7df1c47f6f7887378a9";
const std::string kOther = "11" + kId.substr(2);
const std::string kPod = "7260904b-bb36-4f84-bd52-8ee4a8fd9a50";
const std::string kPodScope = "7260904b_bb36_4f84_bd52_8ee4a8fd9a50";

struct Case {
    std::string name;
    std::string text;
    std::string container;
    std::string pod;
    std::string unit;
};

class Cgroups : public testing::TestWithParam<Case> {};

TEST_P(Cgroups, TellsContainerPodAndUnit) {
    const CgroupIdentity found = parse_cgroups(GetParam().text);
    EXPECT_EQ(found.container_id, GetParam().container);
    EXPECT_EQ(found.pod_uid, GetParam().pod);
    EXPECT_EQ(found.unit, GetParam().unit);
}

INSTANTIATE_TEST_SUITE_P(
    Paths, Cgroups,
    testing::Values(
        Case{"none", "0::/\n", "", "", ""}, Case{"empty", "", "", "", ""},
        Case{"garbage", "no colons here\n::\n:\n0:\n", "", "", ""},
        Case{"docker_v2_systemd", "0::/system.slice/docker-" + kId + ".scope\n", kId, "", ""},
        Case{"docker_v2_cgroupfs", "0::/docker/" + kId + "\n", kId, "", ""},
        Case{"docker_v1",
             "12:cpuset:/docker/" + kId + "\n11:memory:/docker/" + kId + "\n1:name=systemd:/docker/" + kId + "\n0::/\n",
             kId, "", ""},
        Case{"docker_hybrid",
             "4:memory:/docker/" + kId + "\n1:name=systemd:/docker/" + kId + "\n0::/system.slice/containerd.service\n",
             kId, "", ""},
        Case{"kubelet_v2_containerd",
             "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + kPodScope +
                 ".slice/cri-containerd-" + kId + ".scope\n",
             kId, kPod, ""},
        Case{"kubelet_v2_guaranteed",
             "0::/kubepods.slice/kubepods-pod" + kPodScope + ".slice/cri-containerd-" + kId + ".scope\n", kId, kPod,
             ""},
        Case{"kubelet_v2_crio",
             "0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" + kPodScope + ".slice/crio-" + kId +
                 ".scope\n",
             kId, kPod, ""},
        Case{"kubelet_crio_with_container_subgroup",
             "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + kPodScope + ".slice/crio-" + kId +
                 ".scope/container\n",
             kId, kPod, ""},
        Case{"kubelet_v1_cgroupfs", "5:memory:/kubepods/burstable/pod" + kPod + "/" + kId + "\n", kId, kPod, ""},
        Case{"kubelet_v1_besteffort", "5:memory:/kubepods/besteffort/pod" + kPod + "/" + kId + "\n", kId, kPod, ""},
        Case{"kubelet_v2_cgroupfs", "0::/kubepods/burstable/pod" + kPod + "/" + kId + "\n", kId, kPod, ""},
        Case{"kubelet_cgroupfs_crio", "0::/kubepods/burstable/pod" + kPod + "/crio-" + kId + "\n", kId, kPod, ""},
        Case{"kubelet_v1_docker",
             "8:cpu,cpuacct:/kubepods.slice/kubepods-pod" + kPodScope + ".slice/docker-" + kId + ".scope\n", kId, kPod,
             ""},
        Case{"containerd_with_colons_v1",
             "9:pids:/system.slice/containerd.service/kubepods-burstable-pod" + kPodScope +
                 ".slice:cri-containerd:" + kId + "\n",
             kId, kPod, ""},
        Case{"seen_from_a_cgroup_namespace", "0::/../../pod" + kPod + "/" + kId + "\n", kId, kPod, ""},
        Case{"sibling_scope_from_a_namespace", "0::/../cri-containerd-" + kId + ".scope\n", kId, "", ""},
        Case{"static_pod_hash", "0::/kubepods/burstable/pod" + std::string(32, 'a') + "/" + kId + "\n", kId,
             std::string(32, 'a'), ""},
        Case{"kind_node_in_docker",
             "0::/system.slice/docker-" + kOther +
                 ".scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/"
                 "kubelet-kubepods-burstable-pod" +
                 kPodScope + ".slice/cri-containerd-" + kId + ".scope\n",
             kOther, kPod, ""},
        Case{"beylas_scope_first",
             "0::/system.slice/docker-" + kOther + ".scope/kubepods/burstable/pod" + kPod + "/" + kId + "\n", kOther,
             kPod, ""},
        Case{"podman", "0::/machine.slice/libpod-" + kId + ".scope/container\n", kId, "", ""},
        Case{"podman_rootless",
             "0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + kId + ".scope/container\n", kId,
             "", ""},
        Case{"podman_cgroupfs", "0::/libpod_parent/libpod-" + kId + "\n", kId, "", ""},
        Case{"ecs", "9:perf_event:/ecs/0123456789abcdef/" + kId + "\n", kId, "", ""},
        Case{"unit", "0::/system.slice/shop.service\n", "", "", "shop"},
        Case{"unit_v1", "12:memory:/system.slice/shop.service\n1:name=systemd:/system.slice/shop.service\n", "", "",
             "shop"},
        Case{"unit_hybrid", "1:name=systemd:/system.slice/shop.service\n0::/system.slice/shop.service\n", "", "",
             "shop"},
        Case{"unit_template", "0::/system.slice/system-shop.slice/shop@eu.service\n", "", "", "shop@eu"},
        Case{"unit_with_subgroup", "0::/system.slice/shop.service/workers\n", "", "", "shop"},
        Case{"unit_of_a_user_is_a_session",
             "0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-term.scope\n", "", "", ""},
        Case{"unit_of_a_machine", "0::/machine.slice/systemd-nspawn@box.service/payload/system.slice/shop.service\n",
             "", "", "shop"},
        Case{"machine_without_units", "0::/machine.slice/systemd-nspawn@box.service/payload\n", "", "", ""},
        Case{"session", "0::/user.slice/user-0.slice/session-3.scope\n", "", "", ""},
        Case{"short_hex_is_no_id", "0::/docker/" + kId.substr(1) + "\n", "", "", ""},
        Case{"not_hex_is_no_id", "0::/docker/g" + kId.substr(1) + "\n", "", "", ""},
        Case{"pod_without_uid", "0::/podium/shop\n", "", "", ""}),
    [](const auto& info) { return info.param.name; });

TEST(CgroupPath, IsTheUnifiedOne) {
    EXPECT_EQ(parse_cgroups("4:memory:/a\n0::/b\n").path, "/b");
    EXPECT_EQ(parse_cgroups("4:memory:/a\n3:cpu:/c\n").path, "/a");
    EXPECT_EQ(parse_cgroups("0::/with:colon\n").path, "/with:colon");
}

}  // namespace
}  // namespace waggle::proc
