// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// Storage: where a connection's state is kept. In the socket's own storage, which the kernel frees with
// it; for WG_PLAIN in a hash by socket, an entry of which is deleted when the socket is freed.
#pragma once

#include "bpf/core/kernel.h"

#ifndef WG_PLAIN

struct {
    __uint(type, BPF_MAP_TYPE_SK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct wg_conn);
} connections SEC(".maps");

// Most sockets of a host have none: that look costs less than the call.
WG_INLINE struct wg_conn* wg_conn_find(struct sock* sk) {
    if (bpf_core_field_exists(sk->sk_bpf_storage) && !sk->sk_bpf_storage) return NULL;
    return bpf_sk_storage_get(&connections, sk, 0, 0);
}

WG_INLINE struct wg_conn* wg_conn_create(struct sock* sk) {
    return bpf_sk_storage_get(&connections, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
}

// Unique while the host is up.
WG_INLINE u64 wg_conn_new_id(struct sock* sk) { return bpf_get_socket_cookie(sk); }

// Of any socket, 0 when it has none.
WG_INLINE u64 wg_conn_id_of(struct sock* sk) { return BPF_CORE_READ(sk, __sk_common.skc_cookie.counter); }

// Of a socket that is known to be TCP's.
WG_INLINE struct tcp_sock* wg_tcp_of(struct sock* sk) {
#ifdef WG_CAST
    return bpf_rdonly_cast(sk, bpf_core_type_id_kernel(struct tcp_sock));
#else
    return bpf_skc_to_tcp_sock(sk);
#endif
}

#else

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 16384);
    __type(key, u64);
    __type(value, struct wg_conn);
} connections SEC(".maps");

// What a new entry is copied from: the stack has no room for one.
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, u32);
    __type(value, struct wg_conn);
} blank_connection SEC(".maps");

WG_INLINE struct wg_conn* wg_conn_find(struct sock* sk) {
    const u64 key = (u64)sk;
    return bpf_map_lookup_elem(&connections, &key);
}

WG_INLINE struct wg_conn* wg_conn_create(struct sock* sk) {
    const u64 key = (u64)sk;
    struct wg_conn* found = bpf_map_lookup_elem(&connections, &key);
    if (found) return found;
    const u32 zero = 0;
    const struct wg_conn* blank = bpf_map_lookup_elem(&blank_connection, &zero);
    if (blank) bpf_map_update_elem(&connections, &key, blank, BPF_NOEXIST);
    return bpf_map_lookup_elem(&connections, &key);
}

WG_INLINE void wg_conn_delete(struct sock* sk) {
    const u64 key = (u64)sk;
    bpf_map_delete_elem(&connections, &key);
}

// A processor makes at most one at a time. The highest bit is plaintext's (WG_PLAIN_ID).
WG_INLINE u64 wg_conn_new_id(struct sock* sk) {
    return (bpf_ktime_get_ns() << 8 | (bpf_get_smp_processor_id() & 0xff)) & ~(1ull << 63);
}

WG_INLINE u64 wg_conn_id_of(struct sock* sk) {
    const struct wg_conn* found = wg_conn_find(sk);
    return found ? found->id : 0;
}

WG_INLINE struct tcp_sock* wg_tcp_of(struct sock* sk) { return (struct tcp_sock*)sk; }

#endif
