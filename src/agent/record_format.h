// SPDX-License-Identifier: Apache-2.0
// Record files: eight bytes, then records as bpf/abi/events.h has them (type, version, length,
// time, body). Here is what user space adds, so that a replay needs nothing else. Unknown types are
// skipped by length.
#pragma once

#include <cstdint>
#include <string_view>

#include "bpf/abi/events.h"

namespace waggle::agent {

inline constexpr std::string_view kRecordMagic = "WAGGLE1\n";
inline constexpr std::uint32_t kMaxRecordBytes = 1u << 20;
inline constexpr std::uint32_t kMaxRecordRings = 1024;

// Beside WG_EVENT_TICK (only the head), WG_EVENT_TAIL (TailRecord) and WG_EVENT_PROCESS (JSON).
inline constexpr auto kRecordRing = static_cast<wg_event_type>(103);      // RingRecord
inline constexpr auto kRecordSettings = static_cast<wg_event_type>(104);  // JSON

// What follows was read from this ring: each ring has a tracker of its own.
struct RingRecord {
    wg_event head;
    std::uint32_t ring;
    std::uint32_t padding;
};
static_assert(sizeof(RingRecord) == 24);

struct TailRecord {
    wg_event head;
    wg_tail_key key;
    wg_tail tail;
};
static_assert(sizeof(TailRecord) == 72);

}  // namespace waggle::agent
