// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// rustls: how its arguments stand in memory, and which session is which. The compiler lays structures out as it likes:
// what is read here is checked for being such a thing at all, and user space believes none of it before its lengths
// are those of a socket's records.
#pragma once

#include "bpf/core/kernel.h"
#include "bpf/lib/iov.h"
#include "bpf/lib/tls_call.h"

enum {
    WG_RUST_STATE_WORDS = 128,  // of a CommonState that are looked through
    WG_RUST_MAX_RECORD = 16384 + 256,
    WG_RUST_MAX_CHUNKS = 1024,
    WG_RUST_LOW = 1 << 16,  // no addresses below
    WG_RUST_MAX_IMAGE = 64 << 20,
};

// Where in a process's sessions the word stands that tells them apart.
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 4096);
    __type(key, u32);
    __type(value, u32);
} rust_offsets SEC(".maps");

// A Box<dyn …>: its value on the heap, and the table of its type, which begins with a function, a size and an
// alignment.
struct wg_rust_box {
    u64 value;
    u64 table;
};
struct wg_rust_table {
    u64 drop;
    u64 size;
    u64 alignment;
};

WG_INLINE u64 wg_distance(u64 a, u64 b) { return a > b ? a - b : b - a; }

// A session moves, what its ciphers keep on the heap does not.
__noinline int wg_is_rust_box(u64 value, u64 table) {
    struct wg_rust_table head;
    if (value < WG_RUST_LOW || table < WG_RUST_LOW || value & 7 || table & 7) return false;
    // Values that stand in the image are everybody's.
    struct task_struct* task = wg_current_task();
    const u64 image = BPF_CORE_READ(task, mm, start_code);
    const u64 heap = BPF_CORE_READ(task, mm, start_brk);
    const bool is_main = table >= image && table < heap;
    if (is_main ? value >= image && value < heap : wg_distance(value, table) < WG_RUST_MAX_IMAGE) return false;
    if (bpf_probe_read_user(&head, sizeof(head), (void*)table)) return false;
    if (!head.size || head.size > 65536 || !head.alignment || head.alignment > 64 ||
        head.alignment & (head.alignment - 1))
        return false;
    return !head.drop || wg_distance(head.drop, table) < WG_RUST_MAX_IMAGE * 8ull;
}

struct wg_rust_search {
    u64 session;
    u32 found;  // one more than the word's number, 0: none is such
};

static long wg_rust_look(u64 index, struct wg_rust_search* search) {
    struct wg_rust_box box;
    if (bpf_probe_read_user(&box, sizeof(box), (void*)(search->session + 8 * index))) return 1;
    if (!wg_is_rust_box(box.value, box.table)) return 0;
    search->found = index + 1;
    return 1;
}

__noinline u64 wg_rust_identity(u64 session, u32 tgid) {
    struct wg_rust_box box;
    const u32* known = bpf_map_lookup_elem(&rust_offsets, &tgid);
    if (known && !bpf_probe_read_user(&box, sizeof(box), (void*)(session + 8 * *known)) &&
        wg_is_rust_box(box.value, box.table))
        return box.value;
    struct wg_rust_search search = {.session = session};
    WG_LOOP(WG_RUST_STATE_WORDS, wg_rust_look, search);
    if (!search.found) return session;
    const u32 word = search.found - 1;
    bpf_map_update_elem(&rust_offsets, &tgid, &word, BPF_ANY);
    return bpf_probe_read_user(&box, sizeof(box), (void*)(session + 8 * word)) ? session : box.value;
}

// A Vec<u8>, or what may be one or a slice: capacity, pointer, size, or pointer, capacity, size.
WG_INLINE u32 wg_rust_vector(u64 vector, u64* buffer) {
    u64 words[3];
    if (bpf_probe_read_user(words, sizeof(words), (void*)vector)) return 0;
    *buffer = words[words[1] >= WG_RUST_LOW * 2 ? 1 : 0];
    return *buffer < WG_RUST_LOW || words[2] > WG_RUST_MAX_RECORD ? 0 : words[2];
}

// A record was decrypted: its plaintext is handed on as a whole. How much it is.
WG_INLINE s32 wg_rust_record(struct wg_tls_call* call, u64 session, u64 vector, u32 tgid) {
    call->session = wg_rust_identity(session, tgid);
    call->direction = WG_RECEIVE | WG_TLS_RUST;
    call->began_ns = bpf_ktime_get_ns();
    return wg_rust_vector(vector, &call->buffer);
}

// OutboundChunks: 0 and one slice; or a slice of slices, and which of their bytes. False: not seen as such.
WG_INLINE bool wg_rust_chunks(struct wg_tls_call* call) {
    u64 words[4];
    if (bpf_probe_read_user(words, sizeof(words), (void*)call->buffer)) return false;
    call->buffer = words[0] ? words[0] : words[1];
    if (!words[0]) return true;
    if (words[0] < WG_RUST_LOW || !words[1] || words[1] > WG_RUST_MAX_CHUNKS || words[2] > words[3]) return false;
    call->moved = words[1];
    call->position = words[2];
    call->direction |= WG_TLS_VECTORS;
    return true;
}

// A walk through such a list.
struct wg_rust_list {
    struct wg_tls_call* call;
    const struct wg_tls_key* key;
    u64 user;  // where the next one stands
    u64 count;
    u64 skip;
    u64 left;
};
