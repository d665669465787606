// SPDX-License-Identifier: Apache-2.0
// The pid namespace whose numbers a /proc shows: the agent's own one, unless it was given another's
// /proc (a container with the host's). The kernel side must count as /proc does.
#pragma once

#include <cstdint>

#include "proc/procfs.h"

namespace waggle::proc {

inline constexpr std::uint64_t kFirstPidNamespace = 0xEFFFFFFC;  // the host's: PROC_PID_INIT_INO

// Its inode; 0: not known.
std::uint64_t shown_pid_namespace(const ProcFs& procfs);

}  // namespace waggle::proc
