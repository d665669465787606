// SPDX-License-Identifier: Apache-2.0
// ContainerNames: what a container is called, by the files that its engine keeps of it on the host: Docker, containerd
// (Kubernetes, nerdctl), CRI-O, Podman. No engine is asked, so none has to answer. Container engines that a user runs
// for himself keep their files in his home: these are not looked at.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "proc/procfs.h"

namespace waggle::proc {

struct ContainerName {
    std::string text;  // at most 255 bytes; empty when nothing tells, or what does may not be read
    // Somebody called it so, and not the engine by chance, as in quirky_einstein or nginx-1f0c9.
    bool is_chosen = false;
};

class ContainerNames {
  public:
    explicit ContainerNames(ProcFs procfs) : procfs_(std::move(procfs)) {}

    // Of a container by its id (CgroupIdentity): as a service of a Compose file or of Swarm, as Kubernetes knows it in
    // its pod, or as it was named.
    const ContainerName& of(std::string_view id);

  private:
    ProcFs procfs_;
    std::unordered_map<std::string, ContainerName> known_;
};

}  // namespace waggle::proc
