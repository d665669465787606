// SPDX-License-Identifier: Apache-2.0
#include "proc/container.h"

#include <array>
#include <nlohmann/json.hpp>

namespace waggle::proc {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxKnown = 4096;
constexpr std::size_t kMaxFile = 4 << 20;
// Whose root has the engines' files. Where it may not be looked into, or the agent lives in a container that has them,
// too, the agent's own does.
constexpr std::uint32_t kInit = 1;

// The more a label says of what the container is for, the earlier it stands: a replica's own name comes last.
constexpr std::array<std::string_view, 5> kLabels{"io.kubernetes.cri.container-name", "io.kubernetes.container.name",
                                                  "com.docker.compose.service", "com.docker.swarm.service.name",
                                                  "nerdctl/name"};

// An object's member; null where there is none.
const json& member(const json& object, std::string_view key) {
    static const json kNone;
    if (!object.is_object()) return kNone;
    const auto found = object.find(key);
    return found == object.end() ? kNone : *found;
}

std::string text(const json& value) { return value.is_string() ? value.get<std::string>() : std::string(); }

std::string name_of_labels(const json& labels) {
    for (const std::string_view label : kLabels)
        if (std::string name = text(member(labels, label)); !name.empty()) return name;
    return {};
}

std::string docker_name(const json& container) {
    if (std::string name = name_of_labels(member(member(container, "Config"), "Labels")); !name.empty()) return name;
    std::string name = text(member(container, "Name"));
    return name.starts_with('/') ? name.substr(1) : name;
}

// The configuration that the OCI runtime was given.
std::string oci_name(const json& bundle) { return name_of_labels(member(bundle, "annotations")); }

// The list of all containers that Podman and CRI-O keep.
std::string stored_name(const json& containers, std::string_view id) {
    if (!containers.is_array()) return {};
    for (const json& container : containers) {
        if (text(member(container, "id")) != id) continue;
        const json& names = member(container, "names");
        return names.is_array() && !names.empty() ? text(names.front()) : std::string();
    }
    return {};
}

// The folders of OCI runtimes' bundles by id, and where the configuration stands in one.
struct Bundles {
    std::string_view folder;
    std::string_view file;
};
constexpr std::array kBundles{
    Bundles{"/run/containerd/io.containerd.runtime.v2.task/k8s.io/", "/config.json"},
    Bundles{"/run/k3s/containerd/io.containerd.runtime.v2.task/k8s.io/", "/config.json"},
    Bundles{"/run/containerd/io.containerd.runtime.v2.task/default/", "/config.json"},
    Bundles{"/run/containers/storage/overlay-containers/", "/userdata/config.json"},
};
constexpr std::string_view kStored = "/var/lib/containers/storage/overlay-containers/containers.json";

json read(const ProcFs& procfs, const std::string& path) {
    auto file = procfs.read_in_root(kInit, path, kMaxFile);
    if (const std::uint32_t own = procfs.own_pid(); !file && own != 0) file = procfs.read_in_root(own, path, kMaxFile);
    return file ? json::parse(*file, nullptr, false) : json();
}

// Where Docker keeps its containers.
std::string docker_root(const ProcFs& procfs) {
    std::string root = text(member(read(procfs, "/etc/docker/daemon.json"), "data-root"));
    return root.empty() ? "/var/lib/docker" : root;
}

std::string find_name(const ProcFs& procfs, const std::string& id) {
    if (std::string name = docker_name(read(procfs, docker_root(procfs) + "/containers/" + id + "/config.v2.json"));
        !name.empty())
        return name;
    for (const auto& [folder, file] : kBundles)
        if (std::string name = oci_name(read(procfs, std::string(folder) + id + std::string(file))); !name.empty())
            return name;
    return stored_name(read(procfs, std::string(kStored)), id);
}

}  // namespace

const std::string& ContainerNames::of(std::string_view id) {
    if (known_.size() >= kMaxKnown) known_.clear();
    const auto [at, is_new] = known_.try_emplace(std::string(id));
    if (is_new) at->second = find_name(procfs_, at->first);
    return at->second;
}

}  // namespace waggle::proc
