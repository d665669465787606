// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// Connections: what is kept beside each watched socket, who its ends are, and where its streams stand.
#pragma once

#include "bpf/abi/events.h"
#include "bpf/abi/rules.h"
#include "bpf/core/kernel.h"
#include "bpf/core/ring.h"
#include "bpf/core/settings.h"
#include "bpf/lib/pending.h"
#include "bpf/lib/position.h"
#include "bpf/lib/send.h"
#include "bpf/lib/task.h"
#include "bpf/lib/turn.h"

// In the socket's storage: charged to its option memory, so at most 256 bytes.
struct wg_conn {
    u64 id;
    u64 rule_generation;
    struct wg_rule rule[2];
    struct wg_turns turns;
    u64 next[2];        // position after the last byte seen
    u64 turn_start[2];  // position of the turn's first byte
    u64 bytes[2];
    u64 end_ns[2];
    struct wg_send send;
    u64 arrived_ns;    // queue time: when the first byte came that nobody has read
    u64 request_ns;    // overload: when the exchange began that is counted, 0: none
    u32 message_base;  // sendmmsg, recvmmsg: low half of the vector's address, of the call that is under way
    u32 message_index;
    struct wg_owner owner;  // the process that moved bytes last
    u32 owner_generation;   // the owner is a target as long as none has been taken away since
    u8 kind;
    u8 role;
    u8 ring;
    u8 has_tail[2];  // the turn has an entry in tails
    u8 is_cut[2];    // not all of the turn was reported, or not in order
    u8 is_open;      // position known, connection reported
    u8 is_closed;
    u8 is_unreported;   // … not yet: what goes by is counted only
    u8 is_crowded;      // several threads have sent at once: their sends are in crowded_sends
    u8 has_pending[2];  // an io_uring operation whose completion brings the text
    u8 has_early;       // the last receive was told before its call returned (lib/unblocked.h)
    u8 is_carrier;      // its bytes are another connection's, plaintext above it: its turns are no requests
    u8 unsided;         // the role is not known: the counter of what has come in and was passed over; 0: none
    u8 is_accepted;     // by a listener whose backlog does not tell
    u8 halves_told;     // of several copies: which wg_end were told while more was to come, a bit each
    u16 plain_port;     // of plaintext: the server's port of the socket beneath
};
_Static_assert(sizeof(struct wg_conn) <= 256, "charged to the socket's option memory");

// The agent's heartbeat is stale after this time; a connection may be forgotten after that time of silence.
enum : u64 { WG_STALE_NS = 2000000000, WG_IDLE_NS = 60000000000 };

#include "bpf/lib/storage.h"

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 65536);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, u64);
    __type(value, struct wg_connection_rules);
} rules SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 16384);
    __type(key, struct wg_tail_key);
    __type(value, struct wg_tail);
} tails SEC(".maps");

WG_INLINE bool wg_is_stream(struct sock* sk, u8* kind) {
    const u16 family = WG_GET(sk, __sk_common.skc_family);
    if (family == AF_UNIX) {
        *kind = WG_UNIX;
        return WG_GET(sk, sk_type) == SOCK_STREAM;
    }
    if (family != AF_INET && family != AF_INET6) return false;
    const u16 protocol = WG_GET(sk, sk_protocol);
    *kind = protocol == IPPROTO_MPTCP_ ? WG_MPTCP : WG_TCP;
    return protocol == IPPROTO_TCP_ || protocol == IPPROTO_MPTCP_;
}

// An accepted TCP socket keeps its listener's backlog, a client has 0 (a listener may have it, too: wg_accepted). A
// UNIX socket that was accepted carries the listener's address; where both ends or none are bound nothing is known.
WG_INLINE u8 wg_role_of(struct sock* sk, u8 kind) {
    if (kind == WG_UNIX) {
        const bool is_bound = BPF_CORE_READ((struct unix_sock*)sk, addr) != 0;
        struct sock* peer = BPF_CORE_READ((struct unix_sock*)sk, peer);
        const bool is_peer_bound = peer && BPF_CORE_READ((struct unix_sock*)peer, addr) != 0;
        if (is_bound == is_peer_bound) return WG_ROLE_UNKNOWN;
        return is_bound ? WG_ROLE_SERVER : WG_ROLE_CLIENT;
    }
    u32 backlog = WG_GET(sk, sk_max_ack_backlog);
    // Kernels may be built without MPTCP.
    if (kind == WG_MPTCP && !backlog && bpf_core_field_exists(((struct mptcp_sock*)sk)->first)) {
        struct sock* first = BPF_CORE_READ((struct mptcp_sock*)sk, first);
        if (first) backlog = BPF_CORE_READ(first, sk_max_ack_backlog);
    }
    return backlog ? WG_ROLE_SERVER : WG_ROLE_CLIENT;
}

WG_INLINE void wg_map_ipv4(u8* to, u32 address) {
    __builtin_memset(to, 0, 10);
    to[10] = 0xff;
    to[11] = 0xff;
    __builtin_memcpy(to + 12, &address, 4);
}

WG_INLINE void wg_fill_tuple(struct sock* sk, struct wg_tuple* tuple) {
    tuple->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
    const u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);
    if (family == AF_UNIX) return;
    tuple->local_port = wg_own_port(sk);
    tuple->remote_port = bpf_ntohs_(BPF_CORE_READ(sk, __sk_common.skc_dport));
    if (family == AF_INET) {
        wg_map_ipv4(tuple->local_address, BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr));
        wg_map_ipv4(tuple->remote_address, BPF_CORE_READ(sk, __sk_common.skc_daddr));
    } else {
        bpf_probe_read_kernel(tuple->local_address, 16, &sk->__sk_common.skc_v6_rcv_saddr);
        bpf_probe_read_kernel(tuple->remote_address, 16, &sk->__sk_common.skc_v6_daddr);
    }
}

// The path that the server's end is bound to, whichever end this is.
WG_INLINE void wg_fill_unix_path(struct sock* sk, char* path) {
    struct unix_address* address = BPF_CORE_READ((struct unix_sock*)sk, addr);
    if (!address) {
        struct sock* peer = BPF_CORE_READ((struct unix_sock*)sk, peer);
        if (peer) address = BPF_CORE_READ((struct unix_sock*)peer, addr);
    }
    if (!address) return;
    const s32 length = BPF_CORE_READ(address, len);
    if (length <= 2) return;
    const u64 size = WG_BOUND((u64)(length - 2), WG_UNIX_PATH);
    char* from = (char*)address + bpf_core_field_offset(struct unix_address, name) +
                 bpf_core_field_offset(struct sockaddr_un, sun_path);
    bpf_probe_read_kernel(path, size, from);
    if (path[0] == 0) path[0] = '@';
}

// The kernel encrypts what is sent or decrypts what comes (kTLS): sequence numbers count its records, calls the
// plaintext.
WG_INLINE bool wg_has_kernel_tls(struct sock* sk) {
    char name[4] = {};
    const struct tcp_ulp_ops* layer = BPF_CORE_READ((struct inet_connection_sock*)sk, icsk_ulp_ops);
    if (layer) bpf_probe_read_kernel(name, sizeof(name), &layer->name);
    return name[0] == 't' && name[1] == 'l' && name[2] == 's' && !name[3];
}

// How far the program has read. A FIN that was read counts one; that one has come is told by SOCK_DONE,
// since shutdown and reset set RCV_SHUTDOWN as well.
WG_INLINE u32 wg_read_until(struct sock* sk, struct tcp_sock* tcp) {
    const u32 end = WG_GET(tcp, copied_seq);
    const bool has_fin = WG_GET(sk, __sk_common.skc_flags) & (1ul << SOCK_DONE_);
    return has_fin && end == WG_GET(tcp, rcv_nxt) ? end - 1 : end;
}

// Where the streams stand before the first event: TCP by its sequence numbers, others from 0.
WG_INLINE u8 wg_open_positions(struct wg_conn* conn, struct sock* sk, u64 moved[2]) {
    struct tcp_sock* tcp = conn->kind == WG_TCP ? wg_tcp_of(sk) : NULL;
    if (!tcp) return 0;
    const u64 epoch = 1ull << 32;
    conn->next[WG_SEND] = epoch + (u32)(WG_GET(tcp, write_seq) - (u32)moved[WG_SEND]);
    conn->next[WG_RECEIVE] = epoch + (u32)(wg_read_until(sk, tcp) - (u32)moved[WG_RECEIVE]);
    u8 from_start = 0;
    // The SYN counts as acknowledged on the connecting side.
    if ((u32)conn->next[WG_SEND] - (WG_GET(tcp, snd_una) - (u32)WG_GET(tcp, bytes_acked)) <= 1)
        from_start |= 1 << WG_SEND;
    if ((u32)conn->next[WG_RECEIVE] - (WG_GET(tcp, rcv_nxt) - (u32)WG_GET(tcp, bytes_received)) <= 1 ||
        WG_GET(tcp, bytes_received) == 0)
        from_start |= 1 << WG_RECEIVE;
    return from_start;
}

WG_INLINE void wg_default_rules(struct wg_conn* conn) {
    const u32 receive = conn->role == WG_ROLE_SERVER   ? settings.request_bytes
                        : conn->role == WG_ROLE_CLIENT ? settings.response_bytes
                                                       : settings.unknown_bytes;
    const u32 send = conn->role == WG_ROLE_SERVER   ? settings.response_bytes
                     : conn->role == WG_ROLE_CLIENT ? settings.request_bytes
                                                    : settings.unknown_bytes;
    conn->rule[WG_SEND] = (struct wg_rule){.mode = WG_RULE_HEAD, .bytes = send};
    conn->rule[WG_RECEIVE] = (struct wg_rule){.mode = WG_RULE_HEAD, .bytes = receive};
}

// Of plaintext. What came in before and was passed over is known for a request now.
WG_INLINE void wg_learn_role(struct wg_conn* conn, u8 role, u16 port) {
    if (conn->role == role) return;
    conn->role = role;
    conn->plain_port = port;
    if (role == WG_ROLE_SERVER && conn->unsided) {
        wg_count(conn->unsided, 1);
        if (conn->unsided == WG_COUNT_COUNTED_TURNS) conn->request_ns = conn->end_ns[WG_RECEIVE];
    }
    conn->unsided = 0;
}

// Looks for a new rule when user space has written any since.
WG_INLINE void wg_refresh_rules(struct wg_conn* conn, const struct wg_state* page) {
    const u64 generation = page->rule_generation;
    if (WG_LIKELY(conn->rule_generation == generation)) return;
    conn->rule_generation = generation;
    const struct wg_connection_rules* found = bpf_map_lookup_elem(&rules, &conn->id);
    if (!found) return;
    conn->rule[WG_SEND] = found->by_direction[WG_SEND];
    conn->rule[WG_RECEIVE] = found->by_direction[WG_RECEIVE];
    if (WG_UNLIKELY(found->role)) wg_learn_role(conn, found->role, found->port);
}

WG_COLD int wg_flush_pending(struct wg_conn* conn) {
    for (u32 i = 0; conn && i < 2; i++) {
        if (!conn->has_pending[i]) continue;
        conn->has_pending[i] = 0;
        const struct wg_tail_key key = {.connection = conn->id, .direction = i};
        struct wg_pending* waiting = bpf_map_lookup_elem(&pending, &key);
        if (!waiting) continue;  // its completion took it up
        wg_emit_unread(waiting);
        bpf_map_delete_elem(&pending, &key);
    }
    return 0;
}

// How long what is read now has waited; starts anew for what is left.
WG_INLINE u32 wg_take_queue_time(struct wg_conn* conn, u64 now) {
    const u64 arrived = conn->arrived_ns;
    conn->arrived_ns = 0;
    if (!arrived || arrived > now) return 0;
    const u64 waited = (now - arrived) / 1000;
    return waited > 0xffffffff ? 0xffffffff : waited;
}

// The receive was told by tcp_cleanup_rbuf (lib/unblocked.h): nothing has been read since.
WG_INLINE bool wg_was_told(struct wg_conn* conn, struct sock* sk) {
#ifdef WG_EXITS
    if (WG_LIKELY(!conn || !conn->has_early)) return false;
    conn->has_early = 0;
    struct tcp_sock* tcp = conn->kind == WG_TCP ? wg_tcp_of(sk) : NULL;
    return tcp && wg_unwrap(conn->next[WG_RECEIVE], wg_read_until(sk, tcp)) == conn->next[WG_RECEIVE];
#else
    return false;
#endif
}
