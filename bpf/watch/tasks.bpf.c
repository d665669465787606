// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// Tasks: which process of the agent's pid namespace is which of the kernel's. An agent that lives in a
// container sees its own numbers in /proc; targets are by the kernel's.
#include "bpf/abi/events.h"
#include "bpf/core/kernel.h"
#include "bpf/lib/blocked.h"
#include "bpf/lib/task.h"

char _license[] SEC("license") = "Dual BSD/GPL";

struct seq_file;
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct bpf_iter_meta {
    struct seq_file* seq;
};
struct bpf_iter__task {
    struct bpf_iter_meta* meta;
    struct task_struct* task;
};
#pragma clang attribute pop

SEC("iter/task")
int list_tasks(struct bpf_iter__task* context) {
    struct task_struct* task = context->task;
    if (!task || task->pid != task->tgid) return 0;
    const struct wg_task_numbers numbers = {.pid = wg_agent_pid(task), .kernel_tgid = task->tgid};
    if (numbers.pid) bpf_seq_write(context->meta->seq, &numbers, sizeof(numbers));
    return 0;
}

// Threads whose system call is a receive: most are blocked in it. Those that are not are told apart when they read.
SEC("iter/task")
int list_blocked(struct bpf_iter__task* context) {
    struct task_struct* task = context->task;
    if (!task) return 0;
    struct wg_saved call;
    u32 flags;
    const struct pt_regs* regs = WG_SAVED_REGISTERS(task, task);
    WG_READ_SAVED(regs, &call);
    const u32 thread = task->pid;
    if (wg_receive_flags(&call, &flags)) bpf_map_update_elem(&blocked, &thread, &flags, BPF_ANY);
    return 0;
}
