// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// Arithmetic of positions: sequence numbers to 64 bits, how far a rule reaches, the last bytes of a run.
// Pure: also compiled and tested natively.
#pragma once

#include <linux/types.h>
#include <stdbool.h>

#include "bpf/abi/rules.h"

// 64-bit position near `reference` whose low 32 bits are the sequence number.
static inline __attribute__((always_inline)) __u64 wg_unwrap(__u64 reference, __u32 sequence) {
    return reference + (__u64)(__s64)(__s32)(sequence - (__u32)reference);
}

// How much of a call of `size` bytes at `position` a rule lets through that reaches so far.
static inline __attribute__((always_inline)) __u64 wg_mode_allows(__u8 mode, __u64 limit, __u64 turn_start,
                                                                  __u64 position, __u32 size) {
    if (mode == WG_RULE_MUTE) return 0;
    if (mode == WG_RULE_HEAD) {
        const __u64 gone = position - turn_start;
        limit = gone < limit ? limit - gone : 0;
    }
    return size < limit ? size : limit;
}

// The same for a call after `gone` bytes of its direction. A connection's first bytes are let through whatever the rule
// says: later messages refer to them, and user space has not looked at them yet. In its first WG_FIRST_SMALL bytes
// small calls reach further into a turn of which nothing was cut: they may be answers to many requests in one go, of
// which user space has not heard yet. Where several threads send or read, the first bytes of a turn may be reported
// after others of it.
enum { WG_FIRST_BYTES = 16384, WG_SMALL_CALL = 1024, WG_FIRST_SMALL = 1u << 20 };
static inline __attribute__((always_inline)) __u64 wg_allows(const struct wg_rule* rule, __u64 turn_start,
                                                             __u64 position, __u32 size, __u64 gone, bool is_cut) {
    if (position < turn_start) turn_start = position;
    __u64 limit = rule->bytes;
    const bool is_further = !is_cut && size <= WG_SMALL_CALL && gone < WG_FIRST_SMALL && rule->mode == WG_RULE_HEAD;
    if (is_further && limit < WG_FIRST_BYTES) limit = WG_FIRST_BYTES;
    const __u64 by_rule = wg_mode_allows(rule->mode, limit, turn_start, position, size);
    if (gone >= WG_FIRST_BYTES || rule->mode == WG_RULE_MUTE) return by_rule;
    const __u64 first = WG_FIRST_BYTES - gone < size ? WG_FIRST_BYTES - gone : size;
    return by_rule > first ? by_rule : first;
}

// The last eight bytes after a call of `size` bytes: `tail` holds the last of it, right-aligned, `before`
// what stood there. The last chunk often goes alone.
static inline __attribute__((always_inline)) __u64 wg_join_tail(__u64 before, __u64 tail, __u64 size) {
    return size < 8 ? tail | before >> (8 * size) : tail;
}
