// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// io_uring: gives the text of what the socket tracepoints saw io_uring move. The user's buffer is in
// the request, which stands whole until its completion is posted. Vectored requests keep only the
// address of vectors that the program may have dropped since: those stay without text.
#define WG_HAS_LOOP  // the tracepoint is younger
#include "bpf/abi/events.h"
#include "bpf/core/kernel.h"
#include "bpf/lib/copies.h"
#include "bpf/lib/pending.h"
#include "bpf/lib/scratch.h"
#include "bpf/lib/task.h"

char _license[] SEC("license") = "Dual BSD/GPL";

enum { S_IFMT_ = 0170000, S_IFSOCK_ = 0140000 };
enum { WG_COMPLETION = 2 };  // in a mark, beside the directions

enum io_uring_op_ {
    IORING_OP_READV_ = 1,
    IORING_OP_READ_FIXED_ = 4,
    IORING_OP_WRITE_FIXED_ = 5,
    IORING_OP_RECVMSG_ = 10,
    IORING_OP_READ_ = 22,
    IORING_OP_WRITE_ = 23,
    IORING_OP_SEND_ = 26,
    IORING_OP_RECV_ = 27,
    IORING_OP_SEND_ZC_ = 47,
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct io_cqe {
    s32 res;
};
// The command of each kind of request lies over the beginning of the request.
struct io_kiocb {
    struct file* file;
    u8 opcode;
    struct io_cqe cqe;
};
struct io_rw {
    u64 addr;
};
struct io_sr_msg {
    void* buf;
};
#pragma clang attribute pop

WG_INLINE bool wg_is_receive(u8 opcode) {
    return opcode == IORING_OP_RECV_ || opcode == IORING_OP_READ_ || opcode == IORING_OP_READ_FIXED_ ||
           opcode == IORING_OP_RECVMSG_ || opcode == IORING_OP_READV_;
}

WG_INLINE u64 wg_request_buffer(struct io_kiocb* request, u8 opcode) {
    switch (opcode) {
        case IORING_OP_READ_:
        case IORING_OP_READ_FIXED_:
        case IORING_OP_WRITE_:
        case IORING_OP_WRITE_FIXED_:
            return BPF_CORE_READ((struct io_rw*)request, addr);
        case IORING_OP_SEND_:
        case IORING_OP_SEND_ZC_:
        case IORING_OP_RECV_:
            return (u64)BPF_CORE_READ((struct io_sr_msg*)request, buf);
        default:
            return 0;
    }
}

WG_INLINE void wg_complete(struct wg_pending* waiting, u64 buffer, struct wg_scratch* s, u32 slot) {
    struct wg_data_event* event = &s->event;
    *event = waiting->event;
    s->text.kind = WG_TEXT_FLAT;
    s->text.base = buffer;
    s->text.skip = 0;
    u64 captured = wg_copy_text(slot, waiting->wanted);
    if (captured < waiting->wanted) wg_count(WG_COUNT_READ_FAILED, 1);
    if (captured < event->size && wg_copy_tail(slot, event->size)) {
        event->flags |= WG_DATA_TAIL;
        __builtin_memcpy(event->tail, &s->tail, 8);
    }
    captured = WG_BOUND(captured, WG_TEXT_MAX);
    event->captured = captured;
    event->head.length = sizeof(*event) + captured;
    if (!wg_emit(waiting->ring, event, sizeof(*event) + captured)) {
        wg_count(WG_COUNT_RING_FULL, 1);
        wg_count(WG_COUNT_RING_FULL_BYTES, event->size);
    }
}

// 5.19 and later: the second argument is the request, whatever follows it.
SEC("tp_btf/io_uring_complete")
int BPF_PROG(io_complete, void* context, void* argument) {
    struct io_kiocb* request = argument;
    if (!request || !wg_is_target(bpf_get_current_pid_tgid() >> 32)) return 0;
    struct file* file = BPF_CORE_READ(request, file);
    if (!file || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT_) != S_IFSOCK_) return 0;
    const s32 result = BPF_CORE_READ(request, cqe.res);
    if (settings.copies > 1 && wg_runs_again(request, WG_COMPLETION, result, false)) return 0;
    struct socket* socket = BPF_CORE_READ(file, private_data);
    const u8 opcode = BPF_CORE_READ(request, opcode);
    const u32 direction = wg_is_receive(opcode) ? WG_RECEIVE : WG_SEND;
    const struct wg_tail_key key = {.connection = BPF_CORE_READ(socket, sk, __sk_common.skc_cookie.counter),
                                    .direction = direction};
    struct wg_pending* waiting = bpf_map_lookup_elem(&pending, &key);
    if (!waiting) return 0;
    const u64 buffer = wg_request_buffer(request, opcode);
    u32 slot = 0;
    struct wg_scratch* s = NULL;
    if (buffer && result == (s32)waiting->event.size) s = wg_take_scratch(direction, &slot);
    if (s) {
        wg_complete(waiting, buffer, s, slot);
        s->is_busy = 0;
    } else {
        wg_emit_unread(waiting);
    }
    bpf_map_delete_elem(&pending, &key);
    return 0;
}
