// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// Datagrams: the event of one message of a UDP socket. As events.h: host byte order, CLOCK_MONOTONIC.
#pragma once

#include "bpf/abi/events.h"

enum wg_datagram_flags : __u8 {
    WG_DATAGRAM_PEER = 1,       // the remote end is known; else its address is zeros
    WG_DATAGRAM_CONNECTED = 2,  // the socket has one peer
};

// One message on a UDP socket that a known port is at an end of. The first `captured` of `size` bytes follow the
// struct.
struct wg_datagram_event {
    struct wg_event head;  // time: when the call returned
    __u64 socket;          // cookie
    __u64 process_start_ns;
    __u64 context;  // as in wg_data_event
    struct wg_tuple tuple;
    __u32 size;
    __u32 captured;
    __u32 pid;
    __s32 error;  // < 0: the call moved no message, but said what became of those before
    enum wg_direction direction;
    __u8 flags;
    __u8 padding[6];
    __u64 padding2[2];
};

#ifdef __cplusplus
static_assert(sizeof(wg_datagram_event) == 120);
#endif
