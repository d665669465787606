// SPDX-License-Identifier: Apache-2.0
#include "agent/tls_look.h"

#include <algorithm>

#include "discover/process.h"

namespace waggle::agent {

void TlsLook::begin(const proc::ProcFs& procfs) { left_ = procfs.pids(); }

TlsLook::Answer TlsLook::go_on(const proc::ProcFs& procfs, const std::function<bool(std::uint32_t)>& is_selected,
                               std::chrono::steady_clock::time_point until) {
    const std::uint32_t own_pid = procfs.own_pid();
    while (!left_.empty()) {
        const std::uint32_t pid = left_.back();
        left_.pop_back();
        if (pid == own_pid || is_selected(pid)) continue;
        if (maps(procfs, pid)) {
            left_.clear();
            return Answer::Strangers;
        }
        if (std::chrono::steady_clock::now() >= until) break;
    }
    return left_.empty() ? Answer::OnlySelected : Answer::Going;
}

bool TlsLook::maps(const proc::ProcFs& procfs, std::uint32_t pid) const {
    constexpr std::uint64_t kLow = 0xffffffff;  // above it an overlay tells its layers apart
    const auto mapped = procfs.mapped_code(pid);
    if (!mapped) return is_shortage(mapped.error().code);
    return std::ranges::any_of(*mapped, [&](const proc::MappedCode& code) {
        return (code.inode & kLow) == (inode_ & kLow) ||
               (!name_too_.empty() && discover::base_name(code.path) == name_too_);
    });
}

}  // namespace waggle::agent
