// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// Turns: all that goes one way until the other side has answered. Cut by position, never by the
// order of events: a send's event comes when the call has returned, and the answer may have been
// read before. Pure: also compiled and tested natively.
#pragma once

#include <linux/types.h>
#include <stdbool.h>

struct wg_turns {
    __u64 w0;        // send position at the last receive but one turn
    __u64 w1;        // … and at the last receive
    __u64 sent;      // boundary that the last send belonged to
    __u32 count[2];  // by wg_direction
};

// A receive at which everything below `written` had been sent. True when it starts a turn.
static inline __attribute__((always_inline)) bool wg_turn_receive(struct wg_turns* turns, __u64 written) {
    if (turns->count[1] && turns->w1 == written) return false;
    turns->w0 = turns->w1;
    turns->w1 = written;
    turns->count[1]++;
    return true;
}

// A send whose first byte stands at `position`. Two boundaries, since the event of a send may come
// after that of the receive which answered it. True when it starts a turn.
static inline __attribute__((always_inline)) bool wg_turn_send(struct wg_turns* turns, __u64 position) {
    const __u64 boundary = position >= turns->w1 ? turns->w1 : turns->w0;
    if (turns->count[0] && turns->sent == boundary) return false;
    turns->sent = boundary;
    turns->count[0]++;
    return true;
}
