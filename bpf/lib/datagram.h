// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// Datagrams: the messages of UDP sockets that have a known port (settings.datagram_ports) at an end, each whole up to
// WG_DATAGRAM_BYTES. Other UDP sockets are turned away by their ports; one without a peer, by the address that each
// send names. Where a message that such a socket has received came from, only the message's own header tells, which
// tracepoints do not have. Not for WG_PLAIN.
#pragma once

#include "bpf/abi/datagrams.h"
#include "bpf/lib/conn.h"
#include "bpf/lib/cost.h"
#include "bpf/lib/pass.h"
#include "bpf/lib/scratch.h"
#include "bpf/lib/task.h"

#ifdef WG_PLAIN

WG_INLINE bool wg_maybe_datagram(struct sock* sk, enum wg_direction direction, s64 result, u32 flags,
                                 struct msghdr* message) {
    return false;
}

#else

enum { WG_DATAGRAM_BYTES = 512 };
enum { WG_ENETUNREACH = 101, WG_ECONNREFUSED = 111, WG_EHOSTUNREACH = 113 };

// Of a socket that was seen to have such a port at an end.
struct wg_datagrams {
    u64 id;
    u64 message_base;  // sendmmsg, recvmmsg: the vector of the call that is under way
    u32 message_index;
    u32 padding;
};

struct {
    __uint(type, BPF_MAP_TYPE_SK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct wg_datagrams);
} datagram_sockets SEC(".maps");

_Static_assert(sizeof(struct wg_datagram_event) == sizeof(struct wg_data_event), "one stands in the other's place");

WG_INLINE bool wg_is_datagram_port(u16 port) {
    return port && (port == settings.datagram_ports[0] || port == settings.datagram_ports[1] ||
                    port == settings.datagram_ports[2] || port == settings.datagram_ports[3]);
}

struct wg_address {
    u16 family;
    u16 port;  // network order
    u8 ipv4[4];
    u8 ipv6[16];
};

// False: unreadable, or of another family.
WG_INLINE bool wg_read_address(struct wg_address* address, u64 from, bool is_kernel) {
    enum { FRONT = 8 };
    if (!from) return false;
    if (is_kernel ? bpf_probe_read_kernel(address, FRONT, (void*)from)
                  : bpf_probe_read_user(address, FRONT, (void*)from))
        return false;
    if (address->family == AF_INET) return true;
    if (address->family != AF_INET6) return false;
    return (is_kernel ? bpf_probe_read_kernel(address->ipv6, 16, (void*)(from + FRONT))
                      : bpf_probe_read_user(address->ipv6, 16, (void*)(from + FRONT))) == 0;
}

// Where the call has its address: of `message` in the kernel, else of the system call's registers.
WG_INLINE u64 wg_datagram_name(struct msghdr* message, struct pt_regs* regs, u32 index) {
    if (message) return (u64)BPF_CORE_READ(message, msg_name);
    const u64 number = wg_syscall_number(regs);
    if (number == WG_SYS_SENDTO) return wg_argument_5(regs);
    u64 header = wg_argument_2(regs);
    if (number == WG_SYS_SENDMMSG)
        header += index * 64ull;
    else if (number != WG_SYS_SENDMSG)
        return 0;
    u64 name = 0;
    if (bpf_probe_read_user(&name, sizeof(name), (void*)header)) return 0;
    return name;
}

// A send on a socket without a peer. Of several messages the first one tells.
WG_INLINE bool wg_names_datagram_port(struct msghdr* message) {
    struct wg_address address = {};
    struct task_struct* task = bpf_get_current_task_btf();
    struct pt_regs* regs = (struct pt_regs*)bpf_task_pt_regs(task);
    if (!message && wg_is_compat(task)) return false;
    const u64 name = wg_datagram_name(message, regs, 0);
    return wg_read_address(&address, name, message != 0) && wg_is_datagram_port(bpf_ntohs_(address.port));
}

// Which message of the call this is. A call that ends before its last message says so by an error.
WG_INLINE u32 wg_datagram_index(struct wg_datagrams* socket, struct pt_regs* regs) {
    const u64 number = wg_syscall_number(regs);
    if (number != WG_SYS_SENDMMSG && number != WG_SYS_RECVMMSG) {
        socket->message_base = 0;
        return 0;
    }
    const u64 base = wg_argument_2(regs);
    if (socket->message_base != base || socket->message_index >= wg_argument_3(regs)) {
        socket->message_base = base;
        socket->message_index = 0;
    }
    return socket->message_index++;
}

// Finds the text of s->sk's message and fills in who is at the other end. Returns how much of it there is to copy.
WG_INLINE u64 wg_find_datagram(struct wg_scratch* s, struct wg_datagrams* socket, enum wg_direction direction, u64 size,
                               struct wg_datagram_event* event) {
    struct task_struct* task = bpf_get_current_task_btf();
    struct pt_regs* regs = (struct pt_regs*)bpf_task_pt_regs(task);
    struct msghdr* message = (struct msghdr*)s->message;
    u64 limit = size;
    u32 index = 0;
    s->text.kind = WG_TEXT_NONE;
    if (message) {
        wg_text_from_message(&s->text, message, size);
    } else if (!wg_is_io_uring(task, regs, s->sk)) {
        index = wg_datagram_index(socket, regs);
        wg_text_from_registers(&s->text, task, regs, index);
        // MSG_TRUNC: a message may be longer than the buffer.
        const u64 number = wg_syscall_number(regs);
        const bool is_plain = number == WG_SYS_RECVFROM || number == WG_SYS_READ;
        u64 room = wg_argument_3(regs);
        asm volatile("" : "+r"(room));  // the two are read by different instructions
        if (!is_plain) room = s->text.vectors[0].size;
        if (direction == WG_RECEIVE && s->text.kind == WG_TEXT_FLAT && limit > room) limit = room;
    }
    if (event->flags & WG_DATAGRAM_CONNECTED) return limit;
    if (s->text.kind == WG_TEXT_NONE || (direction == WG_RECEIVE && !message)) return limit;
    struct wg_address address = {};
    if (!wg_read_address(&address, wg_datagram_name(message, regs, index), message != NULL)) return limit;
    if (address.family == AF_INET) {
        u32 ipv4;
        __builtin_memcpy(&ipv4, address.ipv4, 4);
        wg_map_ipv4(event->tuple.remote_address, ipv4);
    } else {
        __builtin_memcpy(event->tuple.remote_address, address.ipv6, 16);
    }
    event->tuple.remote_port = bpf_ntohs_(address.port);
    event->flags |= WG_DATAGRAM_PEER;
    return limit;
}

// A message that s->sk has moved, or the error (result < 0) that says what became of one.
__noinline int wg_report_datagram(struct wg_datagrams* socket, u32 slot, u32 direction, s32 result) {
    struct wg_scratch* s = wg_scratch_at(slot);
    if (!socket || !s) return 0;
    if (result < 0) socket->message_base = 0;
    if (result < 0 && result != -WG_ECONNREFUSED && result != -WG_EHOSTUNREACH && result != -WG_ENETUNREACH) return 0;
    struct sock* sk = (struct sock*)s->sk;
    struct task_struct* task = bpf_get_current_task_btf();
    struct wg_datagram_event* event = (struct wg_datagram_event*)&s->event;
    __builtin_memset(event, 0, sizeof(*event));
    event->head.type = WG_EVENT_DATAGRAM;
    event->head.version = WG_EVENT_VERSION;
    event->head.time_ns = bpf_ktime_get_ns();
    event->socket = socket->id;
    event->process_start_ns = wg_start_time(task);
    event->context = wg_current_thread(task);
    event->pid = wg_current_agent_pid(task);
    event->direction = direction & 1;
    wg_fill_tuple(sk, &event->tuple);
    if (event->tuple.remote_port)
        event->flags = WG_DATAGRAM_PEER | WG_DATAGRAM_CONNECTED;
    else
        __builtin_memset(event->tuple.remote_address, 0, 16);
    u64 captured = 0;
    if (result < 0) {
        event->error = result;
    } else {
        u64 wanted = wg_find_datagram(s, socket, direction & 1, result, event);
        const bool is_elsewhere = event->flags & WG_DATAGRAM_PEER && !wg_is_datagram_port(event->tuple.local_port) &&
                                  !wg_is_datagram_port(event->tuple.remote_port);
        if (is_elsewhere) return 0;
        if (s->text.kind == WG_TEXT_NONE) wg_count(WG_COUNT_UNREADABLE, 1);
        wanted = WG_BOUND(wanted, WG_DATAGRAM_BYTES);
        captured = wg_copy_text(slot, wanted);
        event->size = result;
    }
    captured = WG_BOUND(captured, WG_DATAGRAM_BYTES);
    event->captured = captured;
    event->head.length = sizeof(*event) + captured;
    const u32 ring = settings.ring_count > 1 ? wg_current_tgid(task) % settings.ring_count : 0;
    if (!wg_emit(ring, event, sizeof(*event) + captured)) {
        wg_count(WG_COUNT_RING_FULL, 1);
        if (result > 0) wg_count(WG_COUNT_RING_FULL_BYTES, result);
    }
    return 0;
}

// What the current process moved at a UDP socket.
WG_INLINE void wg_datagram(struct sock* sk, enum wg_direction direction, s64 result, struct msghdr* message) {
    if (!wg_is_target(wg_current_tgid(wg_current_task()))) return;
    struct wg_datagrams* socket = NULL;
    if (!bpf_core_field_exists(sk->sk_bpf_storage) || sk->sk_bpf_storage)
        socket = bpf_sk_storage_get(&datagram_sockets, sk, 0, 0);
    if (!socket) {
        if (result <= 0) return;
        const u16 remote = bpf_ntohs_(sk->__sk_common.skc_dport);
        if (!wg_is_datagram_port(sk->__sk_common.skc_num) && !wg_is_datagram_port(remote)) {
            if (remote || direction != WG_SEND || !wg_names_datagram_port(message)) return;
        }
        socket = bpf_sk_storage_get(&datagram_sockets, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
        if (!socket) {
            wg_count(WG_COUNT_STORAGE_FAILED, 1);
            return;
        }
        socket->id = bpf_get_socket_cookie(sk);
    }
    const struct wg_state* page = wg_get_state();
    if (!page) return;
    const u64 now = bpf_ktime_get_ns();
    const u64 began = wg_cost_begins(now >> 4);
    enum wg_counter cause = wg_obstacle(page, now);
    u32 slot = 0;
    struct wg_scratch* s = NULL;
    if (cause == WG_COUNTERS) {
        s = wg_take_scratch(direction, &slot);
        if (!s) cause = WG_COUNT_SCRATCH_BUSY;
    }
    if (!s) {
        if (result <= 0) return;
        wg_count(cause, 1);
        wg_count(cause + 1, result);
        return;
    }
    s->sk = (u64)sk;
    s->message = (u64)message;
    wg_report_datagram(socket, slot, direction, result);
    s->is_busy = 0;
    wg_cost_ends(began);
}

// True when this is such a socket, of which nothing else is to be seen.
WG_INLINE bool wg_maybe_datagram(struct sock* sk, enum wg_direction direction, s64 result, u32 flags,
                                 struct msghdr* message) {
    if (WG_LIKELY(sk->sk_protocol != IPPROTO_UDP_)) return false;
    if (direction == WG_SEND || !(flags & (MSG_PEEK_ | MSG_ERRQUEUE_))) wg_datagram(sk, direction, result, message);
    return true;
}

#endif
