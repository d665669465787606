// SPDX-License-Identifier: Apache-2.0
#include "proc/pid_namespace.h"

#include "base/strings.h"
#include "proc/file.h"

namespace waggle::proc {
namespace {

// 4026531836 of "pid:[4026531836]".
std::uint64_t inode_of(const ProcFs& procfs, std::uint32_t pid) {
    const std::string link = read_link(procfs.path(pid, "ns/pid"));
    const size_t from = link.find('[');
    if (from == std::string::npos || !link.ends_with(']')) return 0;
    return parse_int<std::uint64_t>(std::string_view(link).substr(from + 1, link.size() - from - 2)).value_or(0);
}

// With one number only a process lives right in the namespace that is shown.
bool lives_in_it(const ProcFs& procfs, std::uint32_t pid) {
    const auto status = procfs.status(pid);
    return status && status->ns_pids.size() == 1;
}

}  // namespace

std::uint64_t shown_pid_namespace(const ProcFs& procfs) {
    const std::uint32_t self = procfs.own_pid();
    if (lives_in_it(procfs, self)) return inode_of(procfs, self);
    // Not every process may be looked into.
    for (const std::uint32_t pid : procfs.pids())
        if (const std::uint64_t inode = lives_in_it(procfs, pid) ? inode_of(procfs, pid) : 0) return inode;
    return inode_of(procfs, self);
}

}  // namespace waggle::proc
