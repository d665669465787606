// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// Nothing differs between kernels on the host, and no message of theirs is walked back.
#pragma once

#include "bpf/core/kernel.h"
#include "bpf/lib/iov.h"

struct msghdr;
WG_INLINE void wg_text_from_message(struct wg_text*, struct msghdr*, u64) {}
