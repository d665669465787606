// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// The states of TCP connections, for each object that captures. Included once by each, after the license.
#pragma once

#include "bpf/core/kernel.h"
#include "bpf/lib/close.h"

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(set_state, struct sock* sk, int old_state, int new_state) {
    if (new_state == TCP_FIN_WAIT1_) return wg_closed(sk, true);
    if (new_state == TCP_LAST_ACK_ || new_state == TCP_CLOSE_) return wg_closed(sk, wg_has_unread(sk));
    return 0;
}

// The last there is of a TCP socket: nothing can be read any more.
SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(destroyed, struct sock* sk) { return wg_closed(sk, false); }
