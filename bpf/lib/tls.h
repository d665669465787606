// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// TLS calls of each thread and of each goroutine, and which connection the library uses meanwhile: the library's probes
// (capture/tls.bpf.c) write the calls, the socket hooks add the connection.
#pragma once

#include "bpf/abi/rules.h"
#include "bpf/abi/tls.h"
#include "bpf/core/arch.h"
#include "bpf/core/kernel.h"
#include "bpf/lib/tls_call.h"

struct {
    __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct wg_tls_thread);
} tls_threads SEC(".maps");

// Of Go programs, whose goroutines go on with other threads. Only those that are in a call have an entry.
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 65536);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, struct wg_go_key);
    __type(value, struct wg_tls_thread);
} go_calls SEC(".maps");

// The innermost call that the thread is in, or the goroutine that it runs; NULL: none.
WG_INLINE struct wg_tls_call* wg_tls_call_of(struct task_struct* task, u32 kinds, u32 tgid) {
    struct wg_tls_thread* thread = kinds & WG_TLS_OF_THREADS ? bpf_task_storage_get(&tls_threads, task, 0, 0) : NULL;
    if (thread) {
        struct wg_tls_call* call = wg_tls_current(thread);
        if (call->session) return call;
    }
    if (!(kinds & WG_TLS_OF_GOROUTINES)) return NULL;
    // A goroutine makes its system calls itself, and its register keeps it meanwhile.
    struct pt_regs* regs = (struct pt_regs*)bpf_task_pt_regs(task);
    const struct wg_go_key key = {.goroutine = wg_goroutine(regs), .kernel_tgid = tgid};
    thread = bpf_map_lookup_elem(&go_calls, &key);
    if (!thread) return NULL;
    struct wg_tls_call* call = wg_tls_current(thread);
    return call->session ? call : NULL;
}

// From now on the socket hooks look for goroutines' calls: most Go programs that could speak TLS never do, and most
// sockets are not theirs.
WG_INLINE void wg_tls_expect_goroutines(struct wg_state* page) {
    if (page && !(page->has_tls & WG_TLS_OF_GOROUTINES)) __sync_fetch_and_or(&page->has_tls, WG_TLS_OF_GOROUTINES);
}

// The thread moves bytes of this connection; `port` is the server's. True: in a call that has used no other.
WG_INLINE bool wg_tls_touch(struct task_struct* task, u32 kinds, u32 tgid, u64 connection, u32 role, u32 port,
                            bool is_send, u64 now) {
    struct wg_tls_call* call = wg_tls_call_of(task, kinds, tgid);
    if (!call) return false;
    // A callback may use another socket meanwhile.
    if (call->beneath && call->beneath != connection) connection = WG_TLS_AMBIGUOUS;
    call->beneath = connection;
    call->role = role;
    call->port = port;
    if (is_send) call->sent_ns = now;
    return connection != WG_TLS_AMBIGUOUS;
}
