// SPDX-License-Identifier: Apache-2.0
// Reads a Process from /proc, in two steps: what selection needs of every process, and what only
// targets need. Or from an exec event, when the process is already gone.
#pragma once

#include <optional>

#include "bpf/abi/events.h"
#include "discover/process.h"
#include "proc/container.h"
#include "proc/procfs.h"

namespace waggle::discover {

// Program, arguments, network namespace. Nothing while a container's process is still being
// started.
std::optional<Process> read_process(const proc::ProcFs& procfs, std::uint32_t pid, const proc::Stat& stat);

// Adds owner, working directory, cgroup, container and environment.
void complete_process(const proc::ProcFs& procfs, proc::ContainerNames& containers, Process& process);

// As an exec event tells it: path and the beginning of the arguments.
Process process_of_event(const wg_process_event& event);

// A device number of stat(2) as the kernel has it in s_dev.
std::uint32_t kernel_device(std::uint64_t device);

}  // namespace waggle::discover
