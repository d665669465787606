// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// Sockets: every send and receive of watched processes on stream sockets, by whichever hooks load:
// the socket tracepoints (6.3), or ten fexit programs with the same body (kernel-older), and the
// closing of connections. Knows connections, bytes and turns; no protocol.
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

// ---- socket tracepoints (6.3 and later)

SEC("tp_btf/sock_send_length")
int BPF_PROG(send_length, struct sock *sk, int result, int flags) {
    return wg_moved(sk, WG_SEND, result, flags, NULL);
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(receive_length, struct sock *sk, int result, int flags) {
    return wg_moved(sk, WG_RECEIVE, result, flags, NULL);
}

// 6.16: the only hook that tells when a send began; fires again for every buffer that is filled.
SEC("tp_btf/tcp_sendmsg_locked")
int BPF_PROG(send_begin, struct sock *sk) {
    struct wg_conn *conn = bpf_sk_storage_get(&connections, sk, 0, 0);
    if (!conn) {
        if (!wg_is_target(bpf_get_current_pid_tgid() >> 32)) return 0;
        conn = bpf_sk_storage_get(&connections, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
        if (!conn) return 0;
    }
    conn->send_last_ns = bpf_ktime_get_ns();
    if (!conn->send_first_ns) conn->send_first_ns = conn->send_last_ns;
    return 0;
}

// ---- fexit (5.5 and later, where the kernel allows it)

SEC("fexit/inet_sendmsg")
int BPF_PROG(inet_send, struct socket *socket, struct msghdr *message, size_t size, int result) {
    return wg_message(socket, message, WG_SEND, 0, result);
}

SEC("fexit/inet6_sendmsg")
int BPF_PROG(inet6_send, struct socket *socket, struct msghdr *message, size_t size, int result) {
    return wg_message(socket, message, WG_SEND, 0, result);
}

SEC("fexit/inet_recvmsg")
int BPF_PROG(inet_receive, struct socket *socket, struct msghdr *message, size_t size, int flags,
             int result) {
    return wg_message(socket, message, WG_RECEIVE, flags, result);
}

SEC("fexit/inet6_recvmsg")
int BPF_PROG(inet6_receive, struct socket *socket, struct msghdr *message, size_t size, int flags,
             int result) {
    return wg_message(socket, message, WG_RECEIVE, flags, result);
}

SEC("fexit/unix_stream_sendmsg")
int BPF_PROG(unix_send, struct socket *socket, struct msghdr *message, size_t size, int result) {
    return wg_message(socket, message, WG_SEND, 0, result);
}

SEC("fexit/unix_stream_recvmsg")
int BPF_PROG(unix_receive, struct socket *socket, struct msghdr *message, size_t size, int flags,
             int result) {
    return wg_message(socket, message, WG_RECEIVE, flags, result);
}

// Until 6.4 sendfile and splice reach the socket by these. MPTCP has no sendpage of its own and goes
// on to inet_sendmsg, which counts it.
SEC("fexit/inet_sendpage")
int BPF_PROG(inet_send_page, struct socket *socket, struct page *page, int offset, size_t size,
             int flags, ssize_t result) {
    struct sock *sk = socket->sk;
    if (sk->sk_protocol == IPPROTO_MPTCP_) return 0;
    return wg_pages(sk, WG_SEND, result);
}

SEC("fexit/unix_stream_sendpage")
int BPF_PROG(unix_send_page, struct socket *socket, struct page *page, int offset, size_t size,
             int flags, ssize_t result) {
    return wg_pages(socket->sk, WG_SEND, result);
}

SEC("fexit/tcp_splice_read")
int BPF_PROG(tcp_splice, struct socket *socket, loff_t *position, struct pipe_inode_info *pipe,
             size_t size, unsigned int flags, ssize_t result) {
    return wg_pages(socket->sk, WG_RECEIVE, result);
}

SEC("fexit/unix_stream_splice_read")
int BPF_PROG(unix_splice, struct socket *socket, loff_t *position, struct pipe_inode_info *pipe,
             size_t size, unsigned int flags, ssize_t result) {
    return wg_pages(socket->sk, WG_RECEIVE, result);
}

// ---- state of TCP connections

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(set_state, struct sock *sk, int old_state, int new_state) {
    if (new_state == TCP_FIN_WAIT1_) return wg_closed(sk, true);
    if (new_state == TCP_LAST_ACK_ || new_state == TCP_CLOSE_) return wg_closed(sk, wg_has_unread(sk));
    return 0;
}

// The last there is of a TCP socket: nothing can be read any more.
SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(destroyed, struct sock *sk) {
    return wg_closed(sk, false);
}
