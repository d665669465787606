// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// Text: finds the user's buffer of a socket call and copies from it. Few, large user reads: one
// costs about 100 ns whether it reads 8 bytes or 1,024.
#pragma once

#include "bpf/core/arch.h"
#include "bpf/core/kernel.h"

enum { WG_TEXT_MAX = 16384, WG_VECTORS = 16, WG_VECTORS_MAX = 1024 /* UIO_MAXIOV */ };

struct wg_vector {
    u64 base;
    u64 size;
};

enum wg_text_kind { WG_TEXT_NONE, WG_TEXT_FLAT, WG_TEXT_VECTORS };

// Where the bytes of a call are: one buffer, or vectors (fetched by wg_text_from_…), from `skip` on.
struct wg_text {
    enum wg_text_kind kind;
    u64 base;
    u64 skip;
    u32 count;
    u32 more;          // vectors after those fetched here, still to be read
    u64 user_vectors;  // where the fetched ones stand
    u64 at;            // how many bytes stand in those before them
    struct wg_vector vectors[WG_VECTORS];
};

// Functions that uprobes watch take one buffer.
#ifdef WG_UPROBES
#define WG_IS_FLAT(text) true
#else
#define WG_IS_FLAT(text) ((text)->kind == WG_TEXT_FLAT)
#endif

struct wg_user_msghdr {
    u64 name;
    u32 name_size;
    u32 padding;
    u64 vectors;
    u64 count;
    u64 control;
    u64 control_size;
    u32 flags;
    u32 padding2;
};

WG_INLINE void wg_text_vectors(struct wg_text* text, u64 user_vectors, u64 count) {
    const u64 n = WG_BOUND(count, WG_VECTORS);
    if (bpf_probe_read_user(text->vectors, n * sizeof(struct wg_vector), (void*)user_vectors)) return;
    text->count = n;
    text->more = count > n && count <= WG_VECTORS_MAX ? count - n : 0;
    text->user_vectors = user_vectors;
    text->at = 0;
    if (n == 1) {
        text->kind = WG_TEXT_FLAT;
        text->base = text->vectors[0].base;
    } else if (n) {
        text->kind = WG_TEXT_VECTORS;
    }
}

#ifndef WG_PLAIN
// The buffer of the system call that the current task is in. sendmmsg and recvmmsg: `message` is the
// index of the message within the call.
WG_INLINE void wg_text_from_registers(struct wg_text* text, struct task_struct* task, struct pt_regs* regs,
                                      u32 message) {
    text->kind = WG_TEXT_NONE;
    text->skip = 0;
    text->more = 0;
    if (task->flags & (PF_KTHREAD_ | PF_USER_WORKER_ | PF_IO_WORKER_) || wg_is_compat(task)) return;
    struct wg_user_msghdr header;
    switch (wg_syscall_number(regs)) {
        case WG_SYS_READ:
        case WG_SYS_WRITE:
        case WG_SYS_SENDTO:
        case WG_SYS_RECVFROM:
            text->kind = WG_TEXT_FLAT;
            text->base = wg_argument_2(regs);
            return;
        case WG_SYS_READV:
        case WG_SYS_WRITEV:
        case WG_SYS_PREADV2:
        case WG_SYS_PWRITEV2:
            wg_text_vectors(text, wg_argument_2(regs), wg_argument_3(regs));
            return;
        case WG_SYS_SENDMSG:
        case WG_SYS_RECVMSG:
            if (bpf_probe_read_user(&header, sizeof(header), (void*)wg_argument_2(regs))) return;
            wg_text_vectors(text, header.vectors, header.count);
            return;
        case WG_SYS_SENDMMSG:
        case WG_SYS_RECVMMSG:
            // struct mmsghdr: a msghdr, the length, and padding to 64 bytes
            if (bpf_probe_read_user(&header, sizeof(header), (void*)wg_argument_2(regs) + message * 64ull)) return;
            wg_text_vectors(text, header.vectors, header.count);
            return;
        default:
            return;
    }
}
#endif

// A copy under way: of the vectors that were fetched, then of those after them.
struct wg_copying {
    const struct wg_text* text;
    u64 skip;
    u64 copied;
    u64 want;
    u64 user;  // where the next vector stands that was not fetched
    u64 more;  // how many there are of those; 0 also after a failure
    u8* to;
};

// Copies a vector's bytes from `skip` on. False: unreadable.
WG_INLINE bool wg_copy_piece(struct wg_copying* c, u64 base, u64 size) {
    if (size > c->want - c->copied) size = c->want - c->copied;
    size = WG_BOUND(size, WG_TEXT_MAX);
    // copied is below want here; the mask is what verifiers before 6.4 understand.
    u64 at = c->copied;
    asm volatile("" : "+r"(at));
    at &= WG_TEXT_MAX - 1;
    if (bpf_probe_read_user(c->to + at, size, (void*)base)) return false;
    c->copied = at + size;
    return true;
}

static long wg_copy_fetched(u64 index, struct wg_copying* c) {
    if (index >= c->text->count || c->copied >= c->want) return 1;
    const struct wg_vector* vector = &c->text->vectors[index & (WG_VECTORS - 1)];
    const u64 skip = c->skip;
    const u64 size = vector->size;
    if (skip >= size) {
        c->skip = skip - size;
        return 0;
    }
    c->skip = 0;
    if (wg_copy_piece(c, vector->base + skip, size - skip)) return 0;
    c->more = 0;
    return 1;
}

// Some programs give every field a vector of its own.
static long wg_copy_next(u64 index, struct wg_copying* c) {
    struct wg_vector next;
    if (!c->more || c->copied >= c->want || bpf_probe_read_user(&next, sizeof(next), (void*)c->user)) return 1;
    if (!wg_copy_piece(c, next.base, next.size)) return 1;
    c->user += sizeof(struct wg_vector);
    c->more--;
    return 0;
}

// Copies the first `want` bytes to `to` (room for 2 * WG_TEXT_MAX) and returns how many it got.
WG_INLINE u32 wg_text_copy(const struct wg_text* text, u64 want, u8* to) {
    want = WG_BOUND(want, WG_TEXT_MAX);
    if (!want) return 0;
    if (WG_IS_FLAT(text)) return bpf_probe_read_user(to, want, (void*)(text->base + text->skip)) ? 0 : want;
    if (text->kind != WG_TEXT_VECTORS) return 0;
    struct wg_copying c = {.text = text,
                           .skip = text->skip,
                           .want = want,
                           .user = text->user_vectors + WG_VECTORS * sizeof(struct wg_vector),
                           .more = text->more,
                           .to = to};
    WG_LOOP(WG_VECTORS, wg_copy_fetched, c);
    if (c.more && c.copied < want && !c.skip) WG_LOOP(240, wg_copy_next, c);
    return c.copied;
}

struct wg_seek {
    struct wg_text* text;
    u64 end;
};

static long wg_seek_half(u64 index, struct wg_seek* c) {
    enum { HALF = WG_VECTORS / 2 };
    struct wg_text* text = c->text;
    u64 first_half = 0;
    u64 second_half = 0;
    for (u32 k = 0; k < HALF; k++) {
        first_half += text->vectors[k].size;
        second_half += text->vectors[HALF + k].size;
    }
    if (!text->more || text->at + first_half + second_half >= c->end) return 1;
    const u64 fresh = WG_BOUND((u64)text->more, HALF);
    text->at += first_half;
    text->user_vectors += HALF * sizeof(struct wg_vector);
    text->more -= fresh;
    text->count = HALF + fresh;
    if (bpf_probe_read_user(text->vectors, (HALF + fresh) * sizeof(struct wg_vector), (void*)text->user_vectors)) {
        text->count = 0;
        return 1;
    }
    return 0;
}

// Moves the fetched vectors on until they hold `end`, half of them at a time so that those before it
// are there too. Node's streams write hundreds in one call.
WG_INLINE void wg_text_seek(struct wg_text* text, u64 end) {
    struct wg_seek c = {.text = text, .end = end};
    WG_LOOP(WG_VECTORS_MAX * 2 / WG_VECTORS, wg_seek_half, c);
}

struct wg_gather {
    const struct wg_text* text;
    u64 end;  // over all vectors
    u64 at;
    u64 tail;
    u64 is_failed;
};

// Every vector that reaches into the last eight bytes adds its piece.
static long wg_gather_next(u64 index, struct wg_gather* c) {
    if (index >= c->text->count || c->at >= c->end) return 1;
    const struct wg_vector* vector = &c->text->vectors[index & (WG_VECTORS - 1)];
    const u64 size = vector->size;
    const u64 left = c->end - c->at;
    const u64 used = size < left ? size : left;
    c->at += size;
    if (!used || left - used >= 8) return 0;
    const u64 n = WG_BOUND(used, 8);
    u64 piece = 0;
    if (bpf_probe_read_user(&piece, n, (void*)(vector->base + used - n))) {
        c->is_failed = 1;
        return 1;
    }
    c->tail = n >= 8 ? piece : c->tail >> (8 * n) | piece << (64 - 8 * n);
    return 0;
}

// The last eight of `size` bytes as they stand in memory, the very last one in the highest byte. What is still to be
// fetched has been sought. False: unreadable.
WG_INLINE bool wg_text_tail(struct wg_text* text, u64 size, u64* tail) {
    *tail = 0;
    if (text->kind == WG_TEXT_NONE) return false;
    if (WG_IS_FLAT(text)) {
        u64 piece = 0;
        const u64 n = WG_BOUND(size, 8);
        if (bpf_probe_read_user(&piece, n, (void*)(text->base + text->skip + size - n))) return false;
        *tail = n ? piece << (64 - 8 * n) : 0;
        return true;
    }
    struct wg_gather c = {.text = text, .end = text->skip + size, .at = text->at};
    WG_LOOP(WG_VECTORS, wg_gather_next, c);
    *tail = c.tail;
    return !c.is_failed && c.at >= c.end;
}
