// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// Rules and targets: what user space tells the kernel side through maps. A capture rule is plain
// data without a protocol name.
#pragma once

#include "bpf/abi/types.h"

enum wg_rule_mode : __u8 {
    WG_RULE_HEAD = 0,    // the first `bytes` of each turn
    WG_RULE_WHOLE = 1,   // everything, at most `bytes` a call
    WG_RULE_MUTE = 2,    // nothing: bytes and turns are only counted
    WG_RULE_FRAMED = 3,  // every frame's front by its framing; where that cannot be followed, as WHOLE
    WG_RULE_COUNT = 4,   // nothing: what goes by is counted as lost for want of memory
};

struct wg_rule {
    enum wg_rule_mode mode;
    __u8 framing;  // FRAMED: which of the framings
    __u8 padding[2];
    __u32 bytes;
};

enum { WG_FRAMINGS = 32, WG_FRAME_HEADER = 16 };

// How messages of a protocol follow each other: a header of fixed size with the length of what comes, and maybe a type.
struct wg_framing {
    __u8 header;        // bytes, at most WG_FRAME_HEADER; 0: no framing
    __u8 length_at;     // where the length stands in it
    __u8 length_bytes;  // 1 to 4
    __u8 is_little;     // byte order
    __u8 type_at;
    __u8 types;         // how many there are: others are none; 0: any byte
    __u16 front;        // bytes copied behind the header of those that are not copied whole
    __s32 length_adds;  // from the length to that of the frame, header included
    __u32 whole_types;  // bit by the low five bits of the type: copied whole, up to 16 KiB
    __u32 max_length;   // beyond it the header is none
};

// By connection id. Written in one batch, the generation in wg_state last.
struct wg_connection_rules {
    struct wg_rule by_direction[2];
    // Of plaintext above a socket that only user space could tell: the socket's role, and the server's port there.
    __u8 role;  // enum wg_role
    __u8 padding[5];
    __u16 port;
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

// Slots of a table by which most of those that are no targets are known at once.
enum { WG_TARGET_SLOTS = 32768 };

enum wg_tls_kinds : __u32 { WG_TLS_OF_THREADS = 1, WG_TLS_OF_GOROUTINES = 2 };

// Shared page: user space writes, programs read.
struct wg_state {
    __u64 heartbeat_ns;       // programs copy nothing when it is stale
    __u64 rule_generation;    // moves after a batch of rules was written
    __u32 is_off;             // kill switch
    __u32 has_io_uring;       // its completions are watched: text comes with them
    __u32 select_execs;       // a process that starts a program is a target until user space has judged it
    __u32 select_listeners;   // a process that listens on TCP becomes a target at once
    __u32 target_generation;  // moves when a target was taken away; the kernel side moves it, too
    __u32 has_tls;            // wg_tls_kinds of calls that are watched: whose socket they use is noted
    __u32 max_bytes;          // of a call that are copied at most, 0: as its rule says
    __u32 is_counting;        // overload: exchanges are counted and timed here, nothing is copied
    __u32 calm_rings;         // bit per ring: its reader ticks seldom, and is woken for a new connection
    __u32 padding;
    __u64 listen_ports[1024];  // bit per port: a process that listens there becomes a target at once
    // How many targets' numbers fall here: one that is added counts before it is, one that is taken away after it was.
    __u32 target_slots[WG_TARGET_SLOTS];
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
    __u32 has_queue_time;     // arrivals are watched
    __u16 datagram_ports[4];  // of UDP that is looked at, 0: none
    // How many copies of the programs there are, and which of them the object's are (lib/copies.h). More than one:
    // programs may be preempted.
    __u32 copies;
    __u32 copy;
};

enum { WG_COPIES = 4 };

// Where calls are passed over three counters follow each other: calls, their bytes, and the turns of requests (what a
// server receives and a client sends) that began with them.
enum wg_counter : __u32 {
    WG_COUNT_EVENTS,
    WG_COUNT_RING_FULL,
    WG_COUNT_RING_FULL_BYTES,
    WG_COUNT_RING_FULL_TURNS,
    WG_COUNT_STALE,  // the agent's heartbeat is stale
    WG_COUNT_STALE_BYTES,
    WG_COUNT_STALE_TURNS,
    WG_COUNT_OFF,  // switched off
    WG_COUNT_OFF_BYTES,
    WG_COUNT_OFF_TURNS,
    WG_COUNT_SCRATCH_BUSY,  // the program interrupted another on its CPU
    WG_COUNT_SCRATCH_BUSY_BYTES,
    WG_COUNT_SCRATCH_BUSY_TURNS,
    WG_COUNT_NO_MEMORY,  // user space has no room for the connection
    WG_COUNT_NO_MEMORY_BYTES,
    WG_COUNT_NO_MEMORY_TURNS,
    WG_COUNT_COUNTED,  // overload
    WG_COUNT_COUNTED_BYTES,
    WG_COUNT_COUNTED_TURNS,
    WG_COUNT_ROLELESS_TURNS,        // … of which nobody knows which end asks: in no tally
    WG_COUNT_RING_FULL_CONNECTION,  // the connection is reported with its next event
    WG_COUNT_RING_FULL_CLOSE,
    WG_COUNT_RING_FULL_PROCESS,
    WG_COUNT_STORAGE_FAILED,  // socket storage could not be created
    WG_COUNT_READ_FAILED,     // user memory could not be read
    WG_COUNT_UNREADABLE,      // sendfile, splice …: calls without text
    WG_COUNT_TAIL_FAILED,     // tail map full
    WG_COUNT_TARGET_FAILED,   // target map full
    WG_COUNT_MUTED_BYTES,
    WG_COUNT_TALLY_FAILED,  // the map of tallies is full: the exchange is in none
    WG_COUNT_SAMPLED_RUNS,  // runs whose time was taken
    WG_COUNT_SAMPLED_NS,
    // Of each copy, and of calls that any copy has run for. In this order: so they are read, and written the other way.
    WG_COUNT_RUNS,
    WG_COUNT_CALLS = WG_COUNT_RUNS + WG_COPIES,
    WG_COUNTERS,
};

#ifdef __cplusplus
static_assert(sizeof(wg_rule) == 8);
static_assert(sizeof(wg_connection_rules) == 24);
static_assert(sizeof(wg_framing) == 20);
#endif
