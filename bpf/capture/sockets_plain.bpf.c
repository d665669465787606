// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// Sockets, plain: the same capture where programs get no typed pointers: by fexit before 5.15, and by
// kprobes where functions cannot be traced otherwise. A kprobe knows the arguments, its return the
// result: what belongs together is kept by thread between the two.
#define WG_PLAIN
#define WG_EXITS
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

#include "bpf/capture/socket_exits.h"
#include "bpf/capture/socket_states.h"

SEC("fentry/security_sk_free")
int BPF_PROG(freed, struct sock* sk) {
    wg_conn_delete(sk);
    return 0;
}

// ---- kprobes, attached by user space (sensors/kprobe.cc says to which functions)

struct wg_call {
    u64 sk;
    u64 message;  // 0: pages
    u32 flags;
    u32 direction;
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 16384);
    __type(key, u64);
    __type(value, struct wg_call);
} calls SEC(".maps");

WG_INLINE int wg_enter(struct sock* sk, u64 message, enum wg_direction direction, u32 flags) {
    const u64 thread = bpf_get_current_pid_tgid();
    if (!wg_is_target(thread >> 32)) return 0;
    const struct wg_call call = {.sk = (u64)sk, .message = message, .flags = flags, .direction = direction};
    if (bpf_map_update_elem(&calls, &thread, &call, BPF_ANY)) wg_count(WG_COUNT_STORAGE_FAILED, 1);
    return 0;
}

// *_sendmsg(socket, message, …)
SEC("kprobe")
int enter_send(struct pt_regs* regs) {
    struct socket* socket = (struct socket*)wg_function_argument_1(regs);
    return wg_enter(WG_GET(socket, sk), wg_function_argument_2(regs), WG_SEND, 0);
}

// *_recvmsg(socket, message, size, flags)
SEC("kprobe")
int enter_receive(struct pt_regs* regs) {
    struct socket* socket = (struct socket*)wg_function_argument_1(regs);
    return wg_enter(WG_GET(socket, sk), wg_function_argument_2(regs), WG_RECEIVE, wg_function_argument_4(regs));
}

// *_sendpage(socket, …): MPTCP goes on to inet_sendmsg.
SEC("kprobe")
int enter_send_page(struct pt_regs* regs) {
    struct socket* socket = (struct socket*)wg_function_argument_1(regs);
    struct sock* sk = WG_GET(socket, sk);
    return WG_GET(sk, sk_protocol) == IPPROTO_MPTCP_ ? 0 : wg_enter(sk, 0, WG_SEND, 0);
}

// *_splice_read(socket, …): its flags are of another kind.
SEC("kprobe")
int enter_splice(struct pt_regs* regs) {
    struct socket* socket = (struct socket*)wg_function_argument_1(regs);
    return wg_enter(WG_GET(socket, sk), 0, WG_RECEIVE, 0);
}

// One of them has returned; none moves more than 2 GiB. A program for each direction: the verifier follows all their
// ways.
WG_INLINE int wg_leave(struct pt_regs* regs, enum wg_direction direction) {
    const u64 thread = bpf_get_current_pid_tgid();
    const struct wg_call* found = bpf_map_lookup_elem(&calls, &thread);
    if (!found || found->direction != direction) return 0;
    const struct wg_call call = *found;
    bpf_map_delete_elem(&calls, &thread);
    const s32 result = wg_function_result(regs);
    const bool is_pages = !call.message;
    if (is_pages && result <= 0) return 0;
    const u32 flags = !is_pages ? call.flags : direction == WG_RECEIVE ? MSG_TRUNC_ : 0;
    return wg_moved((struct sock*)call.sk, direction, result, flags, (struct msghdr*)call.message);
}

SEC("kprobe")
int leave_send(struct pt_regs* regs) { return wg_leave(regs, WG_SEND); }

SEC("kprobe")
int leave_receive(struct pt_regs* regs) { return wg_leave(regs, WG_RECEIVE); }

SEC("kprobe")
int enter_cleanup(struct pt_regs* regs) {
    return wg_unblocked((struct sock*)wg_function_argument_1(regs), wg_function_argument_2(regs));
}

SEC("kprobe")
int enter_free(struct pt_regs* regs) {
    wg_conn_delete((struct sock*)wg_function_argument_1(regs));
    return 0;
}
