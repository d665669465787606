// SPDX-License-Identifier: Apache-2.0
#include "proc/cgroup.h"

#include <algorithm>
#include <array>

#include "base/strings.h"

namespace waggle::proc {
namespace {

constexpr size_t kIdLength = 64;
constexpr std::string_view kScope = ".scope";
constexpr std::string_view kService = ".service";

bool is_hex(std::string_view text) {
    return std::ranges::all_of(
        text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); });
}

bool is_id(std::string_view text) { return text.size() == kIdLength && is_hex(text); }

// systemd driver: docker-<id>.scope, cri-containerd-<id>.scope, crio-<id>.scope, libpod-<id>.scope
// …
std::string_view id_of_scope(std::string_view part) {
    if (!part.ends_with(kScope)) return {};
    part.remove_suffix(kScope.size());
    const size_t dash = part.rfind('-');
    if (dash == std::string_view::npos) return {};
    const std::string_view id = part.substr(dash + 1);
    return is_id(id) ? id : std::string_view();
}

// pod<uid>, or kubepods-burstable-pod<uid with underscores>.slice.
std::string pod_uid_of(std::string_view part) {
    constexpr std::string_view kSlice = ".slice";
    if (part.ends_with(kSlice)) part.remove_suffix(kSlice.size());
    const bool is_plain = part.starts_with("pod");
    const size_t dash = part.rfind("-pod");
    // A node that is a container itself (kind) has "kubelet-kubepods-…".
    const bool is_slice = part.find("kubepods") != std::string_view::npos && dash != std::string_view::npos;
    if (!is_plain && !is_slice) return {};
    std::string uid(part.substr(is_plain ? 3 : dash + 4));
    std::ranges::replace(uid, '_', '-');
    std::string digits = uid;
    std::erase(digits, '-');
    // A UID, or the hash that static pods have.
    return digits.size() == 32 && is_hex(digits) ? uid : std::string();
}

// How sure a container id is: the smaller number wins over all lines.
enum class Evidence { Scope, Pod, Runtime, Plain, None };

struct Line {
    std::string_view id;
    Evidence evidence = Evidence::None;
    std::string pod_uid;
};

Line read_line(const std::vector<std::string_view>& parts) {
    // cgroupfs driver: /docker/<id>, /lxc/<id>, /libpod_parent/libpod-<id>, /crio-<id>.
    constexpr std::array<std::string_view, 6> kRuntimes{"docker",         "libpod_parent", "containerd",
                                                        "cri-containerd", "machine",       "buildkit"};
    Line line;
    const auto take = [&](std::string_view id, Evidence evidence) {
        // The first scope is the outermost container; below a pod the innermost group counts.
        if (evidence > line.evidence) return;
        if (evidence == line.evidence && evidence == Evidence::Scope) return;
        line.id = id;
        line.evidence = evidence;
    };
    bool is_below_pod = false;
    for (size_t i = 0; i < parts.size(); ++i) {
        const std::string_view part = parts[i];
        const std::string_view before = i > 0 ? parts[i - 1] : std::string_view();
        if (const std::string_view id = id_of_scope(part); !id.empty()) take(id, Evidence::Scope);
        if (std::string uid = pod_uid_of(part); !uid.empty()) line.pod_uid = std::move(uid);
        const std::string_view plain = part.substr(part.rfind('-') + 1);
        if (is_below_pod && is_id(part))
            take(part, Evidence::Pod);
        else if (is_below_pod && part.starts_with("crio-") && is_id(plain))
            take(plain, Evidence::Pod);
        else if (is_id(part) && std::ranges::find(kRuntimes, before) != kRuntimes.end())
            take(part, Evidence::Runtime);
        else if ((part.starts_with("libpod-") || part.starts_with("crio-")) && is_id(plain))
            take(plain, Evidence::Runtime);
        else if (is_id(part))
            take(part, Evidence::Plain);  // nobody else calls a group so: /ecs/<task>/<id>
        is_below_pod = is_below_pod || part.starts_with("pod") || part.find("kubepods-") != std::string_view::npos;
    }
    return line;
}

std::string unit_of(const std::vector<std::string_view>& parts) {
    if (parts.empty() || parts.front() == "user.slice") return {};
    for (const std::string_view part : parts) {
        // What runs in a machine has units of its own below.
        if (!part.ends_with(kService) || part.starts_with("systemd-nspawn@")) continue;
        const std::string_view unit = part.substr(0, part.size() - kService.size());
        return unit.starts_with("user@") ? std::string() : std::string(unit);
    }
    return {};
}

}  // namespace

CgroupIdentity parse_cgroups(std::string_view text) {
    CgroupIdentity identity;
    Evidence best = Evidence::None;
    for (const std::string_view line : split(text, '\n')) {
        // hierarchy:controllers:path
        const size_t first = line.find(':');
        const size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
        if (second == std::string_view::npos) continue;
        const std::string_view path = line.substr(second + 1);
        const bool is_unified = line.starts_with("0::");
        if (identity.path.empty() || is_unified) identity.path = path;
        // containerd with systemd's driver in version 1: <slice>:cri-containerd:<id>
        std::vector<std::string_view> parts;
        for (const std::string_view group : split(path, '/'))
            for (const std::string_view part : split(group, ':')) parts.push_back(part);
        std::erase_if(parts, [](std::string_view part) { return part.empty() || part == ".."; });
        Line found = read_line(parts);
        if (found.evidence < best) {
            best = found.evidence;
            identity.container_id = found.id;
        }
        if (identity.pod_uid.empty()) identity.pod_uid = std::move(found.pod_uid);
        const bool is_systemd = is_unified || line.substr(first + 1).starts_with("name=systemd:");
        if (is_systemd && identity.unit.empty()) identity.unit = unit_of(parts);
    }
    if (!identity.container_id.empty()) identity.unit.clear();
    return identity;
}

}  // namespace waggle::proc
