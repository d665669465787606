// SPDX-License-Identifier: Apache-2.0
#include "agent/host_facts.h"

#include <fmt/format.h>
#include <linux/magic.h>
#include <pwd.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <fstream>

#include "proc/host.h"

namespace waggle::agent {
namespace {

bool is_cgroup2(const char* path) {
    struct statfs status{};
    return ::statfs(path, &status) == 0 && status.f_type == CGROUP2_SUPER_MAGIC;
}

std::string cgroup_layout() {
    constexpr const char* kRoot = "/sys/fs/cgroup";
    struct statfs status{};
    if (::statfs(kRoot, &status) != 0) return "none";
    if (status.f_type == CGROUP2_SUPER_MAGIC) return "v2";
    // A tmpfs with the hierarchies in it; without any it is sysfs's empty folder.
    if (status.f_type != TMPFS_MAGIC) return "none";
    return is_cgroup2("/sys/fs/cgroup/unified") ? "hybrid" : "v1";
}

std::string user_name() {
    const uid_t uid = ::geteuid();
    std::array<char, 4096> buffer{};
    passwd entry{};
    passwd* found = nullptr;
    ::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found);
    return found ? fmt::format("{} ({})", found->pw_name, uid) : std::to_string(uid);
}

}  // namespace

std::string chosen_word(std::string_view line) {
    const std::size_t from = line.find('[');
    const std::size_t to = line.find(']', from == std::string_view::npos ? 0 : from);
    if (from == std::string_view::npos || to == std::string_view::npos) return {};
    return std::string(line.substr(from + 1, to - from - 1));
}

HostFacts read_host_facts() {
    const proc::Kernel kernel = proc::read_kernel();
    std::string lockdown;
    std::ifstream file("/sys/kernel/security/lockdown");
    std::getline(file, lockdown);
    return {.release = kernel.release,
            .machine = kernel.machine,
            .has_btf = ::access("/sys/kernel/btf/vmlinux", R_OK) == 0,
            .lockdown = chosen_word(lockdown),
            .cgroups = cgroup_layout(),
            .user = user_name()};
}

}  // namespace waggle::agent
