// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// Scratch: where a record is built, and the text functions that fill it.
#pragma once

#include "bpf/abi/events.h"
#include "bpf/abi/rules.h"
#include "bpf/core/compat.h"
#include "bpf/lib/framing.h"
#include "bpf/lib/iov.h"
#include "bpf/lib/task.h"
#ifdef WG_EXITS
#include "bpf/lib/blocked.h"
#endif

// Where the vectors that a text has fetched stand in the call.
struct wg_text_place {
    u64 user_vectors;
    u64 at;
    u32 more;
    u32 padding;
};

// How far a call's frames were followed (lib/frames.h). Offsets count from the call's first byte; from `from` to
// `until` is what the next event copies.
struct wg_walk {
    struct wg_framing framing;
    u32 ring;
    struct wg_frames frames;
    u64 position;
    u64 size;
    u64 have;  // so much of the call's front stands in data
    u64 from;
    u64 until;
    u64 at;                       // where the next frame begins
    struct wg_text_place behind;  // at or before `from`, where headers are read ahead
    u8 flags;
    u8 padding[7];
};

// A record under construction: one slot per CPU and direction (per-CPU arrays end at 32 KiB), for each copy of the
// programs. A program that is interrupted on its CPU keeps its slot: where no other is free then, the event is counted
// as lost. What every event needs stands together, and slots are as far apart as pages: a small event touches one.
struct wg_scratch {
    u64 is_busy;
    // Kernel addresses: global functions take no pointers to kernel types.
    u64 message;  // the call's msghdr
    u64 sk;
    u64 captured;
    u64 tail;
    struct wg_owner owner;
    struct wg_text text;
    struct wg_data_event event;
    u8 data[2 * WG_TEXT_MAX];
    struct wg_walk walk;
    u8 padding[4096 - 5 * 8 - sizeof(struct wg_owner) - sizeof(struct wg_text) - sizeof(struct wg_data_event) -
               sizeof(struct wg_walk)];
};
_Static_assert(sizeof(struct wg_scratch) % 4096 == 0, "slots begin at the same place of a page");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 2);  // set at load: twice the possible CPUs, times the copies
    __type(key, u32);
    __type(value, struct wg_scratch);
} scratch SEC(".maps");

WG_INLINE struct wg_scratch* wg_scratch_at(u32 slot) { return bpf_map_lookup_elem(&scratch, &slot); }

#if !defined(WG_PLAIN) || defined(WG_UPROBES)
#define WG_SEVERAL_SLOTS  // 5.12
// The first free one of the slots from this on, of those for the copies; marked busy. Negative: there is none. Whoever
// is preempted between looking and marking must not take it as well.
WG_COLD int wg_take_one_of(u32 slot) {
    for (u32 i = 0; i < WG_COPIES && i < settings.copies; i++) {
        struct wg_scratch* s = wg_scratch_at(slot + i);
        if (s && __sync_val_compare_and_swap(&s->is_busy, 0, 1) == 0) return slot + i;
    }
    return -1;
}
#endif

// A slot of this CPU and direction, marked busy. NULL: programs that were interrupted have it.
WG_INLINE struct wg_scratch* wg_take_scratch(enum wg_direction direction, u32* slot) {
    *slot = 2 * bpf_get_smp_processor_id() + direction;
#ifdef WG_SEVERAL_SLOTS
    if (settings.copies > 1) {
        *slot = wg_take_one_of(*slot * settings.copies);
        return wg_scratch_at(*slot);
    }
#endif
    struct wg_scratch* s = wg_scratch_at(*slot);
    if (!s || WG_UNLIKELY(s->is_busy)) return NULL;
    s->is_busy = 1;
    return s;
}

// Global functions: the verifier looks at each once, not at every way to reach it.

__noinline u32 wg_copy_text(u32 slot, u64 want) {
    struct wg_scratch* s = bpf_map_lookup_elem(&scratch, &slot);
    return s ? wg_text_copy(&s->text, want, s->data) : 0;
}

// The same, without a call for what stands in one piece, or in a head and a body.
WG_INLINE u64 wg_copy(struct wg_scratch* s, u32 slot, u64 want) {
    const struct wg_text* text = &s->text;
    u64 first = want;
    u64 base = text->base;
    if (!WG_IS_FLAT(text)) {
        const u64 size = text->vectors[0].size;
        if (text->kind != WG_TEXT_VECTORS || text->count != 2 || text->skip >= size) return wg_copy_text(slot, want);
        base = text->vectors[0].base;
        if (first > size - text->skip) first = size - text->skip;
    }
    first = WG_BOUND(first, WG_TEXT_MAX);
    if (!first || bpf_probe_read_user(s->data, first, (void*)(base + text->skip))) return 0;
    if (WG_LIKELY(first >= want)) return first;
    u64 second = want - first;
    if (second > text->vectors[1].size) second = text->vectors[1].size;
    second = WG_BOUND(second, WG_TEXT_MAX);
    if (second && bpf_probe_read_user(s->data + first, second, (void*)text->vectors[1].base)) return first;
    return first + second;
}

__noinline u32 wg_seek_text(u32 slot, u64 end) {
    struct wg_scratch* s = bpf_map_lookup_elem(&scratch, &slot);
    if (s) wg_text_seek(&s->text, end);
    return 0;
}

__noinline u32 wg_copy_tail(u32 slot, u64 size) {
    struct wg_scratch* s = bpf_map_lookup_elem(&scratch, &slot);
    if (!s) return 0;
    if (!WG_IS_FLAT(&s->text) && s->text.kind == WG_TEXT_VECTORS && s->text.more)
        wg_seek_text(slot, s->text.skip + size);
    return wg_text_tail(&s->text, size, &s->tail);
}

__noinline u32 wg_find_in_message(u32 slot, u64 moved) {
    struct wg_scratch* s = bpf_map_lookup_elem(&scratch, &slot);
    if (s) wg_text_from_message(&s->text, (struct msghdr*)s->message, moved);
    return 0;
}

#ifndef WG_PLAIN
enum wg_taken : u32 {
    WG_TAKEN,           // what there is to read was copied
    WG_TAKEN_IO_URING,  // moved by io_uring, whose buffer the registers do not tell
    WG_TAKEN_MESSAGES,  // one of several messages: wg_take_message, once it is known which
};

// True when the bytes at the socket `sk` are moved by io_uring: in its own call, by its worker, or
// while the task is on its way out of any other call.
WG_INLINE bool wg_is_io_uring(struct task_struct* task, struct pt_regs* regs, u64 sk) {
    if (task->flags & (PF_IO_WORKER_ | PF_USER_WORKER_)) return true;
    if (!bpf_core_field_exists(task->io_uring) || !task->io_uring) return false;
    if (wg_syscall_number(regs) == WG_SYS_IO_URING_ENTER) return true;
    return wg_socket_of(task, wg_argument_1(regs)) != sk;
}

// True for the calls that most programs make, which name one buffer, where io_uring is not used.
WG_INLINE bool wg_is_plain_call(struct task_struct* task, struct pt_regs* regs) {
    if (task->flags & (PF_KTHREAD_ | PF_USER_WORKER_ | PF_IO_WORKER_) || wg_is_compat(task)) return false;
    if (bpf_core_field_exists(task->io_uring) && task->io_uring) return false;
    const u64 number = wg_syscall_number(regs);
    return number == WG_SYS_READ || number == WG_SYS_RECVFROM || number == WG_SYS_WRITE || number == WG_SYS_SENDTO;
}

// Copies the first `want` bytes that the current system call moves at s->sk.
__noinline u32 wg_take_text(u32 slot, u64 want) {
    struct wg_scratch* s = bpf_map_lookup_elem(&scratch, &slot);
    if (!s) return WG_TAKEN;
    struct task_struct* task = bpf_get_current_task_btf();
    struct pt_regs* regs = (struct pt_regs*)bpf_task_pt_regs(task);
    if (wg_is_io_uring(task, regs, s->sk)) return WG_TAKEN_IO_URING;
    const u64 number = wg_syscall_number(regs);
    if (number == WG_SYS_SENDMMSG || number == WG_SYS_RECVMMSG) return WG_TAKEN_MESSAGES;
    wg_text_from_registers(&s->text, task, regs, 0);
    s->captured = wg_copy_text(slot, want);
    return WG_TAKEN;
}

__noinline u32 wg_take_message(u32 slot, u64 want, u32 message) {
    struct wg_scratch* s = bpf_map_lookup_elem(&scratch, &slot);
    if (!s) return 0;
    struct task_struct* task = bpf_get_current_task_btf();
    wg_text_from_registers(&s->text, task, (struct pt_regs*)bpf_task_pt_regs(task), message);
    s->captured = wg_copy_text(slot, want);
    return 0;
}
#endif

#if defined(WG_PLAIN) && defined(WG_EXITS)
// Copies the first `want` bytes that the system call, a receive, has brought: for threads that had been blocked in it.
__noinline u32 wg_take_saved(u32 slot, u64 want) {
    struct wg_scratch* s = bpf_map_lookup_elem(&scratch, &slot);
    if (!s) return 0;
    struct wg_saved call;
    const struct pt_regs* regs = wg_own_registers();
    WG_READ_SAVED(regs, &call);
    s->text.kind = WG_TEXT_NONE;
    s->text.skip = 0;
    s->text.more = 0;
    if (call.number == WG_SYS_READ || call.number == WG_SYS_RECVFROM) {
        s->text.kind = WG_TEXT_FLAT;
        s->text.base = call.arguments[1];
    } else if (call.number == WG_SYS_RECVMSG) {
        struct wg_user_msghdr header;
        if (bpf_probe_read_user(&header, sizeof(header), (void*)call.arguments[1])) return 0;
        wg_text_vectors(&s->text, header.vectors, header.count);
    } else if (call.number != WG_SYS_RECVMMSG) {
        wg_text_vectors(&s->text, call.arguments[1], call.arguments[2]);
    }
    s->captured = wg_copy_text(slot, want);
    return 0;
}
#endif
