// SPDX-License-Identifier: Apache-2.0
// Time inside is CLOCK_MONOTONIC nanoseconds, as bpf_ktime_get_ns gives it; wall time exists only
// at export and is computed from one offset per export.
#pragma once

#include <time.h>

#include <cstdint>

namespace waggle {

using MonotonicNs = uint64_t;

inline uint64_t clock_ns(clockid_t clock) {
    timespec now{};
    ::clock_gettime(clock, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(now.tv_nsec);
}

inline MonotonicNs monotonic_now() { return clock_ns(CLOCK_MONOTONIC); }

// Add to a monotonic time to get nanoseconds since the Unix epoch.
inline int64_t wall_offset_ns() {
    return static_cast<int64_t>(clock_ns(CLOCK_REALTIME)) - static_cast<int64_t>(monotonic_now());
}

}  // namespace waggle
