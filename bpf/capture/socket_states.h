// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// The states of TCP connections, for each object that captures. Included once by each, after the license.
#pragma once

#include "bpf/core/kernel.h"
#include "bpf/lib/close.h"

// A listener's new connection. Most say by their backlog that they were accepted; those of listen(…, 0) are remembered.
WG_INLINE int wg_accepted(struct sock* sk) {
    if (WG_LIKELY(WG_GET(sk, sk_max_ack_backlog))) return 0;
    struct wg_conn* conn = wg_conn_create(sk);
    if (conn) conn->is_accepted = 1;
    return 0;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(set_state, struct sock* sk, int old_state, int new_state) {
    if (old_state == TCP_LISTEN_ && new_state == TCP_SYN_RECV_) return wg_accepted(sk);
    if (new_state != TCP_FIN_WAIT1_ && new_state != TCP_LAST_ACK_ && new_state != TCP_CLOSE_) return 0;
    return wg_closed(sk, new_state == TCP_FIN_WAIT1_  ? WG_END_OF_SENDING
                         : new_state == TCP_LAST_ACK_ ? WG_END_BY_BOTH
                                                      : WG_END_OF_STATES);
}

// The last there is of a TCP socket: nothing can be read any more.
SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(destroyed, struct sock* sk) { return wg_closed(sk, WG_END_OF_ALL); }
