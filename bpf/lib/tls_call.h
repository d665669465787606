// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// Calls of a TLS library that a thread is in. There is no hook at a return, so an end that was not seen is known
// by the stack. Pure: also compiled and tested natively.
#pragma once

#include <linux/types.h>
#include <stdbool.h>

#define WG_TLS_HANDSHAKE 2        // a call's direction: none
#define WG_TLS_RUST 4             // … or'ed to it: a session of rustls
#define WG_TLS_VECTORS 8          // … the buffer is a list of buffers
#define WG_TLS_BY_CODE 16         // … the library's functions were found by their code
#define WG_TLS_NO_ADDRESS 4096    // what is below is a number
#define WG_TLS_AMBIGUOUS (~0ull)  // a call has used several connections

struct wg_tls_call {
    __u64 session;  // 0: none
    __u64 buffer;
    __u64 moved;  // the _EX forms: where the number of bytes goes; of a list how many it has
    __u64 stack;  // stack pointer when it was called: what lies below is over
    __u64 began_ns;
    __u64 beneath;    // the connection that it has used, 0: none, or WG_TLS_AMBIGUOUS
    __u64 sent_ns;    // when it last began to send there
    __u64 position;   // the first of the bytes that it has reserved; of a list how many to pass over
    __u32 reserved;   // how many: what is sent has its position from the call's begin on, 0: none
    __u32 direction;  // or WG_TLS_HANDSHAKE, and the flags above
    __u32 role;       // of the connection beneath, and the server's port there
    __u32 port;
};

// One session's bytes may go through another's (TLS in TLS): the inner call is the one that the socket is of.
struct wg_tls_thread {
    struct wg_tls_call outer;
    struct wg_tls_call inner;
    struct wg_tls_call here;  // the one that a program is about: its stack has little room
};

// The innermost one; its session is 0 when there is none.
static inline __attribute__((always_inline)) struct wg_tls_call* wg_tls_current(struct wg_tls_thread* thread) {
    return thread->inner.session ? &thread->inner : &thread->outer;
}

// A call begins. Calls that were left unseen are known by the stack: they lie below.
static inline __attribute__((always_inline)) void wg_tls_enter(struct wg_tls_thread* thread,
                                                               const struct wg_tls_call* call) {
    if (thread->outer.session && thread->outer.stack > call->stack) {
        thread->inner = *call;
        return;
    }
    thread->outer = *call;
    thread->inner.session = 0;
}

// The call that ends at this stack pointer; false: none was seen to begin.
static inline __attribute__((always_inline)) bool wg_tls_leave(struct wg_tls_thread* thread, __u64 stack,
                                                               struct wg_tls_call* call) {
    if (thread->inner.session && thread->inner.stack <= stack && thread->outer.stack > stack) {
        *call = thread->inner;
        thread->inner.session = 0;
        return true;
    }
    thread->inner.session = 0;
    if (!thread->outer.session || thread->outer.stack > stack) return false;
    *call = thread->outer;
    thread->outer.session = 0;
    return true;
}
