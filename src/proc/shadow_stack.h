// SPDX-License-Identifier: Apache-2.0
// Whether processes here may have a shadow stack: a second one, of return addresses only, by which the processor tells
// a return to somewhere else, and faults. Each process decides when it begins, after its libraries were mapped, so that
// none can be asked in time.
#pragma once

#include "proc/procfs.h"

namespace waggle::proc {

bool has_shadow_stacks(const ProcFs& procfs);

}  // namespace waggle::proc
