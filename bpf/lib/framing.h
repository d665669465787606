// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// Framing: what a frame's header says of its length, and how much of the frame is worth copying. Pure: also compiled
// and tested natively.
#pragma once

#include <linux/types.h>
#include <stdbool.h>

#include "bpf/abi/rules.h"

enum { WG_FRAME_MOST = 16384 - WG_FRAME_HEADER };

// Where a direction stands after a call.
struct wg_frames {
    __u64 position;  // after the last byte; another one means that calls are missing
    __u64 left;      // bytes until the next frame begins
    __u32 wanted;    // … the first ones of these are to be copied
    __u8 have;       // bytes of a header that came already: they stand in `header`
    __u8 is_followed;
    __u8 headers;  // that stood where they were expected
    __u8 padding;
    __u8 header[2 * WG_FRAME_HEADER];
};

// A framing whose headers do not prove themselves.
static inline __attribute__((always_inline)) bool wg_is_weak(const struct wg_framing* framing) {
    return framing->types == 0 || framing->types > 32;
}

// So many headers in a row are no accident: what stands in the midst of a frame may look like one. The rule may come
// while a program has read a header and not yet what follows it.
static inline __attribute__((always_inline)) bool wg_frames_are_sure(const struct wg_frames* frames,
                                                                     const struct wg_framing* framing) {
    return frames->headers >= (wg_is_weak(framing) ? 8 : 4);
}

// Before a call: a weak framing is followed from where a turn begins, any other one from where a call does, of which
// the first of a turn is as good as two headers. A turn that begins inside a frame says that it may be none, unless
// frames are sure.
static inline __attribute__((always_inline)) void wg_frames_begin(struct wg_frames* frames,
                                                                  const struct wg_framing* framing, __u64 position,
                                                                  bool is_new_turn) {
    const bool is_inside = frames->left || frames->have;
    if (frames->is_followed && frames->position == position &&
        (!is_new_turn || !is_inside || wg_frames_are_sure(frames, framing)))
        return;
    frames->left = 0;
    frames->wanted = 0;
    frames->have = 0;
    frames->headers = is_new_turn && !wg_is_weak(framing) ? 2 : 0;
    frames->is_followed = !wg_is_weak(framing) || is_new_turn;
}

// False: this is no header.
static inline __attribute__((always_inline)) bool wg_read_frame(const struct wg_framing* framing, const __u8* header,
                                                                __u64* total, __u64* wanted) {
    __u32 length = 0;
    for (__u32 i = 0; i < 4; i++) {
        if (i >= framing->length_bytes) break;
        const __u32 byte = header[(framing->length_at + i) & (WG_FRAME_HEADER - 1)];
        length = framing->is_little ? length | byte << (8 * i) : length << 8 | byte;
    }
    const __u8 type = header[framing->type_at & (WG_FRAME_HEADER - 1)];
    const __s64 size = (__s64)length + framing->length_adds;
    if (length > framing->max_length || size < (__s64)framing->header || (framing->types && type >= framing->types))
        return false;
    const bool is_whole = framing->whole_types >> (type & 31) & 1;
    const __u64 most = is_whole ? (__u64)WG_FRAME_MOST : framing->front;
    const __u64 most_of_frame = framing->header + most;
    *total = (__u64)size;
    *wanted = most_of_frame < *total ? most_of_frame : *total;
    return true;
}

// The same for the header in `frames`, which stands where one was expected. Until frames are sure all of them is
// wanted.
static inline __attribute__((always_inline)) bool wg_next_frame(struct wg_frames* frames,
                                                                const struct wg_framing* framing, __u64* total,
                                                                __u64* wanted) {
    if (!wg_read_frame(framing, frames->header, total, wanted)) return false;
    if (wg_frames_are_sure(frames, framing)) return true;
    *wanted = *total;
    if (*total > framing->header) frames->headers++;  // an empty one may be a few zeros
    return true;
}
