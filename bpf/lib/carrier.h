// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// Carriers: connections whose bytes are another one's. User space mutes them once it has seen what they are; one that
// begins while nothing is told is looked at here, so that TLS's records are not counted for requests.
#pragma once

#include "bpf/lib/conn.h"
#include "bpf/lib/scratch.h"

// A handshake's record: its type, and a version that begins with 3.
enum { WG_CARRIER_TYPE = 22, WG_CARRIER_VERSION = 3 };

// Of the first bytes of a connection, which the current call has moved at s->sk, and of which s->text tells where they
// are, or nothing does but the registers. It calls none of those that copy: the stack has no room for them.
WG_COLD int wg_look_for_carrier(struct wg_conn* conn, u32 slot) {
    struct wg_scratch* s = wg_scratch_at(slot);
    if (!conn || !s) return 0;
    struct wg_text* text = &s->text;
#ifndef WG_PLAIN
    if (text->kind == WG_TEXT_NONE) {
        struct task_struct* task = bpf_get_current_task_btf();
        struct pt_regs* regs = (struct pt_regs*)bpf_task_pt_regs(task);
        if (!wg_is_io_uring(task, regs, s->sk)) wg_text_from_registers(text, task, regs, 0);
    }
#endif
    if (text->kind == WG_TEXT_NONE) return 0;
    u64 base = text->base;
    if (text->kind == WG_TEXT_VECTORS) base = text->vectors[0].base;
    u8 front[2] = {};
    if (bpf_probe_read_user(front, sizeof(front), (void*)(base + text->skip))) return 0;
    conn->is_carrier = front[0] == WG_CARRIER_TYPE && front[1] == WG_CARRIER_VERSION;
    return 0;
}
