// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// TLS sessions: the plaintext connections that are known, how they are reported, and when they are forgotten.
#pragma once

#include "bpf/abi/events.h"
#include "bpf/abi/tls.h"
#include "bpf/lib/report.h"
#include "bpf/lib/tls_call.h"

struct wg_tls_session {
    struct wg_conn conn;
    u64 beneath;
    u32 from_start;
    u8 is_go;
    u8 is_rust;
    u8 is_found;
    u8 padding;
    u32 sending;   // Go's calls that have reserved places and are under way
    u32 is_freed;  // it was closed meanwhile: the last of them forgets it
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 65536);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, struct wg_tls_key);
    __type(value, struct wg_tls_session);
} tls_sessions SEC(".maps");

// What a new entry is copied from: the stack has no room for one.
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, u32);
    __type(value, struct wg_tls_session);
} blank_session SEC(".maps");

WG_INLINE struct wg_tls_session* wg_session_new(const struct wg_tls_key* key, u32 from_start, bool is_go) {
    const u32 zero = 0;
    const struct wg_tls_session* blank = bpf_map_lookup_elem(&blank_session, &zero);
    if (!blank || bpf_map_update_elem(&tls_sessions, key, blank, BPF_ANY)) {
        wg_count(WG_COUNT_STORAGE_FAILED, 1);
        return NULL;
    }
    struct wg_tls_session* session = bpf_map_lookup_elem(&tls_sessions, key);
    if (!session) return NULL;
    struct wg_conn* conn = &session->conn;
    conn->id = WG_PLAIN_ID | wg_conn_new_id(NULL);
    session->from_start = from_start;
    session->is_go = is_go;
    if (!from_start) {
        conn->next[WG_SEND] = (1ull << 32) + bpf_get_prandom_u32();
        conn->next[WG_RECEIVE] = (1ull << 32) + bpf_get_prandom_u32();
    }
    // Who asks and who answers is known where the socket is: both are followed as far as requests are.
    for (u32 i = 0; i < 2; i++) conn->rule[i] = (struct wg_rule){.mode = WG_RULE_HEAD, .bytes = settings.request_bytes};
    conn->ring = settings.ring_count > 1 ? key->kernel_tgid % settings.ring_count : 0;
    return session;
}

// A function of its own: the event has its own piece of the stack.
WG_COLD int wg_report_plain(const struct wg_tls_session* session, const struct wg_owner* owner, u64 now) {
    if (!session || !owner) return 0;
    struct wg_plain_event event = {};
    event.head.type = WG_EVENT_PLAIN;
    event.head.version = WG_EVENT_VERSION;
    event.head.length = sizeof(event);
    event.head.time_ns = now;
    event.connection = session->conn.id;
    event.beneath = session->beneath;
    event.process_start_ns = owner->start_ns;
    event.pid = owner->pid;
    event.kernel_tgid = owner->tgid;
    event.source = session->is_go      ? WG_SOURCE_GO_TLS
                   : session->is_rust  ? WG_SOURCE_RUST_TLS
                   : session->is_found ? WG_SOURCE_FOUND_TLS
                                       : WG_SOURCE_TLS;
    event.from_start = session->from_start && session->conn.bytes[0] + session->conn.bytes[1] == 0;
    event.next[WG_SEND] = session->conn.next[WG_SEND];
    event.next[WG_RECEIVE] = session->conn.next[WG_RECEIVE];
    // What Go's calls send has its place before it is told of: only the beginning is known.
    if (session->is_go) event.next[WG_SEND] = event.from_start ? 0 : ~0ull;
    if (wg_emit_new(session->conn.ring, &event, sizeof(event))) return 1;
    wg_count(WG_COUNT_RING_FULL_CONNECTION, 1);
    return 0;
}

// User space may have forgotten a connection that was silent for long.
WG_INLINE bool wg_was_silent(const struct wg_conn* conn, u64 now) {
    const u64 last = conn->end_ns[0] > conn->end_ns[1] ? conn->end_ns[0] : conn->end_ns[1];
    return last && now > last + WG_IDLE_NS;
}

// What a call sends has its place when the call begins: the answer may be read by another goroutine before it ends.
WG_INLINE void wg_tls_reserve(struct wg_tls_call* call, const struct wg_tls_thread* thread,
                              const struct wg_tls_key* key, u64 size) {
    const struct wg_tls_call* before = thread->inner.session ? &thread->inner : &thread->outer;
    // The entry is passed again when the stack has been made larger.
    if (before->session == call->session && before->stack == call->stack && before->reserved) {
        call->position = before->position;
        call->reserved = before->reserved;
        return;
    }
    struct wg_tls_session* session = bpf_map_lookup_elem(&tls_sessions, key);
    if (!session || size > (1u << 31) - 1) return;
    call->position = __sync_fetch_and_add(&session->conn.next[WG_SEND], size);
    call->reserved = size;
    __sync_fetch_and_add(&session->sending, 1);
}

// It has sent less.
WG_INLINE void wg_tls_give_back(const struct wg_tls_call* call, const struct wg_tls_key* key, u32 size) {
    struct wg_tls_session* session = bpf_map_lookup_elem(&tls_sessions, key);
    if (session && session->conn.next[WG_SEND] == call->position + call->reserved)
        session->conn.next[WG_SEND] = call->position + size;
}

// Its tails are still to be read.
WG_INLINE void wg_session_ends(struct wg_tls_session* session) {
    bpf_map_delete_elem(&rules, &session->conn.id);
    if (session->conn.request_ns) wg_tally_ends(&session->conn, session->conn.plain_port);
}

WG_INLINE int wg_tls_forget(const struct wg_tls_key* key) {
    struct wg_tls_session* known = bpf_map_lookup_elem(&tls_sessions, key);
    if (known) wg_session_ends(known);
    bpf_map_delete_elem(&tls_sessions, key);
    return 0;
}

// A goroutine may close what others send by: they are told of when their calls return.
WG_INLINE int wg_tls_close_go(const struct wg_tls_key* key) {
    struct wg_tls_session* session = bpf_map_lookup_elem(&tls_sessions, key);
    if (!session || !session->sending) return wg_tls_forget(key);
    session->is_freed = 1;
    return 0;
}

WG_INLINE void wg_tls_sent(const struct wg_tls_key* key) {
    struct wg_tls_session* session = bpf_map_lookup_elem(&tls_sessions, key);
    if (session && session->sending && __sync_fetch_and_sub(&session->sending, 1) == 1 && session->is_freed)
        wg_tls_forget(key);
}
