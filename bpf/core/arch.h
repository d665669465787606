// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// What differs between processors: where a system call's number and arguments are saved, the
// numbers themselves, and how a 32-bit call is told.
#pragma once

#include "bpf/core/kernel.h"

#if defined(__TARGET_ARCH_x86)

struct pt_regs {
    unsigned long r14, r10, r8, bx, cx, dx, si, di, ax, orig_ax, sp;
} __attribute__((preserve_access_index));

enum wg_syscall {
    WG_SYS_READ = 0,
    WG_SYS_WRITE = 1,
    WG_SYS_READV = 19,
    WG_SYS_WRITEV = 20,
    WG_SYS_SENDTO = 44,
    WG_SYS_RECVFROM = 45,
    WG_SYS_SENDMSG = 46,
    WG_SYS_RECVMSG = 47,
    WG_SYS_RECVMMSG = 299,
    WG_SYS_SENDMMSG = 307,
    WG_SYS_PREADV2 = 327,
    WG_SYS_PWRITEV2 = 328,
    WG_SYS_IO_URING_ENTER = 426,
};

WG_INLINE u64 wg_syscall_number(struct pt_regs* regs) { return regs->orig_ax; }
WG_INLINE u64 wg_argument_1(struct pt_regs* regs) { return regs->di; }
WG_INLINE u64 wg_argument_2(struct pt_regs* regs) { return regs->si; }
WG_INLINE u64 wg_argument_3(struct pt_regs* regs) { return regs->dx; }
WG_INLINE u64 wg_argument_5(struct pt_regs* regs) { return regs->r8; }
// Of a function of the kernel, at its entry and at its return.
WG_INLINE u64 wg_function_argument_1(struct pt_regs* regs) { return regs->di; }
WG_INLINE u64 wg_function_argument_2(struct pt_regs* regs) { return regs->si; }
WG_INLINE u64 wg_function_argument_4(struct pt_regs* regs) { return regs->cx; }
WG_INLINE u64 wg_function_argument_5(struct pt_regs* regs) { return regs->r8; }
WG_INLINE u64 wg_function_result(struct pt_regs* regs) { return regs->ax; }
WG_INLINE u64 wg_stack_pointer(struct pt_regs* regs) { return regs->sp; }
// Of a Go function (ABIInternal); its result stands where its first argument stood.
WG_INLINE u64 wg_go_argument_1(struct pt_regs* regs) { return regs->ax; }
WG_INLINE u64 wg_go_argument_2(struct pt_regs* regs) { return regs->bx; }
WG_INLINE u64 wg_go_argument_3(struct pt_regs* regs) { return regs->cx; }
WG_INLINE u64 wg_goroutine(struct pt_regs* regs) { return regs->r14; }
// By the helper: number and arguments of a system call, by saved registers that are no typed pointer.
#define WG_READ_SAVED(regs, call)                        \
    do {                                                 \
        (call)->number = BPF_CORE_READ(regs, orig_ax);   \
        (call)->arguments[0] = BPF_CORE_READ(regs, di);  \
        (call)->arguments[1] = BPF_CORE_READ(regs, si);  \
        (call)->arguments[2] = BPF_CORE_READ(regs, dx);  \
        (call)->arguments[3] = BPF_CORE_READ(regs, r10); \
    } while (0)
// TS_COMPAT: an int80 or compat call, whose structures have another shape.
WG_INLINE bool wg_is_compat(struct task_struct* task) { return task->thread_info.status & 2; }

#elif defined(__TARGET_ARCH_arm64)

struct pt_regs {
    u64 regs[31];
    u64 sp;
    u64 orig_x0;
    s32 syscallno;
} __attribute__((preserve_access_index));

enum wg_syscall {
    WG_SYS_READ = 63,
    WG_SYS_WRITE = 64,
    WG_SYS_READV = 65,
    WG_SYS_WRITEV = 66,
    WG_SYS_SENDTO = 206,
    WG_SYS_RECVFROM = 207,
    WG_SYS_SENDMSG = 211,
    WG_SYS_RECVMSG = 212,
    WG_SYS_RECVMMSG = 243,
    WG_SYS_SENDMMSG = 269,
    WG_SYS_PREADV2 = 286,
    WG_SYS_PWRITEV2 = 287,
    WG_SYS_IO_URING_ENTER = 426,
};

WG_INLINE u64 wg_syscall_number(struct pt_regs* regs) { return regs->syscallno; }
// The first register also takes the result; this is what the call came with.
WG_INLINE u64 wg_argument_1(struct pt_regs* regs) { return regs->orig_x0; }
WG_INLINE u64 wg_argument_2(struct pt_regs* regs) { return regs->regs[1]; }
WG_INLINE u64 wg_argument_3(struct pt_regs* regs) { return regs->regs[2]; }
WG_INLINE u64 wg_argument_5(struct pt_regs* regs) { return regs->regs[4]; }
WG_INLINE u64 wg_function_argument_1(struct pt_regs* regs) { return regs->regs[0]; }
WG_INLINE u64 wg_function_argument_2(struct pt_regs* regs) { return regs->regs[1]; }
WG_INLINE u64 wg_function_argument_4(struct pt_regs* regs) { return regs->regs[3]; }
WG_INLINE u64 wg_function_argument_5(struct pt_regs* regs) { return regs->regs[4]; }
WG_INLINE u64 wg_function_result(struct pt_regs* regs) { return regs->regs[0]; }
WG_INLINE u64 wg_stack_pointer(struct pt_regs* regs) { return regs->sp; }
WG_INLINE u64 wg_go_argument_1(struct pt_regs* regs) { return regs->regs[0]; }
WG_INLINE u64 wg_go_argument_2(struct pt_regs* regs) { return regs->regs[1]; }
WG_INLINE u64 wg_go_argument_3(struct pt_regs* regs) { return regs->regs[2]; }
WG_INLINE u64 wg_goroutine(struct pt_regs* regs) { return regs->regs[28]; }
#define WG_READ_SAVED(regs, call)                            \
    do {                                                     \
        (call)->number = BPF_CORE_READ(regs, syscallno);     \
        (call)->arguments[0] = BPF_CORE_READ(regs, orig_x0); \
        (call)->arguments[1] = BPF_CORE_READ(regs, regs[1]); \
        (call)->arguments[2] = BPF_CORE_READ(regs, regs[2]); \
        (call)->arguments[3] = BPF_CORE_READ(regs, regs[3]); \
    } while (0)
WG_INLINE bool wg_is_compat(struct task_struct* task) {
    struct thread_info___arm64 {
        unsigned long flags;
    } __attribute__((preserve_access_index));
    return ((struct thread_info___arm64*)&task->thread_info)->flags & (1 << 22);  // TIF_32BIT
}

#else
#error "no system call layout for this processor"
#endif
