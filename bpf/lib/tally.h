// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// Overload: requests and their durations are counted here, by process, port and role, and nothing is copied. An
// exchange begins with a turn of the request's side and ends with the last byte of the other side before the next one,
// or the end.
#pragma once

#include "bpf/abi/tally.h"
#include "bpf/lib/conn.h"

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 4096);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, struct wg_tally_key);
    __type(value, struct wg_tally);
} tallies SEC(".maps");

// What a new entry begins with: the stack has no room for it.
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, u32);
    __type(value, struct wg_tally);
} blank_tally SEC(".maps");

// How many bits the number has. Without a branch: the verifier would follow each.
WG_INLINE u32 wg_bits(u64 value) {
    for (u32 step = 1; step < 64; step *= 2) value |= value >> step;
    value -= value >> 1 & 0x5555555555555555;
    value = (value & 0x3333333333333333) + (value >> 2 & 0x3333333333333333);
    value = (value + (value >> 4)) & 0x0f0f0f0f0f0f0f0f;
    return value * 0x0101010101010101 >> 56;
}

WG_INLINE u32 wg_tally_bucket(u64 ns) {
    const u32 bits = wg_bits(ns >> WG_TALLY_SHIFT);
    return bits < WG_TALLY_BUCKETS ? bits : WG_TALLY_BUCKETS - 1;
}

// The server's port, as the tallies have it.
WG_INLINE u32 wg_tally_port(const struct wg_conn* conn, struct sock* sk) {
    if (!sk) return conn->plain_port;
    if (conn->kind == WG_UNIX) return 0;
    return conn->role == WG_ROLE_SERVER ? wg_own_port(sk) : bpf_ntohs_(WG_GET(sk, __sk_common.skc_dport));
}

// The exchange that is open, if any, is over.
WG_COLD int wg_tally_ends(struct wg_conn* conn, u32 port) {
    if (!conn || !conn->request_ns) return 0;
    const bool is_server = conn->role == WG_ROLE_SERVER;
    const u64 begin = conn->request_ns;
    const u64 end = conn->end_ns[is_server ? WG_SEND : WG_RECEIVE];
    conn->request_ns = 0;
    const struct wg_tally_key key = {.pid = conn->owner.pid, .port = port, .role = conn->role, .kind = conn->kind};
    struct wg_tally* tally = bpf_map_lookup_elem(&tallies, &key);
    if (!tally) {
        const u32 zero = 0;
        const struct wg_tally* blank = bpf_map_lookup_elem(&blank_tally, &zero);
        if (blank) bpf_map_update_elem(&tallies, &key, blank, BPF_NOEXIST);
        tally = bpf_map_lookup_elem(&tallies, &key);
    }
    if (!tally) {
        wg_count(WG_COUNT_TALLY_FAILED, 1);
        return 0;
    }
    __sync_fetch_and_add(&tally->count, 1);
    if (end <= begin) {
        __sync_fetch_and_add(&tally->unanswered, 1);
        return 0;
    }
    __sync_fetch_and_add(&tally->sum_ns, end - begin);
    __sync_fetch_and_add(&tally->buckets[wg_tally_bucket(end - begin) & (WG_TALLY_BUCKETS - 1)], 1);
    return 0;
}
