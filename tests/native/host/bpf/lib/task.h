// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// The host's test has one process, which is nobody's.
#pragma once

#include "bpf/core/kernel.h"

struct wg_owner {
    u64 start_ns;
    u32 tgid;
    u32 pid;
};
WG_INLINE u32 bpf_get_smp_processor_id() { return 0; }
