// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// Arithmetic of positions: sequence numbers to 64 bits, how far a rule reaches, the last bytes of a run.
// Pure: also compiled and tested natively.
#pragma once

#include <linux/types.h>

#include "bpf/abi/rules.h"

// 64-bit position near `reference` whose low 32 bits are the sequence number.
static inline __attribute__((always_inline)) __u64 wg_unwrap(__u64 reference, __u32 sequence) {
    return reference + (__u64)(__s64)(__s32)(sequence - (__u32)reference);
}

// How much of a call of `size` bytes at `position` the rule lets through.
static inline __attribute__((always_inline)) __u64 wg_rule_allows(const struct wg_rule *rule, __u64 turn_start,
                                                                  __u64 position, __u32 size) {
    if (rule->mode == WG_RULE_MUTE) return 0;
    __u64 limit = rule->bytes;
    if (rule->mode == WG_RULE_HEAD) {
        const __u64 gone = position - turn_start;
        limit = gone < limit ? limit - gone : 0;
    }
    return size < limit ? size : limit;
}

// The last eight bytes after a call of `size` bytes: `tail` holds the last of it, right-aligned, `before`
// what stood there. The last chunk often goes alone.
static inline __attribute__((always_inline)) __u64 wg_join_tail(__u64 before, __u64 tail, __u64 size) {
    return size < 8 ? tail | before >> (8 * size) : tail;
}
