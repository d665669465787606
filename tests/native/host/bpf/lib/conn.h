// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// As much of a connection as following its frames takes; where events and counters go on the host.
#pragma once

#include "bpf/abi/rules.h"
#include "bpf/core/kernel.h"

struct sock;
struct wg_conn {
    struct wg_rule rule[2];
    u8 ring;
};

WG_INLINE int wg_count(u32 counter, u64 amount) {
    native.counters[counter] += amount;
    return 0;
}
WG_INLINE bool wg_emit(u32, const void* record, u64 size) {
    native.records.emplace_back(static_cast<const char*>(record), size);
    return true;
}
WG_INLINE Pointer bpf_sk_storage_get(const void* map, struct sock*, int, u64) { return {native.maps.at(map)(0)}; }
