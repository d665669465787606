// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// Closing: what is said when a connection ends, or half of it.
#pragma once

#include "bpf/lib/report.h"

// What ends: what the program sends; what both ends send; both ways, as the kernel sees it; everything, the socket is
// gone.
enum wg_end { WG_END_OF_SENDING, WG_END_BY_BOTH, WG_END_OF_STATES, WG_END_OF_ALL };

// How far the program has read by TCP's own count.
WG_INLINE u64 wg_read_position(struct wg_conn* conn, struct sock* sk) {
    struct tcp_sock* tcp = conn->kind == WG_TCP ? wg_tcp_of(sk) : NULL;
    return tcp ? wg_unwrap(conn->next[WG_RECEIVE], wg_read_until(sk, tcp)) : conn->next[WG_RECEIVE];
}

// What was spliced away has no event on kernels whose socket tracepoints do not see it.
WG_INLINE void wg_catch_up(struct wg_conn* conn, struct sock* sk) {
    const u64 position = wg_read_position(conn, sk);
    if (position > conn->next[WG_RECEIVE]) conn->next[WG_RECEIVE] = position;
}

// True when more may be told of what the program has received: both ends have said that they send no more, and the
// kernel ends the connection, before the program has read all that has come, or while the call that has read it has not
// returned yet. MPTCP keeps what has come in places of its own.
WG_INLINE bool wg_may_receive(struct wg_conn* conn, struct sock* sk) {
    if (!BPF_CORE_READ(sk, sk_socket)) return false;  // closed by the program
    return WG_GET(sk, sk_protocol) == IPPROTO_MPTCP_ || BPF_CORE_READ(sk, sk_receive_queue.qlen) != 0 ||
           wg_read_position(conn, sk) > conn->next[WG_RECEIVE];
}

WG_INLINE int wg_closed(struct sock* sk, enum wg_end what) {
    struct wg_conn* conn = wg_conn_find(sk);
    if (!conn) return 0;
    const bool is_half = what == WG_END_OF_SENDING || (what != WG_END_OF_ALL && wg_may_receive(conn, sk));
    if (!is_half && conn->request_ns) wg_tally_ends(conn, wg_tally_port(conn, sk));
    if (!conn->is_open || conn->is_unreported || conn->is_closed) return 0;
    if (!is_half) conn->is_closed = 1;
    if (is_half && settings.copies > 1) {
        if (conn->halves_told & 1 << what) return 0;
        conn->halves_told |= 1 << what;
    }
    wg_flush_pending(conn);
    if (!is_half) wg_catch_up(conn, sk);
    struct wg_close_event event = {};
    event.head.type = WG_EVENT_CLOSE;
    event.head.version = WG_EVENT_VERSION;
    event.head.length = sizeof(event);
    event.head.time_ns = bpf_ktime_get_ns();
    event.connection = conn->id;
    event.error = WG_GET(sk, sk_err);
    event.half = is_half;
    for (u32 i = 0; i < 2; i++) {
        event.bytes[i] = conn->bytes[i];
        event.end[i] = conn->next[i];
        event.end_ns[i] = conn->end_ns[i];
        event.turns[i] = conn->turns.count[i];
        if (!conn->has_tail[i]) continue;
        const struct wg_tail_key key = {.connection = conn->id, .direction = i};
        const struct wg_tail* found = bpf_map_lookup_elem(&tails, &key);
        if (!found) continue;
        __builtin_memcpy(event.tail[i], found->tail, 8);
        if (!is_half) bpf_map_delete_elem(&tails, &key);
    }
    if (!is_half) bpf_map_delete_elem(&rules, &conn->id);
    if (!wg_emit(conn->ring, &event, sizeof(event))) wg_count(WG_COUNT_RING_FULL_CLOSE, 1);
    return 0;
}
