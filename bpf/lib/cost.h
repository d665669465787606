// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// What the programs cost the services: one run in 64 or so takes its own time.
#pragma once

#include "bpf/core/ring.h"

// `any`: a number that differs from run to run. When this one began, or 0: it is not measured.
WG_INLINE u64 wg_cost_begins(u64 any) { return WG_UNLIKELY((any & 63) == 0) ? bpf_ktime_get_ns() : 0; }

WG_INLINE void wg_cost_ends(u64 began) {
    if (WG_LIKELY(!began)) return;
    wg_count(WG_COUNT_SAMPLED_RUNS, 1);
    wg_count(WG_COUNT_SAMPLED_NS, bpf_ktime_get_ns() - began);
}
