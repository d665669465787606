// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
// Sockets, by fexit: the same capture on kernels without the socket tracepoints (5.15 to 6.2), or where those are
// switched off.
#define WG_EXITS
#include "bpf/abi/events.h"
#include "bpf/core/kernel.h"

char _license[] SEC("license") = "Dual BSD/GPL";

#include "bpf/capture/socket_exits.h"
#include "bpf/capture/socket_states.h"
