// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// Sends under way: what the kernel said under the socket's lock when a call began to fill buffers (6.16):
// when, at which sequence number, and where its bytes are. Without it position and text are told by what
// stands there when the call returns.
#pragma once

#include "bpf/core/compat.h"
#include "bpf/core/kernel.h"
#include "bpf/lib/iov.h"

enum { WG_SEND_VECTORS = 2 };

struct wg_send {
    u64 first_ns;  // 0: none
    u64 last_ns;   // when its last buffer began
    u32 thread;
    u32 sequence;  // of its first byte
    u32 skip;      // bytes of the first vector that are not part of it
    u16 count;     // vectors, 0: the registers tell where the bytes are
    u16 left;      // low bits of how much was left when its last buffer began
    struct wg_vector vectors[WG_SEND_VECTORS];
};

// Sends of threads that found another one's under way on their socket.
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 4096);
    __type(key, u32);
    __type(value, struct wg_send);
} crowded_sends SEC(".maps");

// The send that the thread has under way; `send` is the connection's own place.
WG_INLINE struct wg_send* wg_send_of(struct wg_send* send, bool is_crowded, u32 thread) {
    if (WG_UNLIKELY(is_crowded)) {
        struct wg_send* found = bpf_map_lookup_elem(&crowded_sends, &thread);
        if (found) return found;
    }
    return send->first_ns && send->thread == thread ? send : NULL;
}

WG_INLINE void wg_send_ends(struct wg_send* send, bool is_crowded, u32 thread) {
    if (WG_UNLIKELY(is_crowded) && bpf_map_delete_elem(&crowded_sends, &thread) == 0) return;
    if (send->thread == thread) send->first_ns = 0;
}

// A copy of it, if there is one: the verifier would follow each of the places that it may stand at, and none, through
// all that comes. Only objects with WG_CAST are told of sends.
WG_INLINE void wg_copy_send(struct wg_send* to, struct wg_send* own, bool is_crowded, u32 thread) {
#ifdef WG_CAST
    const struct wg_send* found = wg_send_of(own, is_crowded, thread);
    if (found) *to = *found;
#endif
}

// Is anything known of the send? NULL and an empty one: no.
WG_INLINE bool wg_is_told(const struct wg_send* send) { return send && send->first_ns; }

#ifdef WG_CAST

WG_INLINE void wg_send_begins(struct wg_send* send, u32 thread, u32 sequence, const struct msghdr* message, u64 now) {
    const struct iov_iter* iter = &message->msg_iter;
    const u8 kind = iter->iter_type;
    send->thread = thread;
    send->sequence = sequence;
    send->skip = iter->iov_offset;
    send->count = 0;
    if (kind == bpf_core_enum_value(enum iter_type, ITER_UBUF)) {
        send->vectors[0].base = (u64)iter->ubuf;
        send->count = 1;
    } else if (kind == bpf_core_enum_value(enum iter_type, ITER_IOVEC) && iter->nr_segs <= WG_SEND_VECTORS) {
        const u32 type = bpf_core_type_id_kernel(struct iovec);
        for (u32 i = 0; i < WG_SEND_VECTORS && i < iter->nr_segs; i++) {
            const struct iovec* vector = bpf_rdonly_cast(iter->__iov + i, type);
            send->vectors[i] = (struct wg_vector){.base = (u64)vector->iov_base, .size = vector->iov_len};
        }
        send->count = iter->nr_segs;
    }
    send->left = iter->count;
    send->last_ns = now;
    send->first_ns = now;
}

#endif

#ifndef WG_PLAIN

// Where the bytes of the send are. False: the registers must tell.
WG_INLINE bool wg_text_from_send(struct wg_text* text, const struct wg_send* send) {
    if (!send->count) return false;
    text->skip = send->skip;
    text->more = 0;
    text->at = 0;
    if (send->count == 1) {
        text->kind = WG_TEXT_FLAT;
        text->base = send->vectors[0].base;
        return true;
    }
    text->kind = WG_TEXT_VECTORS;
    text->count = send->count;
    __builtin_memcpy(text->vectors, send->vectors, sizeof(send->vectors));
    return true;
}

#endif
