// SPDX-License-Identifier: Apache-2.0
// What a process's cgroup lines (/proc/<pid>/cgroup) tell about it: container, Kubernetes pod,
// systemd unit. Container runtimes name the groups; there is no kernel interface for this.
#pragma once

#include <string>
#include <string_view>

namespace waggle::proc {

struct CgroupIdentity {
    std::string path;          // of the unified hierarchy, else of the first line
    std::string container_id;  // 64 hexadecimal digits
    std::string pod_uid;       // with dashes
    std::string unit;          // systemd service without ".service"; never of a user's session
};

CgroupIdentity parse_cgroups(std::string_view text);

}  // namespace waggle::proc
