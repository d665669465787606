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
        const auto mapped = procfs.mapped_code(pid);
        const bool is_short = !mapped && is_shortage(mapped.error().code);
        if (is_short || (mapped && is_among(*mapped))) {
            left_.clear();
            return is_short ? Answer::Unknown : Answer::Strangers;
        }
        if (std::chrono::steady_clock::now() >= until) break;
    }
    return left_.empty() ? Answer::OnlySelected : Answer::Going;
}

bool TlsLook::is_among(const proc::MappedCodes& mapped) const {
    constexpr std::uint64_t kLow = 0xffffffff;  // above it an overlay tells its layers apart
    return std::ranges::any_of(mapped, [&](const proc::MappedCode& code) {
        return (code.inode & kLow) == (inode_ & kLow) ||
               (!name_too_.empty() && discover::base_name(code.path) == name_too_);
    });
}

}  // namespace waggle::agent
