// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// Marks: which copies of a program (lib/copies.h) have run for a thread's call. Pure: also compiled and tested
// natively.
#pragma once

#include <linux/types.h>
#include <stdbool.h>

// The call that was seen last, and which copies have run for it, a bit each. All zero: none was.
struct wg_mark {
    __u64 socket;
    __s32 result;
    __u16 direction;
    __u16 ran;
};

// A copy runs for a call. True when it is the first to do so. The copies run one after the other in any order, so one
// that has run already begins another call. Where it was kept from running for the last call, and all that run before
// it are for this one, and both are alike, they are taken for one: this one is not told then, rather than one twice.
static inline __attribute__((always_inline)) bool wg_mark_is_new(struct wg_mark* mark, __u32 copy, __u64 socket,
                                                                 __u16 direction, __s32 result) {
    const __u16 bit = 1u << copy;
    if (mark->socket == socket && mark->direction == direction && mark->result == result && !(mark->ran & bit)) {
        mark->ran |= bit;
        return false;
    }
    mark->socket = socket;
    mark->direction = direction;
    mark->result = result;
    mark->ran = bit;
    return true;
}
