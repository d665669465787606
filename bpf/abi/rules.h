// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// Rules and targets: what user space tells the kernel side through maps. A capture rule is plain
// data without a protocol name.
#pragma once

#include "bpf/abi/types.h"

enum wg_rule_mode : __u8 {
    WG_RULE_HEAD = 0,   // the first `bytes` of each turn
    WG_RULE_WHOLE = 1,  // everything, at most `bytes` a call
    WG_RULE_MUTE = 2,   // nothing: bytes and turns are only counted
};

struct wg_rule {
    enum wg_rule_mode mode;
    __u8 padding[3];
    __u32 bytes;
};

// By connection id. Written in one batch, the generation in wg_state last.
struct wg_connection_rules {
    struct wg_rule by_direction[2];
};

enum wg_target_flags : __u32 {
    WG_TARGET_SELECTED = 1,
    WG_TARGET_CHILDREN = 2,  // a fork's child inherits the entry
    WG_TARGET_EXCLUDED = 4,  // never select by listen or by what its parent is
};

// By kernel tgid.
struct wg_target {
    __u32 flags;
    __u32 padding;
};

// Shared page: user space writes, programs read.
struct wg_state {
    __u64 heartbeat_ns;     // programs copy nothing when it is stale
    __u64 rule_generation;  // moves after a batch of rules was written
    __u32 is_off;           // kill switch
    __u32 has_io_uring;     // its completions are watched: text comes with them
    __u32 select_execs;     // a process that starts a program is a target until user space has judged it
    __u32 select_listeners; // a process that listens on TCP becomes a target at once
    __u32 target_generation; // moves when a target was taken away; the kernel side moves it, too
    __u32 padding;
    __u64 listen_ports[1024]; // bit per port: a process that listens there becomes a target at once
};

// Constants of one load (each object's .rodata).
struct wg_settings {
    __u32 agent_pid_namespace;  // inode of the one the agent lives in, 0: the host's first
    __u32 ring_count;
    // First capture of a connection nobody has looked at: bytes per turn, by role and direction. What
    // a server receives and a client sends is followed further, since that is where requests stand.
    __u32 request_bytes;
    __u32 response_bytes;
    __u32 unknown_bytes;
    __u32 has_queue_time;  // arrivals are watched
};

enum wg_counter : __u32 {
    WG_COUNT_EVENTS,
    WG_COUNT_RING_FULL,        // data events lost
    WG_COUNT_RING_FULL_BYTES,  // size of what they reported
    WG_COUNT_RING_FULL_CONNECTION,
    WG_COUNT_RING_FULL_PROCESS,
    WG_COUNT_STORAGE_FAILED,   // socket storage could not be created
    WG_COUNT_READ_FAILED,      // user memory could not be read
    WG_COUNT_UNREADABLE,       // sendfile, splice …: calls without text
    WG_COUNT_STALE,            // events while the agent's heartbeat was stale
    WG_COUNT_STALE_BYTES,
    WG_COUNT_OFF,              // events while switched off
    WG_COUNT_TAIL_FAILED,      // tail map full
    WG_COUNT_TARGET_FAILED,    // target map full
    WG_COUNT_MUTED_BYTES,
    WG_COUNT_SCRATCH_BUSY,     // events lost to a program interrupted on its CPU
    WG_COUNTERS,
};

#ifdef __cplusplus
static_assert(sizeof(wg_rule) == 8);
static_assert(sizeof(wg_connection_rules) == 16);
#endif
