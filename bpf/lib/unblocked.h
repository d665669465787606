// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// Unblocked: what a thread has received that was blocked when the hooks came (lib/blocked.h).
#pragma once

#include "bpf/lib/blocked.h"
#include "bpf/lib/report.h"

// tcp_cleanup_rbuf: the first receive of a thread that was in it when the hooks came. Whether it was this socket's is
// told by the call's descriptor (MPTCP's own sockets come by here, too).
WG_INLINE int wg_unblocked(struct sock* sk, int copied) {
    const u32 thread = bpf_get_current_pid_tgid();
    if (copied <= 0 || WG_LIKELY(!bpf_map_lookup_elem(&blocked, &thread))) return 0;
    bpf_map_delete_elem(&blocked, &thread);
    struct wg_saved call;
    const struct pt_regs* regs = wg_own_registers();
    WG_READ_SAVED(regs, &call);
    u32 flags;
    struct task_struct* task = wg_current_task();
    const struct wg_state* page = wg_get_state();
    if (!page || !wg_receive_flags(&call, &flags) || wg_socket_of(task, call.arguments[0]) != (u64)sk) return 0;
    wg_moved_once(sk, WG_RECEIVE, copied, flags, NULL, task, page);
    struct wg_conn* conn = wg_conn_find(sk);
    if (conn) conn->has_early = 1;
    return 0;
}
