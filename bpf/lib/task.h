// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// Tasks: which process is this, as the agent numbers it, and is it one that we watch.
#pragma once

#include "bpf/abi/rules.h"
#include "bpf/core/arch.h"
#include "bpf/core/kernel.h"
#include "bpf/core/ring.h"
#include "bpf/core/settings.h"

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 65536);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, u32);
    __type(value, struct wg_target);
} targets SEC(".maps");

struct wg_owner {
    u64 start_ns;  // CLOCK_BOOTTIME
    u32 tgid;      // the kernel's number
    u32 pid;       // in the agent's pid namespace
};

// No: it is none. This is what every call on a socket of the whole host pays.
WG_INLINE bool wg_may_be_target(const struct wg_state* page, u32 kernel_tgid) {
    return page && page->target_slots[kernel_tgid % WG_TARGET_SLOTS];
}

WG_INLINE bool wg_is_target(u32 kernel_tgid) {
    if (!wg_may_be_target(wg_get_state(), kernel_tgid)) return false;
    const struct wg_target* target = bpf_map_lookup_elem(&targets, &kernel_tgid);
    return target && target->flags & WG_TARGET_SELECTED;
}

WG_INLINE u32 wg_current_tgid(struct task_struct* task) {
#ifdef WG_PLAIN
    return bpf_get_current_pid_tgid() >> 32;
#else
    return task->tgid;
#endif
}

WG_INLINE u32 wg_current_thread(struct task_struct* task) {
#ifdef WG_PLAIN
    return bpf_get_current_pid_tgid();
#else
    return task->pid;
#endif
}

// When its process started, on CLOCK_BOOTTIME.
WG_INLINE u64 wg_start_time(struct task_struct* task) {
    struct task_struct* leader = WG_GET(task, group_leader);
    return WG_GET(leader, start_boottime);
}

// How deep pid namespaces are looked through for the agent's.
enum { WG_PID_LEVELS = 8 };

// The process's number in the agent's pid namespace, 0 when it is not in there.
WG_INLINE u32 wg_agent_pid(struct task_struct* task) {
    if (settings.agent_pid_namespace == 0) return BPF_CORE_READ(task, tgid);
    struct pid* pid = BPF_CORE_READ(task, signal, pids[1]);
    const u32 deepest = pid ? BPF_CORE_READ(pid, level) : 0;
    for (u32 level = 1; level < WG_PID_LEVELS; level++) {
        if (level > deepest) return 0;
        struct upid number;
        const u64 at = (u64)bpf_core_field_offset(struct pid, numbers) + (u64)level * bpf_core_type_size(struct upid);
        if (bpf_probe_read_kernel(&number, sizeof(number), (void*)pid + at)) return 0;
        if (BPF_CORE_READ(number.ns, ns.inum) == settings.agent_pid_namespace) return number.nr;
    }
    return 0;
}

WG_INLINE u32 wg_current_agent_pid(struct task_struct* task) {
    if (settings.agent_pid_namespace == 0) return wg_current_tgid(task);
    return wg_agent_pid(task);
}

// The socket behind a file descriptor of the task, 0 when it is none.
WG_INLINE u64 wg_socket_of(struct task_struct* task, u64 fd) {
    struct fdtable* table = BPF_CORE_READ(task, files, fdt);
    if (!table || fd >= BPF_CORE_READ(table, max_fds)) return 0;
    struct file** files = BPF_CORE_READ(table, fd);
    struct file* file = NULL;
    if (bpf_probe_read_kernel(&file, sizeof(file), files + fd) || !file) return 0;
    struct socket* socket = BPF_CORE_READ(file, private_data);
    return (u64)BPF_CORE_READ(socket, sk);
}
