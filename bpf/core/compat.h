// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// What differs between kernel versions, each with the version that changed it.
#pragma once

#include "bpf/core/kernel.h"
#include "bpf/lib/iov.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

// 6.4 on (commit de4f5fed3f23): one user buffer is its own kind, and vectors are called __iov.
enum iter_type {
    ITER_UBUF,
    ITER_IOVEC,
};
struct iov_iter {
    u8 iter_type;
    u64 iov_offset;
    u64 count;
    const struct wg_vector* __iov;
    void* ubuf;
    unsigned long nr_segs;
};
struct iovec {
    void* iov_base;
    u64 iov_len;
};
struct msghdr {
    void* msg_name;
    struct iov_iter msg_iter;
};

// 5.14 to 6.3: the field is called iov.
struct iov_iter___iov {
    const struct wg_vector* iov;
};
// Until 5.13 (commit 8cd54c1c8480): type carries flags beside the kind, 4 is a vector of user memory.
struct iov_iter___typed {
    unsigned int type;
};

#pragma clang attribute pop

// The user's buffers behind a message whose call has moved `moved` bytes. The iterator stands after
// them: walk back, as iov_iter_revert does.
WG_INLINE void wg_text_from_message(struct wg_text* text, struct msghdr* message, u64 moved) {
    struct iov_iter* iter = &message->msg_iter;
    u64 offset = BPF_CORE_READ(iter, iov_offset);
    bool is_vector;
    if (bpf_core_field_exists(iter->iter_type)) {
        const u8 kind = BPF_CORE_READ(iter, iter_type);
        if (bpf_core_enum_value_exists(enum iter_type, ITER_UBUF) &&
            kind == bpf_core_enum_value(enum iter_type, ITER_UBUF)) {
            text->kind = WG_TEXT_FLAT;
            text->base = (u64)BPF_CORE_READ(iter, ubuf);
            text->skip = offset - moved;
            return;
        }
        is_vector = kind == bpf_core_enum_value(enum iter_type, ITER_IOVEC);
    } else {
        is_vector = (BPF_CORE_READ((struct iov_iter___typed*)iter, type) & ~1u) == 4;
    }
    if (!is_vector) return;
    const struct wg_vector* vector = bpf_core_field_exists(iter->__iov)
                                         ? BPF_CORE_READ(iter, __iov)
                                         : BPF_CORE_READ((struct iov_iter___iov*)iter, iov);
    u64 left = moved;
    u32 back = 0;
    if (left <= offset) {
        offset -= left;
    } else {
        left -= offset;
        for (u32 i = 0; i < WG_VECTORS; i++) {
            struct wg_vector before;
            vector--;
            back++;
            if (bpf_probe_read_kernel(&before, sizeof(before), vector)) return;
            if (left <= before.size) {
                offset = before.size - left;
                left = 0;
                break;
            }
            left -= before.size;
        }
        if (left) return;
    }
    const u64 count = WG_BOUND(back + 1, WG_VECTORS);
    if (bpf_probe_read_kernel(text->vectors, count * sizeof(struct wg_vector), vector)) return;
    text->kind = WG_TEXT_VECTORS;
    text->skip = offset;
    text->count = count;
    text->more = 0;
    text->at = 0;
}
