// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// Rings, counters and the shared page. The reader ticks, and is woken only when a ring is more than a quarter full,
// looked at every 32nd record, and while it ticks seldom for a connection, whose rule is to follow soon.
#pragma once

#include "bpf/abi/rules.h"
#include "bpf/core/kernel.h"
#include "bpf/core/settings.h"

enum { WG_RINGS = 16, WG_RING_CHECK = 32 };

struct wg_ring {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 4096);
};

// User space creates the rings and puts them in; ring_count says how many there are.
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
    __uint(max_entries, WG_RINGS);
    __type(key, u32);
    __array(values, struct wg_ring);
} rings SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, WG_COUNTERS);
    __type(key, u32);
    __type(value, u64);
} counters SEC(".maps");

// One page, mapped by user space.
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __uint(map_flags, BPF_F_MMAPABLE);
    __type(key, u32);
    __type(value, struct wg_state);
} state SEC(".maps");

// A program that is preempted between reading and writing would undo what others have added meanwhile.
WG_INLINE void wg_add(u64* counter, u64 amount) {
    if (settings.copies > 1)
        __sync_fetch_and_add(counter, amount);
    else
        *counter += amount;
}

WG_COLD int wg_count(u32 counter, u64 amount) {
    u64* value = bpf_map_lookup_elem(&counters, &counter);
    if (value) wg_add(value, amount);
    return 0;
}

WG_INLINE struct wg_state* wg_get_state(void) {
    const u32 zero = 0;
    return bpf_map_lookup_elem(&state, &zero);
}

WG_INLINE bool wg_emit_with(u32 index, void* record, u64 size, u64 flags) {
    void* ring = bpf_map_lookup_elem(&rings, &index);
    if (!ring) return false;
    const u32 key = WG_COUNT_EVENTS;
    u64* events = bpf_map_lookup_elem(&counters, &key);
    if (events) wg_add(events, 1);
    if (events && (*events & (WG_RING_CHECK - 1)) == 0 &&
        bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) > bpf_ringbuf_query(ring, BPF_RB_RING_SIZE) / 4)
        flags = BPF_RB_FORCE_WAKEUP;
    return bpf_ringbuf_output(ring, record, size, flags) == 0;
}

// False when the record was lost.
WG_INLINE bool wg_emit(u32 index, void* record, u64 size) {
    return wg_emit_with(index, record, size, BPF_RB_NO_WAKEUP);
}

// The same of a connection that user space does not know yet.
WG_INLINE bool wg_emit_new(u32 index, void* record, u64 size) {
    const struct wg_state* page = wg_get_state();
    const bool wakes = page && index < WG_RINGS && page->calm_rings >> index & 1;
    return wg_emit_with(index, record, size, wakes ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP);
}
