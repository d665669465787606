// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// Copies: a kernel that preempts a program runs it for nobody else on that processor until the thread that waits in it
// goes on, and other threads' calls would be missed. Each copy of a program counts for itself there, so where that may
// be user space loads several (sensors/capture.cc): the first that runs for a call tells of it, and leaves a mark at
// its thread for the others. Not for WG_PLAIN.
#pragma once

#include "bpf/core/kernel.h"
#include "bpf/core/ring.h"
#include "bpf/core/settings.h"
#include "bpf/lib/mark.h"
#include "bpf/lib/task.h"

#ifdef WG_PLAIN

WG_INLINE bool wg_is_of_other_copy(struct sock* sk, u32 direction, s64 result) { return false; }

#else

// Of threads of watched processes.
struct {
    __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct wg_mark);
} marks SEC(".maps");

// True: the thread's copies before this one have run for what it does to `object`, or they alone see to it.
WG_INLINE bool wg_runs_again(void* object, u32 direction, s32 result, bool is_call) {
    struct task_struct* task = bpf_get_current_task_btf();
    struct wg_mark* mark = bpf_task_storage_get(&marks, task, 0, 0);
    if (WG_UNLIKELY(!mark)) {
        // Only the first one goes on where nothing is told of the process, or where nobody could know whether it ran.
        if (!wg_is_target(task->tgid)) return settings.copy != 0;
        mark = bpf_task_storage_get(&marks, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
        if (!mark) {
            wg_count(WG_COUNT_STORAGE_FAILED, 1);
            return settings.copy != 0;
        }
    }
    const bool is_new = wg_mark_is_new(mark, settings.copy, (u64)object, direction, result);
    if (!is_call) return !is_new;
    // The calls that no copy has run for are the copies' misses less what the others saw (missed_by_all in
    // sensors/copies.h). The call first, so that a sum that is read meanwhile is never too high.
    if (is_new) wg_count(WG_COUNT_CALLS, 1);
    wg_count(WG_COUNT_RUNS + settings.copy, 1);
    return !is_new;
}

static __attribute__((noinline)) bool wg_moves_again(struct sock* sk, u32 direction, s32 result) {
    return wg_runs_again(sk, direction, result, true);
}

// True: another copy sees to what the current thread's call has moved.
WG_INLINE bool wg_is_of_other_copy(struct sock* sk, u32 direction, s64 result) {
    return settings.copies > 1 && wg_moves_again(sk, direction, result);
}

#endif
