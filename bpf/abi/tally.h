// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// Tallies: exchanges that the kernel side counts and times by itself while the agent is over its budget. Nothing is
// known of them but who, where and how long.
#pragma once

#include "bpf/abi/types.h"

enum { WG_TALLY_BUCKETS = 32, WG_TALLY_SHIFT = 14 };

struct wg_tally_key {
    __u32 pid;   // as in wg_connection_event
    __u16 port;  // the server's
    __u8 role;   // enum wg_role
    __u8 kind;   // enum wg_socket_kind
};

struct wg_tally {
    __u64 count;
    __u64 unanswered;                 // … of which nothing came back
    __u64 sum_ns;                     // of those that were answered
    __u64 buckets[WG_TALLY_BUCKETS];  // [i]: below 2^(WG_TALLY_SHIFT + i) ns, the last one: all the rest
};

#ifdef __cplusplus
static_assert(sizeof(wg_tally_key) == 8);
static_assert(sizeof(wg_tally) == 280);
#endif
