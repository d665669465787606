// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// The kernel as a test on the host has it: stands for bpf/core/kernel.h where code of the kernel side is compiled as
// C++. User memory is the test's own; what has been emitted and counted is kept in `native`.
#pragma once

#include <linux/types.h>

#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <vector>

using u8 = __u8;
using u16 = __u16;
using u32 = __u32;
using u64 = __u64;
using s32 = __s32;
using s64 = __s64;

// What a lookup gives is of the type that it is used as.
struct Pointer {
    void* to;
    template <typename T>
    operator T*() const {  // NOLINT(google-explicit-constructor)
        return static_cast<T*>(to);
    }
};

struct Native {
    std::vector<std::string> records;
    std::map<u32, u64> counters;
    std::map<const void*, std::function<void*(u32)>> maps;
    const char* unreadable = nullptr;  // reads that touch this byte fail
    u64 reads = 0;
};
inline Native native;

inline long bpf_probe_read_kernel(void* to, u64 size, const void* from) {
    std::memcpy(to, from, size);
    return 0;
}
inline long bpf_probe_read_user(void* to, u64 size, const void* from) {
    const char* const begin = static_cast<const char*>(from);
    ++native.reads;
    if (begin <= native.unreadable && native.unreadable < begin + size) return -14;
    std::memcpy(to, from, size);
    return 0;
}
inline Pointer bpf_map_lookup_elem(const void* map, const u32* key) { return {native.maps.at(map)(*key)}; }
template <typename Step, typename State>
long bpf_loop(u32 most, Step step, State* state, u64) {
    for (u32 i = 0; i < most; ++i)
        if (step(i, state)) return i + 1;
    return most;
}

#define SEC(name)
#define __uint(name, value) int(*name)[value]
#define __type(name, of) of* name
#define __noinline inline
#define _Static_assert static_assert
#define WG_INLINE inline
#define WG_COLD inline
#define WG_LIKELY(condition) (condition)
#define WG_UNLIKELY(condition) (condition)
#define WG_LOOP(most, step, state) bpf_loop(most, step, &(state), 0)
#define WG_BOUND(value, limit) ((value) > (limit) ? u64{limit} : u64{value})
enum { BPF_MAP_TYPE_ARRAY, BPF_MAP_TYPE_SK_STORAGE, BPF_F_NO_PREALLOC, BPF_SK_STORAGE_GET_F_CREATE };
WG_INLINE bool wg_has_loop() { return true; }
