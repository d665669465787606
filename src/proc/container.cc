// SPDX-License-Identifier: Apache-2.0
#include "proc/container.h"

#include <algorithm>
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

constexpr std::size_t kMaxName = 255;

// The more a label says of what the container is for, the earlier it stands.
constexpr std::array<std::string_view, 4> kLabels{"io.kubernetes.cri.container-name", "io.kubernetes.container.name",
                                                  "com.docker.compose.service", "com.docker.swarm.service.name"};

// An object's member; null where there is none.
const json& member(const json& object, std::string_view key) {
    static const json kNone;
    if (!object.is_object()) return kNone;
    const auto found = object.find(key);
    return found == object.end() ? kNone : *found;
}

std::string text(const json& value) { return value.is_string() ? value.get<std::string>() : std::string(); }

bool is_word(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= 'a' && c <= 'z'; });
}

// Docker and Podman join an adjective and a surname, with a digit behind them when that is taken; nerdctl adds five
// hexadecimal digits to the image's name.
bool is_by_chance(std::string_view name) {
    constexpr std::size_t kDigits = 5;
    if (const std::size_t dash = name.rfind('-'); dash != std::string_view::npos)
        return name.size() - dash - 1 == kDigits &&
               name.find_first_not_of("0123456789abcdef", dash + 1) == std::string_view::npos;
    const std::size_t line = name.find('_');
    if (line == std::string_view::npos) return false;
    if (name.back() >= '0' && name.back() <= '9') name.remove_suffix(1);
    return is_word(name.substr(0, line)) && is_word(name.substr(line + 1));
}

ContainerName own_name(std::string name) {
    const bool is_chosen = !name.empty() && !is_by_chance(name);
    return {.text = std::move(name), .is_chosen = is_chosen};
}

ContainerName name_of_labels(const json& labels) {
    for (const std::string_view label : kLabels)
        if (std::string name = text(member(labels, label)); !name.empty())
            return {.text = std::move(name), .is_chosen = true};
    return own_name(text(member(labels, "nerdctl/name")));
}

ContainerName docker_name(const json& container) {
    if (ContainerName name = name_of_labels(member(member(container, "Config"), "Labels")); !name.text.empty())
        return name;
    std::string name = text(member(container, "Name"));
    return own_name(name.starts_with('/') ? name.substr(1) : std::move(name));
}

// The configuration that the OCI runtime was given.
ContainerName oci_name(const json& bundle) { return name_of_labels(member(bundle, "annotations")); }

// The list of all containers that Podman and CRI-O keep.
ContainerName stored_name(const json& containers, std::string_view id) {
    if (!containers.is_array()) return {};
    for (const json& container : containers) {
        if (text(member(container, "id")) != id) continue;
        const json& names = member(container, "names");
        if (names.is_array() && !names.empty()) return own_name(text(names.front()));
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

ContainerName find_name(const ProcFs& procfs, const std::string& id) {
    if (ContainerName name = docker_name(read(procfs, docker_root(procfs) + "/containers/" + id + "/config.v2.json"));
        !name.text.empty())
        return name;
    for (const auto& [folder, file] : kBundles)
        if (ContainerName name = oci_name(read(procfs, std::string(folder) + id + std::string(file)));
            !name.text.empty())
            return name;
    return stored_name(read(procfs, std::string(kStored)), id);
}

}  // namespace

const ContainerName& ContainerNames::of(std::string_view id) {
    if (known_.size() >= kMaxKnown) known_.clear();
    const auto [at, is_new] = known_.try_emplace(std::string(id));
    ContainerName& name = at->second;
    if (is_new) name = find_name(procfs_, at->first);
    if (name.text.size() > kMaxName) name.text.resize(kMaxName);
    return name;
}

}  // namespace waggle::proc
