// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// Telling of bytes: what the rule lets through is copied into the event that the scratch slot holds, and goes to the
// ring, or into a tail entry beyond the rule.
#pragma once

#include "bpf/abi/events.h"
#include "bpf/lib/conn.h"
#include "bpf/lib/frames.h"
#include "bpf/lib/pass.h"
#include "bpf/lib/pending.h"
#include "bpf/lib/scratch.h"
#include "bpf/lib/tail.h"

#ifndef WG_PLAIN
// Which message of a sendmmsg or recvmmsg call this is. False when it cannot be told: a receive that
// filled fewer than it could looks like the next call.
WG_INLINE bool wg_message_index(struct wg_conn* conn, struct task_struct* task, u32* index) {
    struct pt_regs* regs = (struct pt_regs*)bpf_task_pt_regs(task);
    const u64 number = wg_syscall_number(regs);
    const u32 base = wg_argument_2(regs);
    if (conn->message_base != base || conn->message_index >= wg_argument_3(regs)) {
        conn->message_base = base;
        conn->message_index = 0;
    }
    *index = conn->message_index++;
    return number == WG_SYS_SENDMMSG || *index == 0;
}

// Copies up to `wanted` bytes to s->data, by the registers of the call. False: io_uring moved them.
WG_INLINE bool wg_take(struct wg_scratch* s, u32 slot, struct wg_conn* conn, struct task_struct* task, u64 wanted) {
    struct pt_regs* regs = (struct pt_regs*)bpf_task_pt_regs(task);
    if (WG_LIKELY(wg_is_plain_call(task, regs))) {
        conn->message_base = 0;
        s->text.kind = WG_TEXT_FLAT;
        s->text.base = wg_argument_2(regs);
        s->text.skip = 0;
        s->captured = wg_copy(s, slot, wanted);
        return true;
    }
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

// The slot's event. 0 when it cannot wait: no completions are watched, or the map is full.
WG_COLD int wg_keep_pending(struct wg_conn* conn, u32 slot, u64 wanted) {
    const struct wg_scratch* s = wg_scratch_at(slot);
    const struct wg_state* page = wg_get_state();
    if (!conn || !s || !page || !page->has_io_uring) return 0;
    const struct wg_data_event* event = &s->event;
    const struct wg_tail_key key = {.connection = conn->id, .direction = event->direction};
    struct wg_pending waiting = {.event = *event, .wanted = wanted, .ring = conn->ring};
    if (bpf_map_update_elem(&pending, &key, &waiting, BPF_ANY)) return 0;
    conn->has_pending[event->direction & 1] = 1;
    conn->is_cut[event->direction & 1] = 1;  // its text may not come
    return 1;
}

// Copies what the rule lets through of the bytes that s->event tells of, and reports them. With has_text, s->text says
// where they are; else `send` or the registers. `frames`: by the framing that the rule names, or NULL.
WG_INLINE int wg_tell(struct wg_conn* conn, struct wg_scratch* s, u32 slot, u64 wanted, bool has_text,
                      struct task_struct* task, const struct wg_send* send, const struct wg_state* page,
                      struct wg_frames* frames) {
    struct wg_data_event* event = &s->event;
    const enum wg_direction direction = event->direction & 1;
    const bool is_new_turn = WG_ANEW(event->flags) & WG_DATA_TURN_START;
    const u32 size = event->size;
    bool is_io_uring = false;
    s->captured = 0;
#ifndef WG_PLAIN
    if (!has_text && wg_is_told(send)) has_text = wg_text_from_send(&s->text, send);
#endif
    if (has_text) {
        s->captured = wg_copy(s, slot, wanted);
    } else {
        s->text.kind = WG_TEXT_NONE;
#ifndef WG_PLAIN
        is_io_uring = !wg_take(s, slot, conn, task, wanted);
#elif defined(WG_EXITS)
        if (direction == WG_RECEIVE) wg_take_saved(slot, wanted);
#endif
    }
#ifdef WG_FRAMES
    if (frames && !wanted) {
        frames->left -= size;
        frames->position += size;
    }
#endif
    if (!wanted && !is_new_turn) {
        wg_update_tail(conn, slot);
        return 0;
    }
    if (is_new_turn && WG_UNLIKELY(conn->has_tail[direction])) wg_take_tail(conn, slot);
    if (WG_UNLIKELY(is_io_uring) && wg_keep_pending(conn, slot, wanted)) return 0;
    u64 captured = s->captured;
#ifdef WG_FRAMES
    if (frames && wanted && s->text.kind != WG_TEXT_NONE) return wg_report_frames(conn, frames, slot);
#endif
    if (WG_UNLIKELY(s->text.kind == WG_TEXT_NONE)) {
        event->flags |= WG_DATA_UNREADABLE;
        conn->is_cut[direction] = 1;
        wg_count(WG_COUNT_UNREADABLE, 1);
    } else {
        if (WG_UNLIKELY(captured < wanted)) {
            wg_count(WG_COUNT_READ_FAILED, 1);
            conn->is_cut[direction] = 1;
        }
        if (captured < size && wg_copy_tail(slot, size)) {
            event->flags |= WG_DATA_TAIL;
            __builtin_memcpy(event->tail, &s->tail, 8);
        }
    }
    captured = WG_BOUND(captured, WG_TEXT_MAX);
    event->captured = captured;
    event->head.length = sizeof(*event) + captured;
    if (WG_UNLIKELY(!wg_emit(conn->ring, event, sizeof(*event) + captured))) {
        wg_count(WG_COUNT_RING_FULL, 1);
        wg_count(WG_COUNT_RING_FULL_BYTES, size);
        conn->is_cut[direction] = 1;
        if (is_new_turn && wg_is_request_side(conn, direction)) wg_count(WG_COUNT_RING_FULL_TURNS, 1);
    }
    return 0;
}

#ifdef WG_UPROBES
// Apart for the verifier's sake, which would follow each of many ways to get here. It costs 80 ns: nothing beside a
// uprobe.
__noinline int wg_tell_flat(struct wg_conn* conn, u32 slot, u64 wanted) {
    struct wg_scratch* s = wg_scratch_at(slot);
    return conn && s ? wg_tell(conn, s, slot, wanted, true, NULL, NULL, NULL, NULL) : 0;
}
#endif
