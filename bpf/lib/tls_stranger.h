// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// Processes that are no targets, at a probe that is in every process which maps a file: user space is told, and takes
// it away.
#pragma once

#include "bpf/abi/tls.h"
#include "bpf/core/kernel.h"

// Calls of processes that are no targets, by the number of a file whose probe is in every process: it is to leave them
// alone. Before the first file's: the agent's own number.
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, WG_TLS_MAX_FILES);
    __type(key, u32);
    __type(value, u64);
} tls_strangers SEC(".maps");

WG_INLINE int wg_tls_stranger(u32 file, u32 tgid) {
    const u64* agent = bpf_map_lookup_elem(&tls_strangers, &(u32){0});
    u64* calls = file ? bpf_map_lookup_elem(&tls_strangers, &file) : NULL;
    if (calls && agent && *agent != tgid) __sync_fetch_and_add(calls, 1);
    return 0;
}
