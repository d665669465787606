// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// Scratch: where a record is built, and the text functions that fill it.
#pragma once

#include "bpf/abi/events.h"
#include "bpf/core/compat.h"
#include "bpf/lib/iov.h"
#include "bpf/lib/task.h"

// A record under construction: one slot per CPU and direction (per-CPU arrays end at 32 KiB). On
// preemptible kernels a fexit program may be interrupted by another on its CPU: that one finds the
// slot busy, and its event is counted as lost.
struct wg_scratch {
    struct wg_data_event event;
    u8 data[2 * WG_TEXT_MAX];
    struct wg_text text;
    u64 tail;
    // Kernel addresses: global functions take no pointers to kernel types.
    u64 message;  // the call's msghdr
    u64 sk;
    u64 is_busy;
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 2);  // set at load: twice the possible CPUs
    __type(key, u32);
    __type(value, struct wg_scratch);
} scratch SEC(".maps");

// Global functions: the verifier looks at each once, not at every way to reach it.

__noinline u32 wg_copy_text(u32 slot, u64 want) {
    struct wg_scratch *s = bpf_map_lookup_elem(&scratch, &slot);
    return s ? wg_text_copy(&s->text, want, s->data) : 0;
}

__noinline u32 wg_copy_tail(u32 slot, u64 size) {
    struct wg_scratch *s = bpf_map_lookup_elem(&scratch, &slot);
    return s && wg_text_tail(&s->text, size, &s->tail);
}

__noinline u32 wg_find_in_message(u32 slot, u64 moved) {
    struct wg_scratch *s = bpf_map_lookup_elem(&scratch, &slot);
    if (s) wg_text_from_message(&s->text, (struct msghdr *)s->message, moved);
    return 0;
}

#ifndef WG_PLAIN
__noinline u32 wg_find_in_registers(u32 slot, u32 message) {
    struct wg_scratch *s = bpf_map_lookup_elem(&scratch, &slot);
    if (s) wg_text_from_registers(&s->text, bpf_get_current_task_btf(), message);
    return 0;
}

// True when the bytes at s->sk are moved by io_uring: in its own call, by its worker, or while
// the task is on its way out of any other call.
__noinline u32 wg_is_io_uring(u32 slot) {
    struct wg_scratch *s = bpf_map_lookup_elem(&scratch, &slot);
    if (!s) return 0;
    struct task_struct *task = bpf_get_current_task_btf();
    if (task->flags & (PF_IO_WORKER_ | PF_USER_WORKER_)) return 1;
    if (!bpf_core_field_exists(task->io_uring) || !task->io_uring) return 0;
    struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
    if (wg_syscall_number(regs) == WG_SYS_IO_URING_ENTER) return 1;
    return wg_socket_of(task, wg_argument_1(regs)) != s->sk;
}
#endif
