// SPDX-License-Identifier: Apache-2.0
#include "sensors/uprobe_multi.h"

#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <optional>
#include <string>
#include <thread>

#include "base/fd.h"
#include "sensors/map.h"

namespace waggle::sensors {
namespace {

// bpf_attr's link_create.uprobe_multi, which the headers of older systems do not know.
struct MultiAttr {
    std::uint32_t prog_fd;
    std::uint32_t target_fd;
    std::uint32_t attach_type;
    std::uint32_t flags;
    std::uint64_t path;
    std::uint64_t offsets;
    std::uint64_t ref_ctr_offsets;
    std::uint64_t cookies;
    std::uint32_t count;
    std::uint32_t multi_flags;
    std::uint32_t pid;
    std::uint32_t padding;
};

// The function that is probed.
[[gnu::noinline]] void call_once() { asm volatile("nop\n\tnop" ::: "memory"); }

std::optional<std::uint64_t> offset_in_own_file(std::uint64_t address) {
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
        unsigned long from = 0;
        unsigned long to = 0;
        unsigned long offset = 0;
        if (std::sscanf(line.c_str(), "%lx-%lx %*s %lx", &from, &to, &offset) == 3 && from <= address && address < to)
            return address - from + offset;
    }
    return std::nullopt;
}

}  // namespace

int link_multi(int program, const char* path, std::uint32_t pid, std::span<const std::uint64_t> offsets,
               std::span<const std::uint64_t> cookies) {
    const MultiAttr attr{.prog_fd = static_cast<std::uint32_t>(program),
                         .target_fd = 0,
                         .attach_type = kUprobeMulti,
                         .flags = 0,
                         .path = reinterpret_cast<std::uint64_t>(path),
                         .offsets = reinterpret_cast<std::uint64_t>(offsets.data()),
                         .ref_ctr_offsets = 0,
                         .cookies = reinterpret_cast<std::uint64_t>(cookies.data()),
                         .count = static_cast<std::uint32_t>(offsets.size()),
                         .multi_flags = 0,
                         .pid = pid,
                         .padding = 0};
    return static_cast<int>(::syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr)));
}

// A folder is no file to probe: kernels that know this kind of link say so.
bool has_multi(int program) {
    const std::uint64_t zero = 0;
    const Fd made(link_multi(program, "/", 0, {&zero, 1}, {&zero, 1}));
    return !made.is_open() && errno == EBADF;
}

bool sees_every_thread(int counter, int map, std::uint32_t pid) {
    const auto offset = offset_in_own_file(reinterpret_cast<std::uint64_t>(&call_once));
    const std::uint64_t zero = 0;
    if (!offset) return true;  // nothing is known against it
    const Fd link(link_multi(counter, "/proc/self/exe", pid, {&*offset, 1}, {&zero, 1}));
    if (!link.is_open()) return true;  // where no link can be made, each attempt will tell
    const std::uint32_t key = 0;
    std::uint64_t before = 0;
    std::uint64_t after = 0;
    map_lookup(map, &key, &before);
    std::thread(call_once).join();
    map_lookup(map, &key, &after);
    return after > before;
}

}  // namespace waggle::sensors
