// SPDX-License-Identifier: Apache-2.0
// UprobeMulti: links of one program to many places of a file (6.6), which libbpf 1.1 does not know;
// and whether this kernel's hold in every thread of a process. Used by TlsProbes.
#pragma once

#include <cstdint>
#include <span>

namespace waggle::sensors {

constexpr std::uint32_t kUprobeMulti = 48;  // BPF_TRACE_UPROBE_MULTI

// A descriptor, or -1 with errno. In process `pid` only; 0: in every one.
int link_multi(int program, const char* path, std::uint32_t pid, std::span<const std::uint64_t> offsets,
               std::span<const std::uint64_t> cookies);

// False where the kernel has no such links.
bool has_multi(int program);

// False where a link for this process misses what its other threads do: until 6.6.33 and 6.9.4 the
// kernel took the process's number for a thread's. Tried on a function of ours: the program
// `counter` adds to the first entry of `map`.
// (`pid` is an argument for the test's sake.)
bool sees_every_thread(int counter, int map, std::uint32_t pid);

}  // namespace waggle::sensors
