// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// Sockets: every send and receive of watched processes on stream sockets, by the socket tracepoints (6.3), and
// the closing of connections. Knows connections, bytes and turns; no protocol. The same body behind other hooks:
// sockets_exits.bpf.c and sockets_plain.bpf.c.
#define WG_CAST
#include "bpf/abi/events.h"
#include "bpf/abi/rules.h"
#include "bpf/core/arch.h"
#include "bpf/core/kernel.h"
#include "bpf/core/ring.h"
#include "bpf/lib/conn.h"
#include "bpf/lib/iov.h"
#include "bpf/lib/report.h"
#include "bpf/lib/task.h"

char _license[] SEC("license") = "Dual BSD/GPL";

SEC("tp_btf/sock_send_length")
int BPF_PROG(send_length, struct sock* sk, int result, int flags) { return wg_moved(sk, WG_SEND, result, flags, NULL); }

SEC("tp_btf/sock_recv_length")
int BPF_PROG(receive_length, struct sock* sk, int result, int flags) {
    return wg_moved(sk, WG_RECEIVE, result, flags, NULL);
}

// 6.16: the only hook that tells when a send began, under the socket's lock; fires again for every buffer
// that is filled.
SEC("tp_btf/tcp_sendmsg_locked")
int BPF_PROG(send_begin, struct sock* sk, struct msghdr* message) {
    struct task_struct* task = wg_current_task();
    if (!wg_may_be_target(wg_get_state(), wg_current_tgid(task))) return 0;
    struct wg_conn* conn = wg_conn_find(sk);
    if (WG_UNLIKELY(!conn)) {
        if (!wg_is_target(wg_current_tgid(task))) return 0;
        conn = wg_conn_create(sk);
        if (!conn) return 0;
    }
    const u32 thread = wg_current_thread(task);
    struct wg_send* found = wg_send_of(&conn->send, conn->is_crowded, thread);
    const u16 left = message->msg_iter.count;
    if (found && settings.copy && found->left == left) return 0;  // another copy was here
    const u64 now = bpf_ktime_get_ns();
    if (WG_UNLIKELY(!conn->is_open)) wg_open_early(sk, conn, task, now);
    if (found) {
        found->left = left;
        found->last_ns = now;
        return 0;
    }
    struct tcp_sock* tcp = wg_tcp_of(sk);
    if (!tcp) return 0;
    if (WG_LIKELY(!conn->send.first_ns)) {
        wg_send_begins(&conn->send, thread, tcp->write_seq, message, now);
        return 0;
    }
    struct wg_send crowded = {};
    wg_send_begins(&crowded, thread, tcp->write_seq, message, now);
    conn->is_crowded = 1;
    bpf_map_update_elem(&crowded_sends, &thread, &crowded, BPF_ANY);
    return 0;
}

// 6.4, where queue time is asked for: bytes have come, before anyone reads them. Whose they will be is
// not known yet (the connection may wait to be accepted), so every server's connection is remembered.
SEC("tp_btf/sk_data_ready")
int BPF_PROG(arrival, struct sock* sk) {
    u8 kind;
    if (!wg_is_stream(sk, &kind) || kind != WG_TCP || sk->__sk_common.skc_state == TCP_LISTEN_ ||
        (!wg_conn_find(sk) && wg_role_of(sk, kind) != WG_ROLE_SERVER))
        return 0;
    struct wg_conn* conn = wg_conn_create(sk);
    if (conn && !conn->arrived_ns) conn->arrived_ns = bpf_ktime_get_ns();
    return 0;
}

#include "bpf/capture/socket_states.h"
