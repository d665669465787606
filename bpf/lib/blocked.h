// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// Threads that wait in a receive call when the hooks come: no hook at the function's exit runs for them, since they are
// past its entry. Listed once (watch/tasks.bpf.c), each is told by tcp_cleanup_rbuf, which every TCP receive ends with.
// For UNIX and MPTCP nothing tells: that one receive is a gap.
#pragma once

#include "bpf/core/arch.h"
#include "bpf/core/kernel.h"

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 8192);
    __type(key, u32);
    __type(value, u32);
} blocked SEC(".maps");

// The system call that the task is in, or was last.
struct wg_saved {
    u64 number;
    u64 arguments[4];
};

enum { WG_STACK_BYTES = 16384 };  // of the kernel, on both processors before 5.15

// `task` is of a type that the helper takes (5.15); `plain` is the same.
#define WG_SAVED_REGISTERS(task, plain)                                                                         \
    (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs)                                        \
         ? (struct pt_regs*)bpf_task_pt_regs(task)                                                              \
         : (struct pt_regs*)((u64)BPF_CORE_READ((struct task_struct___stack*)(plain), stack) + WG_STACK_BYTES - \
                             bpf_core_type_size(struct pt_regs)))

struct task_struct___stack {
    void* stack;
} __attribute__((preserve_access_index));

WG_INLINE struct pt_regs* wg_own_registers(void) {
    return WG_SAVED_REGISTERS(bpf_get_current_task_btf(), bpf_get_current_task());
}

// The flags of a receive call; false: it is another call.
WG_INLINE bool wg_receive_flags(const struct wg_saved* call, u32* flags) {
    *flags = 0;
    switch (call->number) {
        case WG_SYS_READ:
        case WG_SYS_READV:
        case WG_SYS_PREADV2:
            return true;
        case WG_SYS_RECVFROM:
        case WG_SYS_RECVMMSG:
            *flags = call->arguments[3];
            return true;
        case WG_SYS_RECVMSG:
            *flags = call->arguments[2];
            return true;
        default:
            return false;
    }
}
