// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// Processes: exec, fork, exit and listen, as they happen. A child of a watched process, a process that
// listens where asked, and one whose program may be wanted become targets here, before user space has
// heard of them; the event says so, and user space takes back what it does not want.
#include "bpf/abi/events.h"
#include "bpf/abi/rules.h"
#include "bpf/core/kernel.h"
#include "bpf/core/ring.h"
#include "bpf/lib/task.h"

char _license[] SEC("license") = "Dual BSD/GPL";

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 512 * 1024);
} process_ring SEC(".maps");

// Few and short: the reader is woken for each. `size` is the whole, or WG_PROCESS_SHORT.
WG_INLINE struct wg_process_event* wg_reserve(enum wg_event_type type, struct task_struct* task, const u32 size) {
    struct wg_process_event* event = bpf_ringbuf_reserve(&process_ring, size, 0);
    if (!event) {
        wg_count(WG_COUNT_RING_FULL_PROCESS, 1);
        return NULL;
    }
    __builtin_memset(event, 0, size);
    event->head.type = type;
    event->head.version = WG_EVENT_VERSION;
    event->head.length = size;
    event->head.time_ns = bpf_ktime_get_ns();
    event->start_ns = BPF_CORE_READ(task, group_leader, start_boottime);
    event->pid = wg_agent_pid(task);
    event->kernel_tgid = BPF_CORE_READ(task, tgid);
    struct task_struct* parent = BPF_CORE_READ(task, real_parent);
    event->parent_kernel_tgid = BPF_CORE_READ(parent, tgid);
    event->parent_pid = wg_agent_pid(parent);
    event->cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
    event->netns = BPF_CORE_READ(task, nsproxy, net_ns, ns.inum);
    struct inode* inode = BPF_CORE_READ(task, mm, exe_file, f_inode);
    event->exe_inode = BPF_CORE_READ(inode, i_ino);
    event->exe_device = BPF_CORE_READ(inode, i_sb, s_dev);
    return event;
}

// 0, or why it is not there. User space may take it away or add it meanwhile.
WG_INLINE long wg_put_target(u32 kernel_tgid, const struct wg_target* target) {
    struct wg_state* page = wg_get_state();
    if (!page) return -1;
    u32* slot = &page->target_slots[kernel_tgid % WG_TARGET_SLOTS];
    long error = 0;
    for (u32 i = 0; i < 2; i++) {
        __sync_fetch_and_add(slot, 1);
        if (bpf_map_update_elem(&targets, &kernel_tgid, target, BPF_NOEXIST) == 0) return 0;
        __sync_fetch_and_add(slot, -1);
        error = bpf_map_update_elem(&targets, &kernel_tgid, target, BPF_EXIST);
        if (!error) return 0;
    }
    return error;
}

// A process that the agent's pid namespace does not hold is nobody's: user space could not say what it is.
WG_INLINE void wg_add_target(struct task_struct* task, u32 flags) {
    const u32 kernel_tgid = BPF_CORE_READ(task, tgid);
    if (!wg_agent_pid(task)) return;
    const struct wg_target target = {.flags = flags};
    if (wg_put_target(kernel_tgid, &target)) wg_count(WG_COUNT_TARGET_FAILED, 1);
}

WG_INLINE void wg_submit(struct wg_process_event* event) {
    const u32 kernel_tgid = event->kernel_tgid;
    const struct wg_target* target = bpf_map_lookup_elem(&targets, &kernel_tgid);
    if (target) event->target_flags = target->flags;
    bpf_ringbuf_submit(event, 0);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(process_exec, struct task_struct* task, int old_pid, struct linux_binprm* binary) {
    struct wg_process_event* event = wg_reserve(WG_EVENT_EXEC, task, sizeof(struct wg_process_event));
    if (!event) return 0;
    // Only with an event does user space come to judge it.
    const struct wg_state* page = wg_get_state();
    if (page && page->select_execs) wg_add_target(task, WG_TARGET_SELECTED | WG_TARGET_CHILDREN);
    bpf_probe_read_kernel_str(event->path, sizeof(event->path), BPF_CORE_READ(binary, filename));
    const u64 from = BPF_CORE_READ(task, mm, arg_start);
    const u64 size = WG_BOUND(BPF_CORE_READ(task, mm, arg_end) - from, WG_ARGS_MAX);
    if (bpf_probe_read_user(event->args, size, (void*)from) == 0) event->args_size = size;
    wg_submit(event);
    return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(process_fork, struct task_struct* parent, struct task_struct* child) {
    const u32 tgid = child->tgid;
    const u32 parent_tgid = parent->tgid;
    if (tgid == parent_tgid || child->pid != child->tgid) return 0;  // a thread
    const struct wg_target* inherited = bpf_map_lookup_elem(&targets, &parent_tgid);
    if (inherited && inherited->flags & WG_TARGET_CHILDREN) wg_add_target(child, inherited->flags);
    struct wg_process_event* event = wg_reserve(WG_EVENT_FORK, child, WG_PROCESS_SHORT);
    if (!event) return 0;
    event->parent_kernel_tgid = parent_tgid;
    event->parent_pid = wg_agent_pid(parent);
    wg_submit(event);
    return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(process_exit, struct task_struct* task) {
    if (BPF_CORE_READ(task, signal, live.counter) > 0) return 0;  // other threads live on
    const u32 tgid = task->tgid;
    if (bpf_map_delete_elem(&targets, &tgid) == 0) {
        // Its number may come again while a connection of its lives on.
        struct wg_state* page = wg_get_state();
        if (page) {
            __sync_fetch_and_add(&page->target_slots[tgid % WG_TARGET_SLOTS], -1);
            __sync_fetch_and_add(&page->target_generation, 1);
        }
    }
    struct wg_process_event* event = wg_reserve(WG_EVENT_EXIT, task, WG_PROCESS_SHORT);
    if (event) bpf_ringbuf_submit(event, 0);
    return 0;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(process_listen, struct sock* sk, int old_state, int new_state) {
    if (new_state != TCP_LISTEN_) return 0;
    struct task_struct* task = (struct task_struct*)bpf_get_current_task();  // 5.10 has no typed one
    const u16 port = sk->__sk_common.skc_num;
    const struct wg_state* page = wg_get_state();
    const u32 tgid = bpf_get_current_pid_tgid() >> 32;
    const struct wg_target* target = bpf_map_lookup_elem(&targets, &tgid);
    if (page && !target && (page->select_listeners || page->listen_ports[(port >> 6) & 1023] & (1ull << (port & 63))))
        wg_add_target(task, WG_TARGET_SELECTED | WG_TARGET_CHILDREN);
    struct wg_process_event* event = wg_reserve(WG_EVENT_LISTEN, task, WG_PROCESS_SHORT);
    if (!event) return 0;
    event->port = port;
    wg_submit(event);
    return 0;
}
