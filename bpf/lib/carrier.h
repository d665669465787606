// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// Carriers: connections whose bytes are another one's. User space mutes them once it has seen what they are; one that
// begins while nothing is told is looked at here, so that TLS's records are not counted for requests.
#pragma once

#include "bpf/lib/conn.h"
#include "bpf/lib/scratch.h"
#include "bpf/lib/tell.h"

// A handshake's record: its type, and a version that begins with 3.
enum { WG_CARRIER_FRONT = 3, WG_CARRIER_TYPE = 22, WG_CARRIER_VERSION = 3 };

// Of the first bytes of a connection, which the current call has moved at `sk`.
WG_INLINE bool wg_is_carrier(struct sock* sk, enum wg_direction direction, s64 result, struct msghdr* message,
                             struct task_struct* task, const struct wg_send* send, struct wg_conn* conn) {
    u32 slot;
    struct wg_scratch* s = wg_take_scratch(direction, &slot);
    if (!s) return false;
    s->sk = (u64)sk;
    s->captured = 0;
    s->text.kind = WG_TEXT_NONE;
    if (message) {
        s->message = (u64)message;
        wg_find_in_message(slot, result);
        s->captured = wg_copy_text(slot, WG_CARRIER_FRONT);
    }
#ifndef WG_PLAIN
    else if (send && wg_text_from_send(&s->text, send))
        s->captured = wg_copy_text(slot, WG_CARRIER_FRONT);
    else
        wg_take(s, slot, conn, task, WG_CARRIER_FRONT);
#endif
    const bool is_one =
        s->captured == WG_CARRIER_FRONT && s->data[0] == WG_CARRIER_TYPE && s->data[1] == WG_CARRIER_VERSION;
    s->is_busy = 0;
    return is_one;
}
