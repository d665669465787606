// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// Events: what the kernel side says. The same records are the record file's format (waggle record):
// a reader skips types it does not know by length. All fields are host byte order unless they say
// otherwise; all times are CLOCK_MONOTONIC nanoseconds (bpf_ktime_get_ns).
#pragma once

#include "bpf/abi/types.h"

enum wg_event_type : __u16 {
    WG_EVENT_CONNECTION = 1,
    WG_EVENT_DATA = 2,
    WG_EVENT_CLOSE = 3,
    WG_EVENT_EXEC = 4,
    WG_EVENT_FORK = 5,
    WG_EVENT_EXIT = 6,
    WG_EVENT_LISTEN = 7,
    WG_EVENT_PLAIN = 8,
    WG_EVENT_DATAGRAM = 9,  // datagrams.h
    // Written by user space into record files only.
    WG_EVENT_TICK = 100,
    WG_EVENT_PROCESS = 101,
    WG_EVENT_TAIL = 102,
};

enum : __u16 { WG_EVENT_VERSION = 2 };

struct wg_event {
    enum wg_event_type type;
    __u16 version;
    __u32 length;  // whole record, this header included
    __u64 time_ns;
};

enum wg_direction : __u8 { WG_SEND = 0, WG_RECEIVE = 1 };

enum wg_role : __u8 { WG_ROLE_UNKNOWN = 0, WG_ROLE_CLIENT = 1, WG_ROLE_SERVER = 2 };

enum wg_socket_kind : __u8 { WG_TCP = 1, WG_MPTCP = 2, WG_UNIX = 3, WG_UDP = 4 };

// Where a connection's bytes were seen.
enum wg_source : __u8 {
    WG_SOURCE_SOCKET = 0,
    WG_SOURCE_TLS = 1,
    WG_SOURCE_GO_TLS = 2,
    WG_SOURCE_RUST_TLS = 3,
    WG_SOURCE_FOUND_TLS = 4,  // at functions that were found by their code: nothing is believed before it is proven
};

enum { WG_UNIX_PATH = 108 };

struct wg_tuple {
    __u8 local_address[16];  // network order; IPv4 as IPv4-mapped IPv6
    __u8 remote_address[16];
    __u16 local_port;  // host order
    __u16 remote_port;
    __u32 netns;  // inode of the network namespace
};

// The first time a selected process moves bytes on a socket. Comes before the socket's data events.
struct wg_connection_event {
    struct wg_event head;
    __u64 connection;        // socket cookie: unique while the host is up
    __u64 process_start_ns;  // CLOCK_BOOTTIME start of the process
    __u32 pid;               // tgid as the agent's pid namespace numbers it, 0 when it is not in there
    __u32 kernel_tgid;
    enum wg_role role;
    enum wg_socket_kind kind;
    __u8 family;          // AF_INET, AF_INET6, AF_UNIX
    __u8 from_start;      // bit per direction: nothing was moved before the first data event
    __u8 has_kernel_tls;  // the kernel encrypts: what is sent or received goes by as plaintext
    __u8 padding[3];
    __u64 next[2];  // by direction: position of the first byte that is told of from now on
    struct wg_tuple tuple;
    char unix_path[WG_UNIX_PATH];  // bound path of the server's end; an abstract name starts with '@'
    __u32 padding2;
};

// A bit of the ids of plaintext connections, which socket cookies never have.
#define WG_PLAIN_ID (1ull << 63)

// What a program gives to a TLS library and gets from it is a connection of its own, above the socket's:
// its data events are like any other's, with positions that count plaintext. Comes before them, and again
// when the socket becomes known.
struct wg_plain_event {
    struct wg_event head;
    __u64 connection;
    __u64 beneath;  // the socket's connection, 0: not known (the library was not seen to use one itself)
    __u64 process_start_ns;
    __u32 pid;
    __u32 kernel_tgid;
    enum wg_source source;
    __u8 from_start;  // positions count from the connection's first bytes, else from a random one
    __u8 padding[6];
    __u64 next[2];  // as in wg_connection_event; not known: all bits
};

enum wg_data_flags : __u8 {
    WG_DATA_TURN_START = 1,     // first bytes of a turn
    WG_DATA_PREVIOUS_TAIL = 2,  // previous_* tells how the turn before went on beyond its rule
    WG_DATA_TAIL = 4,           // tail holds the last bytes of this event
    WG_DATA_UNREADABLE = 8,     // captured is 0 since the bytes are in no user buffer (sendfile, splice …)
    WG_DATA_END = 16,           // the peer has closed its side; size is 0
    WG_DATA_PEER_GONE = 32,     // with END, UNIX: it has closed altogether; order is its connection
    WG_DATA_CROWDED = 64,       // several threads send on the connection at once: events come in any order
};

// Bytes that went one way. The first `captured` of `size` bytes follow the struct.
struct wg_data_event {
    struct wg_event head;  // time: last byte of a send (see first_ns), return of a receive
    __u64 connection;
    __u64 position;  // of the first byte in this direction; TCP: low 32 bits are the sequence number
    __u64 order;     // receive: stands after all sends with a position below this one; send: all that
                     // had been received stands below
    __u64 first_ns;  // send: when the call began, 0 where no hook tells
    __u64 context;   // execution context: thread id (later: goroutine, task)
    __u64 process_start_ns;
    __u64 previous_end_ns;  // WG_DATA_PREVIOUS_TAIL: time of the last byte of the turn before
    __u64 previous_end;     // its end position
    __u8 previous_tail[8];  // its last bytes, right-aligned; zeros where unreadable
    __u8 tail[8];
    __u32 size;
    __u32 captured;
    __u32 turn;  // counts the turns of this direction
    __u32 pid;
    enum wg_direction direction;
    __u8 flags;
    __u16 padding;
    __u32 queue_us;  // receive: how long the first of what had come since the last one waited; 0 unknown
};

// The socket is closed, or its send side is (half = 1). Of a UNIX socket it is its other end that tells, and knows
// nothing more (WG_DATA_PEER_GONE), but of half a close how the newest turn went on beyond its rule: it goes to all
// rings that have not been told.
struct wg_close_event {
    struct wg_event head;
    __u64 connection;
    __u64 bytes[2];   // by wg_direction, all that was seen
    __u64 end[2];     // end position
    __u64 end_ns[2];  // time of the last byte
    __u8 tail[2][8];
    __u32 turns[2];
    __u32 error;  // sk_err: ECONNRESET, ETIMEDOUT … or 0
    __u8 half;
    __u8 padding[3];
};

enum { WG_PATH_MAX = 256, WG_ARGS_MAX = 512 };

struct wg_process_event {
    struct wg_event head;  // exec, fork, exit, listen
    __u64 start_ns;        // CLOCK_BOOTTIME
    __u64 cgroup;          // cgroup v2 id
    __u64 exe_inode;
    __u32 exe_device;
    __u32 pid;  // agent's pid namespace
    __u32 kernel_tgid;
    __u32 parent_pid;
    __u32 parent_kernel_tgid;
    __u32 netns;
    __u16 port;          // listen only
    __u16 args_size;     // exec only
    __u32 target_flags;  // what the kernel side holds the process for after the event; 0: no target
    // Exec only; others end here.
    char path[WG_PATH_MAX];
    char args[WG_ARGS_MAX];  // NUL-separated
};

#define WG_PROCESS_SHORT __builtin_offsetof(struct wg_process_event, path)

// What the task iterator says of each process.
struct wg_task_numbers {
    __u32 pid;  // agent's pid namespace
    __u32 kernel_tgid;
};

// How a turn goes on beyond its capture rule: one entry per connection and direction in a map.
struct wg_tail_key {
    __u64 connection;
    __u32 direction;
    __u32 padding;
};

struct wg_tail {
    __u64 end;     // position after the last byte
    __u64 end_ns;  // when it went
    __u64 first_ns;
    __u8 tail[8];
    __u32 turn;
    __u32 calls;  // how many calls were not reported as events
};

#ifdef __cplusplus
static_assert(sizeof(wg_event) == 16);
static_assert(sizeof(wg_tuple) == 40);
static_assert(sizeof(wg_connection_event) == 216);
static_assert(sizeof(wg_plain_event) == 72);
static_assert(sizeof(wg_data_event) == 120);
static_assert(sizeof(wg_close_event) == 104);
static_assert(sizeof(wg_process_event) == 840);
static_assert(sizeof(wg_tail) == 40);
#endif
