// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// Reports: turns a send or receive into a data event, or into a tail entry beyond the rule. The one
// body behind every capture hook.
#pragma once

#include "bpf/abi/events.h"
#include "bpf/lib/carrier.h"
#include "bpf/lib/conn.h"
#include "bpf/lib/copies.h"
#include "bpf/lib/cost.h"
#include "bpf/lib/datagram.h"
#include "bpf/lib/pass.h"
#include "bpf/lib/scratch.h"
#include "bpf/lib/tail.h"
#include "bpf/lib/task.h"
#include "bpf/lib/tell.h"
#ifndef WG_PLAIN
#include "bpf/lib/tls.h"
#endif

// Of s->sk, moved by s->owner. 0 when the ring has no room.
WG_COLD int wg_report_connection(struct wg_conn* conn, u32 slot, u32 from_start, u64 now) {
    struct wg_scratch* s = wg_scratch_at(slot);
    if (!conn || !s) return 0;
    struct sock* sk = (struct sock*)s->sk;
    struct wg_connection_event* event = (struct wg_connection_event*)s->data;  // the stack has no room
    __builtin_memset(event, 0, sizeof(*event));
    event->head.type = WG_EVENT_CONNECTION;
    event->head.version = WG_EVENT_VERSION;
    event->head.length = sizeof(*event);
    event->head.time_ns = now;
    event->connection = conn->id;
    event->process_start_ns = s->owner.start_ns;
    event->pid = s->owner.pid;
    event->kernel_tgid = s->owner.tgid;
    event->role = conn->role;
    event->kind = conn->kind;
    event->family = BPF_CORE_READ(sk, __sk_common.skc_family);
    event->from_start = from_start;
    event->has_kernel_tls = conn->kind == WG_TCP && wg_has_kernel_tls(sk);
    __builtin_memcpy(event->next, conn->next, sizeof(event->next));
    wg_fill_tuple(sk, &event->tuple);
    if (conn->kind == WG_UNIX) wg_fill_unix_path(sk, event->unix_path);
    if (wg_emit_new(conn->ring, event, sizeof(*event))) return 1;
    wg_count(WG_COUNT_RING_FULL_CONNECTION, 1);
    return 0;
}

// True when the process is a target; `conn` is the socket's, or NULL. A connection remembers its process,
// so that most calls need no look at the targets.
WG_INLINE bool wg_is_watched(const struct wg_conn* conn, u32 tgid, u32 target_generation) {
    if (conn && conn->owner.tgid == tgid && conn->owner_generation == target_generation) return true;
    return wg_is_target(tgid);
}

WG_INLINE struct wg_owner wg_current_owner(u32 tgid) {
    struct task_struct* task = wg_current_task();
    return (struct wg_owner){.start_ns = wg_start_time(task), .pid = wg_current_agent_pid(task), .tgid = tgid};
}

WG_COLD int wg_own_anew(struct wg_conn* conn, u32 slot, u32 tgid, u32 target_generation) {
    struct wg_scratch* s = wg_scratch_at(slot);
    if (!conn || !s) return 0;
    s->owner = wg_current_owner(tgid);
    conn->owner = s->owner;
    conn->owner_generation = target_generation;
    return 0;
}

// To s->owner: another process may take the connection over meanwhile.
WG_INLINE void wg_own(struct wg_conn* conn, struct wg_scratch* s, u32 slot, u32 tgid, u32 target_generation) {
    s->owner = conn->owner;
    if (WG_UNLIKELY(s->owner.tgid != tgid || conn->owner_generation != target_generation))
        wg_own_anew(conn, slot, tgid, target_generation);
}

// Where nothing is reported, but counted as the process's.
WG_COLD int wg_note_owner(struct wg_conn* conn, u32 tgid, u32 target_generation) {
    if (!conn) return 0;
    conn->owner = wg_current_owner(tgid);
    conn->owner_generation = target_generation;
    return 0;
}

// A connection of which nothing was seen before. Returns which directions begin here, a bit each.
WG_INLINE u8 wg_begin(struct wg_conn* conn, struct sock* sk, u32 tgid, u8 kind, enum wg_direction direction, u32 size) {
    conn->id = wg_conn_new_id(sk);
    conn->kind = kind;
    conn->role = conn->is_accepted ? WG_ROLE_SERVER : wg_role_of(sk, kind);
    conn->ring = settings.ring_count > 1 ? tgid % settings.ring_count : 0;
    u64 moved[2] = {};
    moved[direction] = size;
    const u8 from_start = wg_open_positions(conn, sk, moved);
    wg_default_rules(conn);
    conn->is_open = conn->is_unreported = 1;
    return from_start;
}

// False: the connection could not be reported.
WG_INLINE bool wg_open(struct wg_conn* conn, struct sock* sk, u32 slot, u32 tgid, u8 kind, enum wg_direction direction,
                       u32 size, u64 now) {
    u8 from_start = 0;
    if (WG_UNLIKELY(!conn->is_open)) from_start = wg_begin(conn, sk, tgid, kind, direction, size);
    // User space may have forgotten a connection that was silent for long.
    const u64 last = conn->end_ns[0] > conn->end_ns[1] ? conn->end_ns[0] : conn->end_ns[1];
    if (WG_UNLIKELY(conn->is_unreported || (last && now > last + WG_IDLE_NS))) {
        if (!wg_report_connection(conn, slot, from_start, now)) return false;
        conn->is_unreported = 0;
    }
    return true;
}

// The body behind every hook.
WG_INLINE int wg_move(struct sock* sk, enum wg_direction direction, u32 size, struct wg_scratch* s, u32 slot,
                      struct wg_conn* conn, struct task_struct* task, u64 now, bool has_text,
                      const struct wg_send* send, const struct wg_state* page) {
    if (WG_UNLIKELY(conn->has_pending[0] | conn->has_pending[1])) wg_flush_pending(conn);
    u64 order;
    bool is_new_turn;
    const u64 position = wg_advance(conn, sk, direction, size, send, &order, &is_new_turn);
    const u64 last = wg_is_told(send) ? send->last_ns : now;
    conn->end_ns[direction] = last;
    const u32 queue_us = direction == WG_RECEIVE && settings.has_queue_time ? wg_take_queue_time(conn, now) : 0;
    const u8 mode = conn->rule[direction].mode;
    if (WG_UNLIKELY(mode == WG_RULE_MUTE || mode == WG_RULE_COUNT)) {
        conn->is_cut[direction] = 1;
        if (mode == WG_RULE_MUTE)
            wg_count(WG_COUNT_MUTED_BYTES, size);
        else
            wg_count_call(conn, direction, size, is_new_turn, WG_COUNT_NO_MEMORY);
        return 0;
    }
    u64 wanted = wg_allows(&conn->rule[direction], conn->turn_start[direction], position, size,
                           conn->bytes[direction] - size, conn->is_cut[direction] || page->max_bytes);
    if (WG_UNLIKELY(page->max_bytes) && wanted > page->max_bytes) wanted = page->max_bytes;
#ifndef WG_UPROBES
    struct wg_frames* frames = NULL;
#endif
#ifdef WG_FRAMES
    if (conn->rule[direction].mode == WG_RULE_FRAMED && !page->max_bytes)
        frames = wg_follow_frames(sk, direction, position, size, is_new_turn, &wanted);
#endif
    if (wanted < size) conn->is_cut[direction] = 1;
    WG_ANEW(s->captured) = wanted;
    wanted = WG_ANEW(s->captured);
    struct wg_data_event* event = &s->event;
    event->head.type = WG_EVENT_DATA;
    event->head.version = WG_EVENT_VERSION;
    event->head.time_ns = last;
    event->connection = conn->id;
    event->position = position;
    event->order = order;
    event->first_ns = wg_is_told(send) ? send->first_ns : 0;
    event->context = wg_current_thread(task);
    event->process_start_ns = s->owner.start_ns;
    event->size = size;
    event->queue_us = queue_us;
    event->turn = conn->turns.count[direction];
    event->pid = s->owner.pid;
    event->direction = direction;
    event->flags = (is_new_turn ? WG_DATA_TURN_START : 0) | (conn->is_crowded ? WG_DATA_CROWDED : 0);
#ifdef WG_UPROBES
    return wg_tell_flat(conn, slot, wanted);
#else
    return wg_tell(conn, s, slot, wanted, has_text, task, send, page, frames);
#endif
}

// The other end of a UNIX connection has closed, or with is_half sends no more, and may be reported in any ring but
// `own`. s->event, which was told, gives the room.
WG_COLD int wg_tell_others(u32 slot, u32 own, u64 peer, u32 is_half) {
    struct wg_scratch* s = wg_scratch_at(slot);
    if (!s) return 0;
    _Static_assert(sizeof(struct wg_close_event) <= sizeof(s->event), "it has the room");
    struct wg_close_event* event = (struct wg_close_event*)&s->event;
    const u64 now = s->event.head.time_ns;
    __builtin_memset(event, 0, sizeof(*event));
    event->head.type = WG_EVENT_CLOSE;
    event->head.version = WG_EVENT_VERSION;
    event->head.length = sizeof(*event);
    event->head.time_ns = now;
    event->connection = peer;
    event->half = is_half;
    const struct wg_tail_key key = {.connection = peer, .direction = WG_SEND};
    const struct wg_tail* found = is_half ? bpf_map_lookup_elem(&tails, &key) : NULL;
    if (found) {
        event->end[WG_SEND] = found->end;
        event->end_ns[WG_SEND] = found->end_ns;
        event->turns[WG_SEND] = found->turn;
        __builtin_memcpy(event->tail[WG_SEND], found->tail, 8);
    }
    for (u32 ring = 0; ring < WG_RINGS && ring < settings.ring_count; ring++) {
        if (ring == own || wg_emit(ring, event, sizeof(*event))) continue;
        wg_count(WG_COUNT_RING_FULL_CLOSE, 1);
    }
    return 0;
}

// The peer has closed its side.
WG_COLD int wg_report_end(struct wg_conn* conn, u32 slot, u64 now) {
    struct wg_scratch* s = wg_scratch_at(slot);
    if (!conn || !s) return 0;
    struct sock* sk = (struct sock*)s->sk;
    struct wg_data_event* event = &s->event;
    wg_flush_pending(conn);
    __builtin_memset(event, 0, sizeof(*event));
    event->head.type = WG_EVENT_DATA;
    event->head.version = WG_EVENT_VERSION;
    event->head.length = sizeof(*event);
    event->head.time_ns = now;
    event->connection = conn->id;
    event->position = conn->next[WG_RECEIVE];
    event->order = conn->next[WG_SEND];
    event->turn = conn->turns.count[WG_RECEIVE];
    event->pid = s->owner.pid;
    event->direction = WG_RECEIVE;
    event->flags = WG_DATA_END;
    struct sock* peer = conn->kind == WG_UNIX ? BPF_CORE_READ((struct unix_sock*)sk, peer) : NULL;
    const u64 peer_id = peer ? wg_conn_id_of(peer) : 0;
    const bool is_half = peer && BPF_CORE_READ(peer, sk_socket);  // shut down, not closed
    if (peer && !is_half) {
        event->flags |= WG_DATA_PEER_GONE;
        event->order = peer_id;
    }
    if (conn->has_tail[WG_RECEIVE]) wg_take_tail(conn, slot);
    if (!wg_emit(conn->ring, event, sizeof(*event))) wg_count(WG_COUNT_RING_FULL, 1);
    if (peer_id && (is_half || settings.ring_count > 1))
        wg_tell_others(slot, is_half ? WG_RINGS : conn->ring, peer_id, is_half);
    return 0;
}

WG_INLINE void wg_observe(struct sock* sk, enum wg_direction direction, s64 result, u32 flags, struct msghdr* message,
                          struct wg_scratch* s, u32 slot, struct wg_conn* conn, struct task_struct* task, u64 now,
                          const struct wg_send* send, const struct wg_state* page) {
    if (WG_UNLIKELY(result == 0)) {
        // Programs also call for no bytes at all, to wait until some have come.
        const bool is_over = WG_GET(sk, sk_shutdown) & RCV_SHUTDOWN_;
        if (is_over && conn->turns.count[WG_RECEIVE]) wg_report_end(conn, slot, now);
        return;
    }
    wg_refresh_rules(conn, page);
    s->text.kind = WG_TEXT_NONE;
    const bool is_discarded = direction == WG_RECEIVE && flags & MSG_TRUNC_;
    if (message && !is_discarded) {
        s->message = (u64)message;
        wg_find_in_message(slot, result);
    }
    wg_move(sk, direction, result, s, slot, conn, task, now, message || is_discarded, send, page);
}

// With nothing in the way.
WG_INLINE void wg_report(struct sock* sk, struct wg_scratch* s, u32 slot, struct wg_conn* conn, u8 kind,
                         enum wg_direction direction, s64 result, u32 flags, struct msghdr* message,
                         struct task_struct* task, const struct wg_send* send, const struct wg_state* page, u64 now,
                         u32 target_generation, u32 tgid) {
#ifndef WG_PLAIN
    const u64 began = wg_cost_begins(now >> 4);
#endif
    s->sk = (u64)sk;
    wg_own(conn, s, slot, tgid, target_generation);
    const bool is_reported = wg_open(conn, sk, slot, tgid, kind, direction, result, now);
    if (WG_LIKELY(is_reported))
        wg_observe(sk, direction, result, flags, message, s, slot, conn, task, now, send, page);
    else if (result)
        wg_pass_over(conn, sk, direction, result, send, WG_COUNT_RING_FULL);
    s->is_busy = 0;
#ifndef WG_PLAIN
    wg_cost_ends(began);
#endif
}

// Bytes of sk were moved; `conn` is its own or NULL, `send` what is known of a send's beginning.
WG_INLINE void wg_see(struct sock* sk, struct wg_conn* conn, enum wg_direction direction, s64 result, u32 flags,
                      struct msghdr* message, struct task_struct* task, const struct wg_state* page,
                      const struct wg_send* send) {
    const u32 tgid = wg_current_tgid(task);
    const u32 target_generation = page->target_generation;
    if (!wg_is_watched(conn, tgid, target_generation)) return;
    u8 kind = conn ? conn->kind : 0;
    if (WG_UNLIKELY(!kind) && !wg_is_stream(sk, &kind)) return;
    // Where a hook has said when the send began, no other look at the clock is needed.
    const u64 now = wg_is_told(send) ? send->last_ns : bpf_ktime_get_ns();
    enum wg_counter cause = wg_obstacle(page, now);
    if (WG_UNLIKELY(!conn)) conn = wg_conn_create(sk);
    if (WG_UNLIKELY(!conn)) {
        wg_count(WG_COUNT_STORAGE_FAILED, 1);
        return;
    }
    u32 slot;
    struct wg_scratch* s = NULL;
    if (WG_LIKELY(cause == WG_COUNTERS)) {
        s = wg_take_scratch(direction, &slot);
        if (WG_UNLIKELY(!s)) cause = WG_COUNT_SCRATCH_BUSY;
    }
    const u32 turns_before = conn->turns.count[direction];
    const bool is_counting = cause == WG_COUNT_COUNTED;
    if (WG_UNLIKELY(!s)) {
        if (!conn->is_open) {
            wg_begin(conn, sk, tgid, kind, direction, result);
            s = cause == WG_COUNT_OFF || !result ? NULL : wg_take_scratch(direction, &slot);
            if (s) {
                s->sk = (u64)sk;
                s->text.kind = WG_TEXT_NONE;
                if (message) {
                    s->message = (u64)message;
                    wg_find_in_message(slot, result);
                }
                wg_look_for_carrier(conn, slot);
                s->is_busy = 0;
            }
        }
        if (is_counting) {
            wg_refresh_rules(conn, page);
            if (conn->owner.tgid != tgid) wg_note_owner(conn, tgid, target_generation);
        }
        if (result) wg_pass_over(conn, sk, direction, result, send, cause);
    } else {
        wg_report(sk, s, slot, conn, kind, direction, result, flags, message, task, send, page, now, target_generation,
                  tgid);
    }
#ifndef WG_PLAIN
    if (WG_UNLIKELY(page->has_tls) && wg_tls_touch(task, page->has_tls, tgid, conn->id, conn->role,
                                                   wg_tally_port(conn, sk), direction == WG_SEND, now))
        conn->is_carrier = 1;
#endif
    if (WG_UNLIKELY(is_counting || conn->request_ns))
        wg_keep_tally(conn, sk, direction, turns_before, is_counting, wg_is_told(send) ? send->first_ns : now, now);
}

// What is known of the send's beginning is another call's, whose end was not seen: TCP has taken other bytes since than
// this call's.
WG_INLINE bool wg_is_left_over(const struct wg_send* send, const struct wg_conn* conn, struct sock* sk, s64 result) {
    if (!wg_is_told(send) || conn->is_crowded || conn->kind != WG_TCP) return false;
    struct tcp_sock* tcp = wg_tcp_of(sk);
    return tcp && (u32)(WG_GET(tcp, write_seq) - send->sequence) != (u32)result;
}

WG_INLINE int wg_moved_once(struct sock* sk, enum wg_direction direction, s64 result, u32 flags, struct msghdr* message,
                            struct task_struct* task, const struct wg_state* page) {
    if (direction == WG_RECEIVE && (result < 0 || flags & (MSG_PEEK_ | MSG_ERRQUEUE_ | MSG_OOB_))) {
        wg_maybe_datagram(sk, direction, result, flags, message);
        return 0;
    }
    struct wg_conn* conn = wg_conn_find(sk);
    if (WG_UNLIKELY(!conn) && wg_maybe_datagram(sk, direction, result, flags, message)) return 0;
    if (direction == WG_RECEIVE && wg_was_told(conn, sk)) return 0;
    const u32 thread = wg_current_thread(task);
    struct wg_send send = {};
    if (direction == WG_SEND && conn) {
        wg_copy_send(&send, &conn->send, conn->is_crowded, thread);
        if (settings.copies > 1 && wg_is_left_over(&send, conn, sk, result)) {
            wg_send_ends(&conn->send, conn->is_crowded, thread);
            send.first_ns = 0;
        }
    }
    if (direction == WG_RECEIVE || result > 0) wg_see(sk, conn, direction, result, flags, message, task, page, &send);
    // Whatever became of it, also one that found no room: the next one's beginning is its own.
    if (wg_is_told(&send)) wg_send_ends(&conn->send, conn->is_crowded, thread);
    return 0;
}

// A call has moved `result` bytes of sk; `message` is its msghdr where the hook has one.
WG_INLINE int wg_moved(struct sock* sk, enum wg_direction direction, s64 result, u32 flags, struct msghdr* message) {
    struct task_struct* task = wg_current_task();
    const struct wg_state* page = wg_get_state();
    if (!wg_may_be_target(page, wg_current_tgid(task)) || wg_is_of_other_copy(sk, direction, result)) return 0;
    return wg_moved_once(sk, direction, result, flags, message, task, page);
}

// Reports a TCP connection before its first bytes go out: what the other end does with them is known to have a caller
// that is watched. Where it cannot be told now, wg_moved tells it, and counts what stood in the way.
WG_INLINE void wg_open_early(struct sock* sk, struct wg_conn* conn, struct task_struct* task, u64 now) {
    const u32 tgid = wg_current_tgid(task);
    const u8 state = WG_GET(sk, __sk_common.skc_state);
    u8 kind;
    // Else its address may not be known yet (TCP Fast Open).
    if ((state != TCP_ESTABLISHED_ && state != TCP_CLOSE_WAIT_) || !wg_is_target(tgid) || !wg_is_stream(sk, &kind))
        return;
    const struct wg_state* page = wg_get_state();
    if (!page || wg_obstacle(page, now) != WG_COUNTERS) return;
    u32 slot;
    struct wg_scratch* s = wg_take_scratch(WG_SEND, &slot);
    if (!s) return;
    s->sk = (u64)sk;
    wg_own(conn, s, slot, tgid, page->target_generation);
    wg_open(conn, sk, slot, tgid, kind, WG_SEND, 0, now);
    s->is_busy = 0;
}

// fexit on a socket operation.
WG_INLINE int wg_message(struct socket* socket, struct msghdr* message, enum wg_direction direction, int flags,
                         s64 result) {
    return wg_moved(WG_GET(socket, sk), direction, result, flags, message);
}

// fexit on an operation that moves pages: length only.
WG_INLINE int wg_pages(struct sock* sk, enum wg_direction direction, s64 result) {
    if (result <= 0) return 0;
    return wg_moved(sk, direction, result, direction == WG_RECEIVE ? MSG_TRUNC_ : 0, NULL);
}
