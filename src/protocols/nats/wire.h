// SPDX-License-Identifier: Apache-2.0
// NATS' lines, and what follows them. Pure.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>

#include "protocols/framed.h"
#include "spans/trace_context.h"

namespace waggle::protocols::nats {

inline constexpr std::size_t kMaxLine = 4096;       // of a message or a subscription
inline constexpr std::size_t kMaxGreeting = 32768;  // of INFO and CONNECT
inline constexpr std::size_t kMaxHeaders = 4096;    // as many bytes of them are read
inline constexpr std::size_t kMaxPayload = 256;     // likewise

enum class Verb : std::uint8_t {
    Info,
    Connect,
    Publish,
    Subscribe,
    Unsubscribe,
    Message,
    Ping,
    Pong,
    Ok,
    Error,
    Route
};

struct Line {
    Verb verb = Verb::Ping;
    std::string_view subject;
    std::string_view reply;
    std::string_view queue;     // of a subscription
    std::string_view id;        // of a subscription, or that a message is for
    std::string_view text;      // of Info, Connect and Error
    std::uint64_t headers = 0;  // bytes of the headers, in size
    std::uint64_t size = 0;     // bytes that follow the line, without their own end
    std::size_t length = 0;     // of the line with its end
    bool has_body = false;
};

// The line at the front of bytes.
std::expected<Line, Stop> read_line(std::string_view bytes, bool is_final);

// Of a message's headers.
struct Headers {
    std::uint16_t status = 0;  // 0: none
    std::optional<spans::TraceContext> trace;
};
Headers read_headers(std::string_view bytes);

// What the server's complaint is called; no subject, and nothing else that somebody chose, is in it.
std::string_view error_name(std::string_view text);
// The subject that it is about, where it says so.
std::string_view error_subject(std::string_view text);

Sniff sniff(std::string_view bytes, Side side);

}  // namespace waggle::protocols::nats
