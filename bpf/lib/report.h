// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// Reports: turns a send or receive into a data event, or into a tail entry beyond the rule. The one
// body behind every capture hook.
#pragma once

#include "bpf/abi/events.h"
#include "bpf/lib/conn.h"
#include "bpf/lib/pending.h"
#include "bpf/lib/scratch.h"
#include "bpf/lib/task.h"

enum : u64 { WG_STALE_NS = 2000000000, WG_IDLE_NS = 60000000000 };

WG_INLINE void wg_report_connection(struct wg_conn *conn, struct sock *sk, struct wg_scratch *s,
                                    const struct wg_owner *owner, u8 from_start, u64 now) {
    struct wg_connection_event *event = (struct wg_connection_event *)s->data;  // the stack has no room
    __builtin_memset(event, 0, sizeof(*event));
    event->head.type = WG_EVENT_CONNECTION;
    event->head.version = WG_EVENT_VERSION;
    event->head.length = sizeof(*event);
    event->head.time_ns = now;
    event->connection = conn->id;
    event->process_start_ns = owner->start_ns;
    event->pid = owner->pid;
    event->kernel_tgid = owner->tgid;
    event->role = conn->role;
    event->kind = conn->kind;
    event->family = WG_GET(sk, __sk_common.skc_family);
    event->from_start = from_start;
    wg_fill_tuple(sk, &event->tuple);
    if (conn->kind == WG_UNIX) wg_fill_unix_path(sk, event->unix_path);
    if (!wg_emit(conn->ring, event, sizeof(*event))) wg_count(WG_COUNT_RING_FULL_CONNECTION, 1);
}

// Position of the first of `size` bytes that just went by, and in *order how far the other direction had
// been written (receive) or read (send: by the time of the report).
WG_INLINE u64 wg_position(struct wg_conn *conn, struct sock *sk, enum wg_direction direction, u32 size,
                          const struct wg_send *send, u64 *order) {
    struct tcp_sock *tcp = conn->kind == WG_TCP ? wg_tcp_of(sk) : NULL;
    if (!tcp) {
        *order = conn->next[1 - direction];
        return conn->next[direction];
    }
    if (direction == WG_SEND) {
        *order = conn->next[WG_RECEIVE];
        return wg_unwrap(conn->next[WG_SEND], send ? send->sequence : WG_GET(tcp, write_seq) - size);
    }
    *order = wg_unwrap(conn->next[WG_SEND], WG_GET(tcp, write_seq));
    return wg_unwrap(conn->next[WG_RECEIVE], wg_read_until(sk, tcp) - size);
}

#ifndef WG_PLAIN
// Which message of a sendmmsg or recvmmsg call this is. False when it cannot be told: a receive that
// filled fewer than it could looks like the next call.
WG_INLINE bool wg_message_index(struct wg_conn *conn, struct task_struct *task, u32 *index) {
    struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
    const u64 number = wg_syscall_number(regs);
    const u64 base = wg_argument_2(regs);
    if (conn->message_base != base || conn->message_index >= wg_argument_3(regs)) {
        conn->message_base = base;
        conn->message_index = 0;
    }
    *index = conn->message_index++;
    return number == WG_SYS_SENDMMSG || *index == 0;
}

// Copies up to `wanted` bytes to s->data, by the registers of the call. False: io_uring moved them.
WG_INLINE bool wg_take(struct sock *sk, struct wg_scratch *s, u32 slot, struct wg_conn *conn,
                       struct task_struct *task, u64 wanted) {
    s->sk = (u64)sk;
    const u32 taken = wg_take_text(slot, wanted);
    if (taken == WG_TAKEN_IO_URING) return false;
    if (taken == WG_TAKEN) {
        conn->message_base = 0;
        return true;
    }
    u32 message;
    if (wg_message_index(conn, task, &message)) wg_take_message(slot, wanted, message);
    return true;
}
#endif

WG_INLINE void wg_update_tail(struct wg_conn *conn, struct wg_scratch *s, u32 slot,
                              enum wg_direction direction, u64 end, u64 size, u64 now) {
    const struct wg_tail_key key = {.connection = conn->id, .direction = direction};
    struct wg_tail *found = bpf_map_lookup_elem(&tails, &key);
    s->tail = 0;
    wg_copy_tail(slot, size);
    if (found) {
        u64 before;
        __builtin_memcpy(&before, found->tail, 8);
        s->tail = wg_join_tail(before, s->tail, size);
        __builtin_memcpy(found->tail, &s->tail, 8);
        found->end_ns = now;
        found->turn = conn->turns.count[direction];
        found->calls++;
        // Last: user space may read at any time, and an end whose tail it has not seen would not come again.
        __asm__ volatile("" ::: "memory");
        found->end = end;
        return;
    }
    struct wg_tail fresh = {.end = end,
                            .end_ns = now,
                            .first_ns = now,
                            .turn = conn->turns.count[direction],
                            .calls = 1};
    __builtin_memcpy(fresh.tail, &s->tail, 8);
    if (bpf_map_update_elem(&tails, &key, &fresh, BPF_ANY)) wg_count(WG_COUNT_TAIL_FAILED, 1);
    conn->has_tail[direction] = 1;
}

// The turn before went on beyond its rule: say how, and drop its entry.
WG_INLINE void wg_take_tail(struct wg_conn *conn, struct wg_data_event *event,
                            enum wg_direction direction) {
    const struct wg_tail_key key = {.connection = conn->id, .direction = direction};
    const struct wg_tail *found = bpf_map_lookup_elem(&tails, &key);
    conn->has_tail[direction] = 0;
    if (!found) return;
    event->flags |= WG_DATA_PREVIOUS_TAIL;
    event->previous_end_ns = found->end_ns;
    event->previous_end = found->end;
    __builtin_memcpy(event->previous_tail, found->tail, 8);
    bpf_map_delete_elem(&tails, &key);
}

// How long what is read now has waited; starts anew for what is left.
WG_INLINE u32 wg_take_queue_time(struct wg_conn *conn, u64 now) {
    const u64 arrived = conn->arrived_ns;
    conn->arrived_ns = 0;
    if (!arrived || arrived > now) return 0;
    const u64 waited = (now - arrived) / 1000;
    return waited > 0xffffffff ? 0xffffffff : waited;
}

// True when the process is a target; `conn` is the socket's, or NULL. A connection remembers its process,
// so that most calls need no look at the targets.
WG_INLINE bool wg_is_watched(const struct wg_conn *conn, u32 tgid, u32 target_generation) {
    if (conn && conn->owner.tgid == tgid && conn->owner_generation == target_generation) return true;
    return wg_is_target(tgid);
}

WG_INLINE struct wg_owner wg_own(struct wg_conn *conn, struct task_struct *task, u32 tgid,
                                 u32 target_generation) {
    struct wg_owner owner = conn->owner;
    if (owner.tgid == tgid && conn->owner_generation == target_generation) return owner;
    owner.tgid = tgid;
    owner.start_ns = wg_start_time(task);
    owner.pid = wg_current_agent_pid(task);
    conn->owner = owner;
    conn->owner_generation = target_generation;
    return owner;
}

WG_INLINE void wg_open(struct wg_conn *conn, struct sock *sk, struct wg_scratch *s, const struct wg_owner *owner, u8 kind,
                       enum wg_direction direction, u32 size, u64 now) {
    if (conn->is_open) {
        // User space may have forgotten a connection that was silent for long.
        const u64 last = conn->end_ns[0] > conn->end_ns[1] ? conn->end_ns[0] : conn->end_ns[1];
        if (last && now > last + WG_IDLE_NS) wg_report_connection(conn, sk, s, owner, 0, now);
        return;
    }
    conn->id = wg_conn_new_id(sk);
    conn->kind = kind;
    conn->role = wg_role_of(sk, kind);
    conn->ring = settings.ring_count > 1 ? owner->tgid % settings.ring_count : 0;
    u64 moved[2] = {};
    moved[direction] = size;
    const u8 from_start = wg_open_positions(conn, sk, moved);
    wg_default_rules(conn);
    conn->is_open = 1;
    wg_report_connection(conn, sk, s, owner, from_start, now);
}

// The body behind every hook. `text` is where the bytes are, or NULL: ask the registers.
WG_INLINE int wg_move(struct sock *sk, enum wg_direction direction, u32 size, struct wg_scratch *s, u32 slot,
                      struct wg_conn *conn, struct task_struct *task, const struct wg_owner *owner, u64 now, bool has_text,
                      const struct wg_send *send, const struct wg_state *page) {
    wg_flush_pending(conn);
    u64 order;
    const u64 position = wg_position(conn, sk, direction, size, send, &order);
    const bool is_new_turn = direction == WG_RECEIVE ? wg_turn_receive(&conn->turns, order)
                                                     : wg_turn_send(&conn->turns, position);
    if (is_new_turn) conn->turn_start[direction] = position;
    conn->next[direction] = position + size;
    conn->bytes[direction] += size;
    u64 last = now;
    u64 first = 0;
    if (send) {
        first = send->first_ns;
        last = send->last_ns;
    }
    conn->end_ns[direction] = last;
    const u32 queue_us = direction == WG_RECEIVE && settings.has_queue_time ? wg_take_queue_time(conn, now) : 0;
    if (conn->rule[direction].mode == WG_RULE_MUTE) {
        wg_count(WG_COUNT_MUTED_BYTES, size);
        return 0;
    }
    const u64 wanted = wg_allows(&conn->rule[direction], conn->turn_start[direction], position, size,
                                 conn->bytes[direction] - size);
    bool is_io_uring = false;
    s->captured = 0;
#ifndef WG_PLAIN
    if (!has_text && send) has_text = wg_text_from_send(&s->text, send);
#endif
    if (has_text) {
        s->captured = wg_copy(s, slot, wanted);
    } else {
        s->text.kind = WG_TEXT_NONE;
#ifndef WG_PLAIN
        is_io_uring = !wg_take(sk, s, slot, conn, task, wanted);
#endif
    }
    if (!wanted && !is_new_turn) {
        wg_update_tail(conn, s, slot, direction, position + size, size, last);
        return 0;
    }
    struct wg_data_event *event = &s->event;
    event->head.type = WG_EVENT_DATA;
    event->head.version = WG_EVENT_VERSION;
    event->head.time_ns = last;
    event->connection = conn->id;
    event->position = position;
    event->order = order;
    event->first_ns = first;
    event->context = wg_current_thread(task);
    event->process_start_ns = owner->start_ns;
    event->size = size;
    event->queue_us = queue_us;
    event->turn = conn->turns.count[direction];
    event->pid = owner->pid;
    event->direction = direction;
    event->flags = is_new_turn ? WG_DATA_TURN_START : 0;
    if (conn->is_crowded) event->flags |= WG_DATA_CROWDED;
    if (is_new_turn && conn->has_tail[direction]) wg_take_tail(conn, event, direction);
    if (is_io_uring && wg_keep_pending(conn, event, wanted, page)) return 0;
    u64 captured = s->captured;
    if (s->text.kind == WG_TEXT_NONE) {
        event->flags |= WG_DATA_UNREADABLE;
        wg_count(WG_COUNT_UNREADABLE, 1);
    } else {
        if (captured < wanted) wg_count(WG_COUNT_READ_FAILED, 1);
        if (captured < size && wg_copy_tail(slot, size)) {
            event->flags |= WG_DATA_TAIL;
            __builtin_memcpy(event->tail, &s->tail, 8);
        }
    }
    captured = WG_BOUND(captured, WG_TEXT_MAX);
    event->captured = captured;
    event->head.length = sizeof(*event) + captured;
    if (!wg_emit(conn->ring, event, sizeof(*event) + captured)) {
        wg_count(WG_COUNT_RING_FULL, 1);
        wg_count(WG_COUNT_RING_FULL_BYTES, size);
    }
    return 0;
}

// The peer has closed its side.
WG_INLINE int wg_report_end(struct sock *sk, struct wg_conn *conn, struct wg_scratch *s,
                            const struct wg_owner *owner, u64 now) {
    struct wg_data_event *event = &s->event;
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
    event->pid = owner->pid;
    event->direction = WG_RECEIVE;
    event->flags = WG_DATA_END;
    struct sock *peer = conn->kind == WG_UNIX ? BPF_CORE_READ((struct unix_sock *)sk, peer) : NULL;
    if (peer && !BPF_CORE_READ(peer, sk_socket)) {  // closed, not only shut down
        event->flags |= WG_DATA_PEER_GONE;
        event->order = wg_conn_id_of(peer);
    }
    if (conn->has_tail[WG_RECEIVE]) wg_take_tail(conn, event, WG_RECEIVE);
    if (!wg_emit(conn->ring, event, sizeof(*event))) wg_count(WG_COUNT_RING_FULL, 1);
    return 0;
}

WG_INLINE void wg_observe(struct sock *sk, enum wg_direction direction, s64 result, u32 flags,
                          struct msghdr *message, struct wg_scratch *s, u32 slot, struct wg_conn *conn,
                          struct task_struct *task, const struct wg_owner *owner, u64 now,
                          const struct wg_send *send, const struct wg_state *page) {
    if (result == 0) {
        // Programs also call for no bytes at all, to wait until some have come.
        const bool is_over = WG_GET(sk, sk_shutdown) & RCV_SHUTDOWN_;
        if (is_over && conn->turns.count[WG_RECEIVE]) wg_report_end(sk, conn, s, owner, now);
        return;
    }
    wg_refresh_rules(conn, page);
    s->text.kind = WG_TEXT_NONE;
    const bool is_discarded = direction == WG_RECEIVE && flags & MSG_TRUNC_;
    if (message && !is_discarded) {
        s->message = (u64)message;
        wg_find_in_message(slot, result);
    }
    wg_move(sk, direction, result, s, slot, conn, task, owner, now, message || is_discarded, send, page);
}

// A call has moved `result` bytes of sk; `message` is its msghdr where the hook has one.
WG_INLINE int wg_moved(struct sock *sk, enum wg_direction direction, s64 result, u32 flags,
                       struct msghdr *message) {
    if (direction == WG_RECEIVE && (result < 0 || flags & (MSG_PEEK_ | MSG_ERRQUEUE_ | MSG_OOB_))) return 0;
    struct wg_conn *conn = wg_conn_find(sk);
    if (direction == WG_SEND && result <= 0) {
        // A send that found no room began, too; the next one's time is its own.
        if (conn && conn->send.first_ns) wg_send_ends(&conn->send, conn->is_crowded, wg_current_thread(wg_current_task()));
        return 0;
    }
    const struct wg_state *page = wg_get_state();
    if (!page) return 0;
    struct task_struct *task = wg_current_task();
    const u32 tgid = wg_current_tgid(task);
    const u32 target_generation = page->target_generation;
    if (!wg_is_watched(conn, tgid, target_generation)) return 0;
    u8 kind = conn ? conn->kind : 0;
    if (!kind && !wg_is_stream(sk, &kind)) return 0;
    if (page->is_off) {
        wg_count(WG_COUNT_OFF, 1);
        return 0;
    }
    // Where a hook has said when the send began, no other look at the clock is needed.
    const u32 thread = wg_current_thread(task);
    struct wg_send *send =
        direction == WG_SEND && conn ? wg_send_of(&conn->send, conn->is_crowded, thread) : NULL;
    const u64 now = send ? send->last_ns : bpf_ktime_get_ns();
    if (now > page->heartbeat_ns + WG_STALE_NS) {
        wg_count(WG_COUNT_STALE, 1);
        wg_count(WG_COUNT_STALE_BYTES, result);
        return 0;
    }
    if (!conn) conn = wg_conn_create(sk);
    if (!conn) {
        wg_count(WG_COUNT_STORAGE_FAILED, 1);
        return 0;
    }
    u32 slot;
    struct wg_scratch *s = wg_take_scratch(direction, &slot);
    if (!s) {
        wg_count(WG_COUNT_SCRATCH_BUSY, 1);
        return 0;
    }
    const struct wg_owner owner = wg_own(conn, task, tgid, target_generation);
    wg_open(conn, sk, s, &owner, kind, direction, result, now);
    wg_observe(sk, direction, result, flags, message, s, slot, conn, task, &owner, now, send, page);
    if (send) wg_send_ends(&conn->send, conn->is_crowded, thread);
    s->is_busy = 0;
    return 0;
}

// Reports a TCP connection before its first bytes go out: what the other end does with them is known to have a caller
// that is watched. Where it cannot be told now, wg_moved tells it, and counts what stood in the way.
WG_INLINE void wg_open_early(struct sock *sk, struct wg_conn *conn, struct task_struct *task, u64 now) {
    const u32 tgid = wg_current_tgid(task);
    const u8 state = WG_GET(sk, __sk_common.skc_state);
    u8 kind;
    // Else its address may not be known yet (TCP Fast Open).
    if ((state != TCP_ESTABLISHED_ && state != TCP_CLOSE_WAIT_) || !wg_is_target(tgid) || !wg_is_stream(sk, &kind)) return;
    const struct wg_state *page = wg_get_state();
    if (!page || page->is_off || now > page->heartbeat_ns + WG_STALE_NS) return;
    u32 slot;
    struct wg_scratch *s = wg_take_scratch(WG_SEND, &slot);
    if (!s) return;
    const struct wg_owner owner = wg_own(conn, task, tgid, page->target_generation);
    wg_open(conn, sk, s, &owner, kind, WG_SEND, 0, now);
    s->is_busy = 0;
}

// fexit on a socket operation.
WG_INLINE int wg_message(struct socket *socket, struct msghdr *message, enum wg_direction direction,
                         int flags, s64 result) {
    return wg_moved(WG_GET(socket, sk), direction, result, flags, message);
}

// fexit on an operation that moves pages: length only.
WG_INLINE int wg_pages(struct sock *sk, enum wg_direction direction, s64 result) {
    if (result <= 0) return 0;
    return wg_moved(sk, direction, result, direction == WG_RECEIVE ? MSG_TRUNC_ : 0, NULL);
}
