// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// How a connection goes on: positions and turns, whether a call is reported or passed over; and what stands in the way
// of reports.
#pragma once

#include "bpf/lib/conn.h"
#include "bpf/lib/tally.h"

// Why nothing is reported now, by the first of the cause's counters; WG_COUNTERS: nothing stands in the way.
WG_INLINE enum wg_counter wg_obstacle(const struct wg_state* page, u64 now) {
    if (WG_UNLIKELY(page->is_off)) return WG_COUNT_OFF;
    if (WG_UNLIKELY(now > page->heartbeat_ns + WG_STALE_NS)) return WG_COUNT_STALE;
    if (WG_UNLIKELY(page->is_counting)) return WG_COUNT_COUNTED;
    return WG_COUNTERS;
}

// Position of the first of `size` bytes that just went by, and in *order how far the other direction had
// been written (receive) or read (send: by the time of the report).
WG_INLINE u64 wg_position(struct wg_conn* conn, struct sock* sk, enum wg_direction direction, u32 size,
                          const struct wg_send* send, u64* order) {
    if (direction == WG_SEND && wg_is_told(send)) {  // told by tcp_sendmsg_locked
        *order = conn->next[WG_RECEIVE];
        return wg_unwrap(conn->next[WG_SEND], send->sequence);
    }
    struct tcp_sock* tcp = conn->kind == WG_TCP ? wg_tcp_of(sk) : NULL;
    if (!tcp) {
        *order = conn->next[1 - direction];
        return conn->next[direction];
    }
    if (direction == WG_SEND) {
        *order = conn->next[WG_RECEIVE];
        return wg_unwrap(conn->next[WG_SEND], WG_GET(tcp, write_seq) - size);
    }
    *order = wg_unwrap(conn->next[WG_SEND], WG_GET(tcp, write_seq));
    return wg_unwrap(conn->next[WG_RECEIVE], wg_read_until(sk, tcp) - size);
}

// Turns and positions go on with `size` bytes, whether they are reported or not. Returns the position of the first of
// them; *is_new_turn says whether they begin a turn.
WG_INLINE u64 wg_advance(struct wg_conn* conn, struct sock* sk, enum wg_direction direction, u32 size,
                         const struct wg_send* send, u64* order, bool* is_new_turn) {
    const u64 position = wg_position(conn, sk, direction, size, send, order);
    *is_new_turn =
        direction == WG_RECEIVE ? wg_turn_receive(&conn->turns, *order) : wg_turn_send(&conn->turns, position);
    if (*is_new_turn) {
        conn->turn_start[direction] = position;
        conn->is_cut[direction] = 0;
    }
#ifndef WG_PLAIN  // whose calls follow each other
    if (WG_UNLIKELY(position != conn->next[direction]) && !*is_new_turn) conn->is_cut[direction] = 1;
#endif
    conn->next[direction] = position + size;
    conn->bytes[direction] += size;
    return position;
}

WG_INLINE bool wg_is_request_side(const struct wg_conn* conn, enum wg_direction direction) {
    return conn->role == (direction == WG_RECEIVE ? WG_ROLE_SERVER : WG_ROLE_CLIENT);
}

// A call that is not reported, by the first of its cause's three counters. An exchange has one turn each way: where it
// is not known which end of plaintext asks, each turn that goes out stands for one.
WG_INLINE void wg_count_call(struct wg_conn* conn, enum wg_direction direction, u32 size, bool is_new_turn,
                             enum wg_counter cause) {
    wg_count(cause, 1);
    wg_count(cause + 1, size);
    if (!is_new_turn || conn->rule[direction].mode == WG_RULE_MUTE || conn->is_carrier) return;
    if (wg_is_request_side(conn, direction)) {
        wg_count(cause + 2, 1);
    } else if (conn->role == WG_ROLE_UNKNOWN && !conn->kind) {  // two ends of a pair of sockets ask nothing
        if (direction == WG_SEND) wg_count(cause == WG_COUNT_COUNTED ? WG_COUNT_ROLELESS_TURNS : cause + 2, 1);
        conn->unsided = direction == WG_SEND ? 0 : cause + 2;
    }
}

// … while its connection goes on.
WG_INLINE void wg_pass_over(struct wg_conn* conn, struct sock* sk, enum wg_direction direction, u32 size,
                            const struct wg_send* send, enum wg_counter cause) {
    u64 order;
    bool is_new_turn;
    wg_advance(conn, sk, direction, size, send, &order, &is_new_turn);
    conn->is_cut[direction] = 1;
    wg_count_call(conn, direction, size, is_new_turn, cause);
}

// After a call, which may have begun a request's turn: then the exchange that is open in the tallies is over, and with
// `is_counting` another begins.
WG_INLINE void wg_keep_tally(struct wg_conn* conn, struct sock* sk, enum wg_direction direction, u32 turns_before,
                             bool is_counting, u64 first_ns, u64 now) {
    if (is_counting) conn->end_ns[direction] = now;
    if (conn->turns.count[direction] == turns_before || !wg_is_request_side(conn, direction)) return;
    if (conn->request_ns) wg_tally_ends(conn, wg_tally_port(conn, sk));
    if (is_counting && conn->rule[direction].mode != WG_RULE_MUTE && !conn->is_carrier) conn->request_ns = first_ns;
}
