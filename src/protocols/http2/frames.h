// SPDX-License-Identifier: Apache-2.0
// HTTP/2 frames (RFC 9113 §4, §6): headers, what makes nine bytes one, and who speaks HTTP/2.
#pragma once

#include <cstdint>
#include <string_view>

#include "protocols/protocol.h"

namespace waggle::protocols::http2 {

inline constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
inline constexpr std::size_t kHeaderSize = 9;

enum FrameType : std::uint8_t {
    kData,
    kHeaders,
    kPriority,
    kReset,
    kSettings,
    kPushPromise,
    kPing,
    kGoAway,
    kWindowUpdate,
    kContinuation,
};

enum FrameFlag : std::uint8_t {
    kAck = 0x1,
    kEndStream = 0x1,
    kEndHeaders = 0x4,
    kPadded = 0x8,
    kHasPriority = 0x20,
};

struct FrameHeader {
    std::uint32_t length = 0;
    std::uint8_t type = 0;
    std::uint8_t flags = 0;
    std::uint32_t stream = 0;
    bool has(FrameFlag flag) const { return flags & flag; }
};

// Of at least kHeaderSize bytes.
FrameHeader read_header(std::string_view bytes);
std::uint32_t read_u32(std::string_view bytes);

// May it stand where a frame is known to begin? What is not known is let through.
bool is_possible(const FrameHeader& header);
// Is it one, where nothing is known? Reserved bits and unknown types speak against it.
bool is_plausible(const FrameHeader& header);

// Do frames begin here? Yes needs two headers, one of them plausible at least where the other says; or one whose
// frame ends with the bytes, when they are all that went by in a call.
Sniff find_frames(std::string_view bytes, bool is_whole);

// The header block within the payload of a HEADERS or PUSH_PROMISE frame, which may be cut short.
// False: padding or priority leave no room.
bool strip(const FrameHeader& header, std::string_view& payload);

Sniff sniff(std::string_view bytes, Side side);

// "cancel" and the like (RFC 9113 §7).
std::string_view error_text(std::uint32_t code);

}  // namespace waggle::protocols::http2
