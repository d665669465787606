// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// Socket exits: the ten fexit programs on socket operations and the one for threads that they miss, for the object with
// typed pointers and for the plain one. Included once by each, after the license.
#pragma once

#include "bpf/core/kernel.h"
#include "bpf/lib/report.h"
#include "bpf/lib/unblocked.h"

SEC("fexit/inet_sendmsg")
int BPF_PROG(inet_send, struct socket* socket, struct msghdr* message, size_t size, int result) {
    return wg_message(socket, message, WG_SEND, 0, result);
}

SEC("fexit/inet6_sendmsg")
int BPF_PROG(inet6_send, struct socket* socket, struct msghdr* message, size_t size, int result) {
    return wg_message(socket, message, WG_SEND, 0, result);
}

SEC("fexit/inet_recvmsg")
int BPF_PROG(inet_receive, struct socket* socket, struct msghdr* message, size_t size, int flags, int result) {
    return wg_message(socket, message, WG_RECEIVE, flags, result);
}

SEC("fexit/inet6_recvmsg")
int BPF_PROG(inet6_receive, struct socket* socket, struct msghdr* message, size_t size, int flags, int result) {
    return wg_message(socket, message, WG_RECEIVE, flags, result);
}

SEC("fexit/unix_stream_sendmsg")
int BPF_PROG(unix_send, struct socket* socket, struct msghdr* message, size_t size, int result) {
    return wg_message(socket, message, WG_SEND, 0, result);
}

SEC("fexit/unix_stream_recvmsg")
int BPF_PROG(unix_receive, struct socket* socket, struct msghdr* message, size_t size, int flags, int result) {
    return wg_message(socket, message, WG_RECEIVE, flags, result);
}

// Until 6.4 sendfile and splice reach the socket by these. MPTCP has no sendpage of its own and goes
// on to inet_sendmsg, which counts it.
SEC("fexit/inet_sendpage")
int BPF_PROG(inet_send_page, struct socket* socket, struct page* page, int offset, size_t size, int flags,
             ssize_t result) {
    struct sock* sk = WG_GET(socket, sk);
    if (WG_GET(sk, sk_protocol) == IPPROTO_MPTCP_) return 0;
    return wg_pages(sk, WG_SEND, result);
}

SEC("fexit/unix_stream_sendpage")
int BPF_PROG(unix_send_page, struct socket* socket, struct page* page, int offset, size_t size, int flags,
             ssize_t result) {
    return wg_pages(WG_GET(socket, sk), WG_SEND, result);
}

SEC("fexit/tcp_splice_read")
int BPF_PROG(tcp_splice, struct socket* socket, loff_t* position, struct pipe_inode_info* pipe, size_t size,
             unsigned int flags, ssize_t result) {
    return wg_pages(WG_GET(socket, sk), WG_RECEIVE, result);
}

SEC("fexit/unix_stream_splice_read")
int BPF_PROG(unix_splice, struct socket* socket, loff_t* position, struct pipe_inode_info* pipe, size_t size,
             unsigned int flags, ssize_t result) {
    return wg_pages(WG_GET(socket, sk), WG_RECEIVE, result);
}

SEC("fentry/tcp_cleanup_rbuf")
int BPF_PROG(cleaned_up, struct sock* sk, int copied) { return wg_unblocked(sk, copied); }
