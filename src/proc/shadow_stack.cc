// SPDX-License-Identifier: Apache-2.0
#include "proc/shadow_stack.h"

#include <algorithm>

#include "base/strings.h"
#include "proc/file.h"

namespace waggle::proc {

// Since 6.6 the kernel names it among a processor's flags where it gives it to programs.
bool has_shadow_stacks(const ProcFs& procfs) {
    constexpr size_t kLimit = 64 * 1024;  // the first processors: all have the same
    bool has_flag = false;
    each_line(procfs.root() + "/cpuinfo", kLimit, [&](std::string_view line) {
        if (!line.starts_with("flags")) return true;
        const auto words = split(line, ' ');
        has_flag = std::ranges::find(words, "user_shstk") != words.end();
        return false;
    });
    return has_flag;
}

}  // namespace waggle::proc
