// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// Tails: the one entry of a turn that goes on beyond its rule, how it grows and how the next turn takes it along.
#pragma once

#include "bpf/lib/conn.h"
#include "bpf/lib/position.h"
#include "bpf/lib/scratch.h"

// What s->event says went beyond the rule.
WG_COLD int wg_update_tail(struct wg_conn* conn, u32 slot) {
    struct wg_scratch* s = wg_scratch_at(slot);
    if (!conn || !s) return 0;
    const struct wg_data_event* event = &s->event;
    const u64 size = event->size;
    const u64 end = event->position + size;
    const u64 now = event->head.time_ns;
    const struct wg_tail_key key = {.connection = conn->id, .direction = event->direction};
    struct wg_tail* found = bpf_map_lookup_elem(&tails, &key);
    s->tail = 0;
    wg_copy_tail(slot, size);
    if (found) {
        u64 before;
        __builtin_memcpy(&before, found->tail, 8);
        s->tail = wg_join_tail(before, s->tail, size);
        __builtin_memcpy(found->tail, &s->tail, 8);
        found->end_ns = now;
        found->turn = event->turn;
        found->calls++;
        // Last: user space may read at any time, and an end whose tail it has not seen would not come again.
        __asm__ volatile("" ::: "memory");
        found->end = end;
        return 0;
    }
    struct wg_tail fresh = {.end = end, .end_ns = now, .first_ns = now, .turn = event->turn, .calls = 1};
    __builtin_memcpy(fresh.tail, &s->tail, 8);
    if (bpf_map_update_elem(&tails, &key, &fresh, BPF_ANY)) wg_count(WG_COUNT_TAIL_FAILED, 1);
    conn->has_tail[key.direction & 1] = 1;
    return 0;
}

// The turn before that of s->event went on beyond its rule: say how, and drop its entry.
WG_COLD int wg_take_tail(struct wg_conn* conn, u32 slot) {
    struct wg_scratch* s = wg_scratch_at(slot);
    if (!conn || !s) return 0;
    struct wg_data_event* event = &s->event;
    const struct wg_tail_key key = {.connection = conn->id, .direction = event->direction};
    const struct wg_tail* found = bpf_map_lookup_elem(&tails, &key);
    conn->has_tail[key.direction & 1] = 0;
    if (!found) return 0;
    event->flags |= WG_DATA_PREVIOUS_TAIL;
    event->previous_end_ns = found->end_ns;
    event->previous_end = found->end;
    __builtin_memcpy(event->previous_tail, found->tail, 8);
    bpf_map_delete_elem(&tails, &key);
    return 0;
}
