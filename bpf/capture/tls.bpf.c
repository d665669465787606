// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// TLS libraries whose functions take a session, a buffer and a size: the plaintext of watched processes, by probes
// at the entry of its functions and at places where the result is known (the probe's cookie says which: abi/tls.h).
// Never a return probe. Plaintext streams count for themselves; whose socket is beneath, the socket hooks tell.
#define WG_PLAIN
#define WG_UPROBES
#include "bpf/abi/tls.h"
#include "bpf/abi/events.h"
#include "bpf/abi/rules.h"
#include "bpf/core/arch.h"
#include "bpf/core/kernel.h"
#include "bpf/core/ring.h"
#include "bpf/lib/conn.h"
#include "bpf/lib/cost.h"
#include "bpf/lib/report.h"
#include "bpf/lib/task.h"
#include "bpf/lib/tls.h"
#include "bpf/lib/tls_rust.h"
#include "bpf/lib/tls_session.h"
#include "bpf/lib/tls_stranger.h"

char _license[] SEC("license") = "Dual BSD/GPL";

// The call has moved `size` bytes of plaintext.
WG_COLD int wg_tls_moved(const struct wg_tls_call* call, const struct wg_tls_key* of, u32 size, u32 is_go) {
    if (!call || !of) return 0;
    const struct wg_tls_key own = *of;  // before 6.2 an argument is no key
    const struct wg_tls_key* key = &own;
    const u64 beneath = call->beneath == WG_TLS_AMBIGUOUS ? 0 : call->beneath;
    const struct wg_state* page = wg_get_state();
    if (!page) return 0;
    const u64 now = bpf_ktime_get_ns();
    struct wg_tls_session* session = bpf_map_lookup_elem(&tls_sessions, key);
    // A session that goes on with another socket was cleared, and is another connection's.
    if (session && beneath && session->beneath && session->beneath != beneath) {
        wg_session_ends(session);
        session = NULL;
    }
    if (!session) session = wg_session_new(key, 0, is_go);
    if (!session) return 0;
    session->is_rust = (call->direction & WG_TLS_RUST) != 0;
    session->is_found = (call->direction & WG_TLS_BY_CODE) != 0;
    struct wg_conn* conn = &session->conn;
    u32 slot = 0;
    const enum wg_direction direction = call->direction & 1;
    const u64 reserved_until = conn->next[WG_SEND];  // by calls that are under way
    // What the peer does with the last byte comes after it went, which may be before the library returns.
    const struct wg_send send = {.first_ns = call->began_ns,
                                 .last_ns = call->sent_ns ? call->sent_ns : call->began_ns,
                                 .sequence = call->reserved ? call->position : conn->next[WG_SEND]};
    const struct wg_send* as_send = direction == WG_SEND ? &send : NULL;
    if (beneath) wg_learn_role(conn, call->role, call->port);
    wg_refresh_rules(conn, page);
    enum wg_counter cause = wg_obstacle(page, now);
    struct wg_scratch* s = NULL;
    if (cause == WG_COUNTERS) {
        s = wg_take_scratch(direction, &slot);
        if (!s) cause = WG_COUNT_SCRATCH_BUSY;
    }
    const u32 turns_before = conn->turns.count[direction];
    const bool is_counting = cause == WG_COUNT_COUNTED;
    if (s) {
        struct task_struct* task = wg_current_task();
        wg_own(conn, s, slot, key->kernel_tgid, page->target_generation);
        const bool is_bound_now = beneath && session->beneath != beneath;
        if (is_bound_now) session->beneath = beneath;
        if (is_bound_now || !conn->is_open || wg_was_silent(conn, now))
            conn->is_open = wg_report_plain(session, &s->owner, now);
        s->text.kind = call->buffer ? WG_TEXT_FLAT : WG_TEXT_NONE;
        s->text.base = call->buffer;
        s->text.skip = 0;
        wg_move(NULL, direction, size, s, slot, conn, task, now, true, as_send, page);
        s->is_busy = 0;
    } else {  // the gap shows by the positions of what follows
        if (is_counting && conn->owner.tgid != key->kernel_tgid)
            wg_note_owner(conn, key->kernel_tgid, page->target_generation);
        wg_pass_over(conn, NULL, direction, size, as_send, cause);
    }
    if (is_counting || conn->request_ns)
        wg_keep_tally(conn, NULL, direction, turns_before, is_counting, as_send ? send.first_ns : now,
                      as_send ? send.last_ns : now);
    if (conn->next[WG_SEND] < reserved_until) conn->next[WG_SEND] = reserved_until;
    return 0;
}

// One buffer of a list.
WG_INLINE long wg_tls_moved_next(u64 index, struct wg_rust_list* list) {
    struct wg_vector next;
    if (!list->count || !list->left || bpf_probe_read_user(&next, sizeof(next), (void*)list->user)) return 1;
    list->count--;
    list->user += sizeof(next);
    if (next.size <= list->skip) {
        list->skip -= next.size;
        return 0;
    }
    list->call->buffer = next.base + list->skip;
    u64 size = next.size - list->skip;
    list->skip = 0;
    if (size > list->left) size = list->left;
    list->left -= size;
    wg_tls_moved(list->call, list->key, size, false);
    return 0;
}

WG_INLINE int wg_tls_moved_list(struct wg_tls_call* call, const struct wg_tls_key* key, u32 size) {
    struct wg_rust_list list = {
        .call = call, .key = key, .user = call->buffer, .count = call->moved, .skip = call->position, .left = size};
    WG_LOOP(WG_VECTORS, wg_tls_moved_next, list);
    call->buffer = 0;
    return list.left ? wg_tls_moved(call, key, list.left, false) : 0;
}

// A handshake is over: the session begins, unless it is the same as before with new keys.
WG_INLINE int wg_tls_shaken(const struct wg_tls_call* call, const struct wg_tls_key* key) {
    const u64 beneath = call->beneath == WG_TLS_AMBIGUOUS ? 0 : call->beneath;
    struct wg_tls_session* session = bpf_map_lookup_elem(&tls_sessions, key);
    if (session && beneath && session->beneath == beneath) return 0;
    if (session) wg_session_ends(session);
    if ((session = wg_session_new(key, 1, true))) session->beneath = beneath;
    return 0;
}

WG_INLINE int wg_tls_left(struct wg_tls_call* call, u32 tgid, s32 result, bool is_go) {
    const struct wg_tls_key key = {.session = call->session, .kernel_tgid = tgid};
    if (call->direction == WG_TLS_HANDSHAKE) return wg_tls_shaken(call, &key);
    if (result < 0) result = 0;
    if (result && call->moved && !(call->direction & WG_TLS_VECTORS)) {
        u64 moved = 0;
        if (bpf_probe_read_user(&moved, sizeof(moved), (void*)call->moved)) {
            wg_count(WG_COUNT_READ_FAILED, 1);
            return 0;
        }
        result = moved;
    }
    if (result < (s32)call->reserved) wg_tls_give_back(call, &key, result);
    if (result > 0 && call->direction & WG_TLS_VECTORS)
        wg_tls_moved_list(call, &key, result);
    else if (result > 0)
        wg_tls_moved(call, &key, result, is_go);
    if (is_go && call->reserved) wg_tls_sent(&key);
    return 0;
}

WG_INLINE int wg_tls_of_thread(struct pt_regs* regs, enum wg_tls_site site, u64 stack, u32 tgid, bool is_found) {
    struct wg_tls_thread* thread =
        bpf_task_storage_get(&tls_threads, bpf_get_current_task_btf(), 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
    if (!thread) {
        wg_count(WG_COUNT_STORAGE_FAILED, 1);
        return 0;
    }
    struct wg_tls_call* call = &thread->here;
    if (site == WG_TLS_LEAVE || site == WG_TLS_RUST_TAKE) {
        s32 result = wg_function_result(regs);
        if (site == WG_TLS_RUST_TAKE) {
            *call = (struct wg_tls_call){};
            result = wg_rust_record(call, wg_function_argument_1(regs), wg_function_argument_2(regs), tgid);
        } else if (!wg_tls_leave(thread, stack, call)) {
            return 0;
        }
        return wg_tls_left(call, tgid, result, false);
    }
    const bool has_flags = site == WG_TLS_WRITE_FLAGS;
    const bool has_size_at = site == WG_TLS_READ_EX || site == WG_TLS_WRITE_EX || has_flags;
    u64 size_at = wg_function_argument_4(regs);
    u64 behind = wg_function_argument_5(regs);
    asm volatile("" : "+r"(size_at), "+r"(behind));
    if (has_flags && size_at < WG_TLS_NO_ADDRESS) size_at = behind;
    *call = (struct wg_tls_call){
        .session = wg_function_argument_1(regs),
        .buffer = site == WG_TLS_SEND_FILE ? 0 : wg_function_argument_2(regs),
        .moved = has_size_at ? size_at : 0,
        .stack = stack,
        .began_ns = bpf_ktime_get_ns(),
        .direction = site == WG_TLS_READ || site == WG_TLS_READ_EX ? WG_RECEIVE : WG_SEND,
    };
    if (is_found) call->direction |= WG_TLS_BY_CODE;
    if (site == WG_TLS_RUST_WRITE) {
        call->session = wg_rust_identity(call->session, tgid);
        call->direction |= WG_TLS_RUST;
        if (!wg_rust_chunks(call)) return 0;
    }
    wg_tls_enter(thread, call);
    return 0;
}

// A goroutine's stack moves: what stays is how far it is from its end, which runtime.g begins with.
WG_INLINE int wg_tls_of_goroutine(struct pt_regs* regs, enum wg_tls_site site, u64 stack, u32 tgid) {
    const struct wg_go_key key = {.goroutine = wg_goroutine(regs), .kernel_tgid = tgid};
    u64 bounds[2];
    const bool is_read = bpf_probe_read_user(bounds, sizeof(bounds), (void*)key.goroutine) == 0;
    if (!is_read) wg_count(WG_COUNT_READ_FAILED, 1);
    if (!is_read || stack < bounds[0] || stack > bounds[1]) return 0;  // not a goroutine's stack
    stack -= bounds[1];                                                // wraps, and keeps its order
    struct wg_tls_thread* thread = bpf_map_lookup_elem(&go_calls, &key);
    if (site == WG_TLS_GO_LEAVE) {
        if (!thread || !wg_tls_leave(thread, stack, &thread->here)) return 0;
        struct wg_tls_call* left = &thread->here;
        if (left->moved) left->buffer += bounds[1] - left->moved;
        left->moved = 0;
        wg_tls_left(left, tgid, wg_go_argument_1(regs), true);
        if (!thread->outer.session) bpf_map_delete_elem(&go_calls, &key);
        return 0;
    }
    if (!thread) {  // zeros are zeros
        const struct wg_tls_session* blank = bpf_map_lookup_elem(&blank_session, &(u32){0});
        if (blank) bpf_map_update_elem(&go_calls, &key, blank, BPF_ANY);
        thread = bpf_map_lookup_elem(&go_calls, &key);
    }
    if (!thread) {
        wg_count(WG_COUNT_STORAGE_FAILED, 1);
        return 0;
    }
    struct wg_tls_call* call = &thread->here;
    *call = (struct wg_tls_call){
        .session = wg_go_argument_1(regs),
        .buffer = wg_go_argument_2(regs),
        .stack = stack,
        .began_ns = bpf_ktime_get_ns(),
        .direction = site == WG_TLS_GO_READ    ? WG_RECEIVE
                     : site == WG_TLS_GO_WRITE ? WG_SEND
                                               : WG_TLS_HANDSHAKE,
    };
    const struct wg_tls_key session = {.session = call->session, .kernel_tgid = tgid};
    if (call->buffer - bounds[0] < bounds[1] - bounds[0]) call->moved = bounds[1];  // it moves with the stack
    wg_tls_expect_goroutines(wg_get_state());
    if (site == WG_TLS_GO_WRITE) wg_tls_reserve(call, thread, &session, wg_go_argument_3(regs));
    wg_tls_enter(thread, call);
    return 0;
}

WG_INLINE int wg_tls_made(u64 session, u32 tgid, bool is_fresh) {
    const struct wg_tls_key key = {.session = session, .kernel_tgid = tgid};
    if (is_fresh) wg_tls_forget(&key);
    if (session && !bpf_map_lookup_elem(&tls_sessions, &key)) wg_session_new(&key, 1, false);
    return 0;
}

WG_INLINE int wg_tls_at_site(struct pt_regs* regs, u32 tgid) {
    const u64 cookie = bpf_get_attach_cookie(regs);
    const u64 stack = wg_stack_pointer(regs) + (u32)(cookie >> WG_TLS_DEPTH_SHIFT);
    const enum wg_tls_site site = cookie & (WG_TLS_FOUND - 1);
    // Both are read: a choice of addresses in the registers is refused.
    u64 session = wg_function_argument_1(regs);
    u64 result = wg_function_result(regs);  // and a Go function's first argument
    asm volatile("" : "+r"(session), "+r"(result));
    switch (site) {
        case WG_TLS_NEW:
            return wg_tls_made(result, tgid, true);
        case WG_TLS_BEGIN:
            return wg_tls_made(session, tgid, false);
        case WG_TLS_FREE:
            return wg_tls_forget(&(struct wg_tls_key){.session = session, .kernel_tgid = tgid});
        case WG_TLS_GO_FREE:
            return wg_tls_close_go(&(struct wg_tls_key){.session = result, .kernel_tgid = tgid});
        case WG_TLS_RUST_FREE:
            return wg_tls_forget(&(struct wg_tls_key){.session = wg_rust_identity(session, tgid), .kernel_tgid = tgid});
        case WG_TLS_GO_READ:
        case WG_TLS_GO_WRITE:
        case WG_TLS_GO_HANDSHAKE:
        case WG_TLS_GO_LEAVE:
            return wg_tls_of_goroutine(regs, site, stack, tgid);
        default:
            return wg_tls_of_thread(regs, site, stack, tgid, cookie & WG_TLS_FOUND);
    }
}

SEC("uprobe")
int tls_site(struct pt_regs* regs) {
    const u32 tgid = bpf_get_current_pid_tgid() >> 32;
    if (!wg_is_target(tgid)) return wg_tls_stranger(bpf_get_attach_cookie(regs) >> WG_TLS_FILE_SHIFT, tgid);
    const u64 began = wg_cost_begins(bpf_get_prandom_u32());
    wg_tls_at_site(regs, tgid);
    wg_cost_ends(began);
    return 0;
}

// For sensors/uprobe_multi.cc: does a link see the calls of every thread?
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, u32);
    __type(value, u64);
} calls_counted SEC(".maps");

SEC("uprobe")
int count_call(struct pt_regs* regs) {
    const u32 zero = 0;
    u64* count = bpf_map_lookup_elem(&calls_counted, &zero);
    if (count) __sync_fetch_and_add(count, 1);
    return 0;
}
