// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// Frames: follows a connection's framing through a call and reports the front of each frame; what lies between is
// not copied. One call becomes as many events as there are runs of bytes worth copying. Knows no protocol: where frames
// were lost, the framing is wrong, or it is not sure yet, bytes are copied as the WHOLE rule would; where it is lost,
// the next call is taken to begin with a frame. From 5.17 on, which has bpf_loop; plaintext above a socket (WG_UPROBES)
// is not framed.
#pragma once

#include "bpf/abi/events.h"
#include "bpf/abi/rules.h"
#include "bpf/lib/conn.h"
#include "bpf/lib/framing.h"
#include "bpf/lib/scratch.h"

#if !defined(WG_PLAIN) && !defined(WG_UPROBES)
#define WG_FRAMES

enum {
    WG_FRAME_STEPS = 1024,
    WG_FRAME_PREFIX = 512,  // of a call, copied before its frames are looked at
    WG_FRAME_GAP = 128,     // as few bytes between two fronts are copied along
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, WG_FRAMINGS);
    __type(key, u32);
    __type(value, struct wg_framing);
} framings SEC(".maps");

struct wg_frames_of_socket {
    struct wg_frames by_direction[2];
};

struct {
    __uint(type, BPF_MAP_TYPE_SK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct wg_frames_of_socket);
} frames_of_sockets SEC(".maps");

WG_INLINE void wg_keep_place(struct wg_text_place* place, const struct wg_text* text) {
    place->user_vectors = text->user_vectors;
    place->at = text->kind == WG_TEXT_VECTORS ? text->at : 0;
    place->more = text->more;
}

// Copies bytes of the call from `at` on to s->data. Vectors are fetched forward, and anew from the last place behind
// where the walk has read ahead: so each is fetched a few times at most.
__noinline u32 wg_copy_text_at(u32 slot, u64 at, u64 want) {
    struct wg_scratch* s = wg_scratch_at(slot);
    if (!s) return 0;
    struct wg_text* text = &s->text;
    const u64 skip = text->skip;
    u64 before = 0;
    if (text->kind == WG_TEXT_VECTORS) {
        if (skip + at < text->at) {
            const struct wg_text_place* place = &s->walk.behind;
            text->user_vectors = place->user_vectors;
            text->at = place->at;
            text->more = place->more;
            text->count = WG_VECTORS;  // there were more after them
            if (bpf_probe_read_user(text->vectors, sizeof(text->vectors), (void*)text->user_vectors)) text->count = 0;
        }
        wg_text_seek(text, skip + at);
        before = text->at;
    }
    text->skip = skip + at - before;
    const u32 copied = wg_copy_text(slot, want);
    text->skip = skip;
    return copied;
}

// Reports the bytes from w->from to `end`.
WG_INLINE void wg_flush_frames(struct wg_scratch* s, u32 slot, u64 end, bool is_last) {
    struct wg_walk* w = &s->walk;
    struct wg_data_event* event = &s->event;
    u64 captured = 0;
    u64 wanted = w->until > w->from ? w->until - w->from : 0;
    if (wanted) {
        if (w->from == 0 && wanted <= w->have) {
            captured = wanted;
        } else {
            captured = wg_copy_text_at(slot, w->from, wanted);
            wg_keep_place(&w->behind, &s->text);
            w->have = w->from == 0 ? captured : 0;
            if (captured < wanted) wg_count(WG_COUNT_READ_FAILED, 1);
        }
    }
    if (is_last && w->until < w->size && wg_copy_tail(slot, w->size)) {
        w->flags |= WG_DATA_TAIL;
        __builtin_memcpy(event->tail, &s->tail, 8);
    }
    captured = WG_BOUND(captured, WG_TEXT_MAX);
    event->position = w->position + w->from;
    event->size = end - w->from;
    event->captured = captured;
    event->flags = w->flags;
    event->head.length = sizeof(*event) + captured;
    if (!wg_emit(w->ring, event, sizeof(*event) + captured)) {
        wg_count(WG_COUNT_RING_FULL, 1);
        wg_count(WG_COUNT_RING_FULL_BYTES, end - w->from);
    }
    w->flags &= WG_DATA_CROWDED;
    w->from = end;
}

// Copies what stands from `at` to `end` with the next event.
WG_INLINE void wg_want(struct wg_scratch* s, u32 slot, u64 at, u64 end) {
    struct wg_walk* w = &s->walk;
    if (end > w->size) end = w->size;
    if ((at > w->until && at - w->until > WG_FRAME_GAP) || end > w->from + WG_TEXT_MAX) {
        if (at > w->from) wg_flush_frames(s, slot, at, false);
        w->until = at;
    }
    if (end > w->from + WG_TEXT_MAX) end = w->from + WG_TEXT_MAX;
    if (end > w->until) w->until = end;
}

// Reads `size` bytes of the call at `at` to what is known of the header.
WG_INLINE bool wg_read_header(struct wg_scratch* s, u32 slot, u64 at, u64 size) {
    struct wg_walk* w = &s->walk;
    size = WG_BOUND(size, WG_FRAME_HEADER);
    const u64 have = WG_BOUND((u64)w->frames.have, WG_FRAME_HEADER);
    u8* to = w->frames.header + have;
    if (at + size <= w->have) {
        const u64 from = WG_BOUND(at, WG_TEXT_MAX);
        return bpf_probe_read_kernel(to, size, s->data + from) == 0;
    }
    if (s->text.kind == WG_TEXT_FLAT)
        return bpf_probe_read_user(to, size, (void*)(s->text.base + s->text.skip + at)) == 0;
    w->have = 0;
    return wg_copy_text_at(slot, at, size) == size && bpf_probe_read_kernel(to, size, s->data) == 0;
}

static long wg_walk_frame(u64 index, u32* place) {
    const u32 slot = *place;
    struct wg_scratch* s = wg_scratch_at(slot);
    if (!s) return 1;
    struct wg_walk* w = &s->walk;
    struct wg_frames* frames = &w->frames;
    const u64 at = w->at;
    if (at >= w->size) return 1;
    const u64 have = frames->have;
    const u64 header = w->framing.header;
    u64 missing = header > have ? header - have : 0;
    const bool is_split = missing > w->size - at;
    if (is_split) missing = w->size - at;
    u64 total;
    u64 wanted;
    if (!wg_read_header(s, slot, at, missing) || (!is_split && !wg_next_frame(frames, &w->framing, &total, &wanted))) {
        frames->is_followed = 0;
        return 1;
    }
    if (is_split) {
        frames->have = have + missing;
        wg_want(s, slot, at, w->size);
        w->at = w->size;
        return 1;
    }
    frames->have = 0;
    const u64 end = at + wanted - have;
    wg_want(s, slot, at, end);
    if (end > w->size) frames->wanted = end - w->size;
    w->at = at + total - have;
    return 0;
}

// Where the socket's frames stand, and in *wanted how much of the call's front is to be copied first: nothing, where no
// frame begins in it. NULL: frames cannot be followed, *wanted stays.
WG_INLINE struct wg_frames* wg_follow_frames(struct sock* sk, enum wg_direction direction, u64 position, u64 size,
                                             bool is_new_turn, u64* wanted) {
    if (!wg_has_loop()) return NULL;
    struct wg_frames_of_socket* both = bpf_sk_storage_get(&frames_of_sockets, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
    if (!both) return NULL;
    struct wg_frames* frames = &both->by_direction[direction];
    const bool is_inside =
        frames->is_followed && frames->position == position && !frames->have && !frames->wanted && frames->left >= size;
    *wanted = is_inside && !is_new_turn ? 0 : size < WG_FRAME_PREFIX ? size : WG_FRAME_PREFIX;
    return frames;
}

// The slot's walk begins. A function of its own: on 6.1 the stacks of all that are under way may have 512 bytes
// together.
__noinline u32 wg_begin_walk(struct wg_conn* conn, struct wg_frames* frames, u32 slot) {
    struct wg_scratch* s = wg_scratch_at(slot);
    if (!conn || !frames || !s) return 0;
    struct wg_data_event* event = &s->event;
    const u32 framing = conn->rule[event->direction & 1].framing;
    const struct wg_framing* found = bpf_map_lookup_elem(&framings, &framing);
    if (!found) return 0;
    struct wg_walk* w = &s->walk;
    __builtin_memset(w, 0, sizeof(*w));
    w->framing = *found;
    w->frames = *frames;
    w->position = event->position;
    wg_keep_place(&w->behind, &s->text);
    w->size = event->size;
    w->have = s->captured;
    w->ring = conn->ring;
    w->flags = event->flags;
    wg_frames_begin(&w->frames, &w->framing, w->position, w->flags & WG_DATA_TURN_START);
    return 1;
}

// Reports the call of s->event, of which the first s->captured bytes are in s->data. Text is known.
__noinline u32 wg_report_frames(struct wg_conn* conn, struct wg_frames* frames, u32 slot) {
    struct wg_scratch* s = wg_scratch_at(slot);
    if (!conn || !frames || !s || !wg_begin_walk(conn, frames, slot)) return 0;
    struct wg_walk* w = &s->walk;
    if (w->frames.is_followed) {
        if (w->frames.wanted) {
            const u64 wanted = w->frames.wanted < w->size ? w->frames.wanted : w->size;
            wg_want(s, slot, 0, wanted);
            w->frames.wanted -= wanted;
        }
        w->at = w->frames.left;
        if (wg_has_loop()) bpf_loop(WG_FRAME_STEPS, wg_walk_frame, &slot, 0);
    }
    if (w->at < w->size) {  // lost, or too many
        w->frames.is_followed = 0;
        wg_want(s, slot, w->at, w->at + WG_TEXT_MAX);
    }
    w->frames.left = w->at < w->size ? 0 : w->at - w->size;
    w->frames.position = w->position + w->size;
    *frames = w->frames;
    wg_flush_frames(s, slot, w->size, true);
    return 0;
}

#endif
