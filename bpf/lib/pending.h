// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// Pending events: what an io_uring operation moved is known at the socket, where its text stands only
// at its completion. Until then the event waits here, at most one per connection and direction; when
// no completion takes it up, it goes out without text.
#pragma once

#include "bpf/abi/events.h"
#include "bpf/abi/rules.h"
#include "bpf/core/arch.h"
#include "bpf/core/ring.h"

struct wg_pending {
    struct wg_data_event event;
    u64 wanted;
    u64 ring;
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 8192);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, struct wg_tail_key);
    __type(value, struct wg_pending);
} pending SEC(".maps");

// Sends the event as it is: its bytes were not read.
WG_INLINE void wg_emit_unread(struct wg_pending* waiting) {
    waiting->event.flags |= WG_DATA_UNREADABLE;
    waiting->event.captured = 0;
    waiting->event.head.length = sizeof(waiting->event);
    wg_count(WG_COUNT_UNREADABLE, 1);
    if (!wg_emit(waiting->ring, &waiting->event, sizeof(waiting->event))) {
        wg_count(WG_COUNT_RING_FULL, 1);
        wg_count(WG_COUNT_RING_FULL_BYTES, waiting->event.size);
    }
}
