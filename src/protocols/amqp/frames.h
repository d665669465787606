// SPDX-License-Identifier: Apache-2.0
// AMQP's frames, the methods that are told, and the head of a message. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "protocols/protocol.h"
#include "spans/trace_context.h"

namespace waggle::protocols::amqp {

inline constexpr std::string_view kGreeting("AMQP\0\0\x09\x01", 8);
inline constexpr std::size_t kHeader = 7;

enum class Type : std::uint8_t { Method = 1, Header = 2, Body = 3, Heartbeat = 8 };

struct Frame {
    Type type = Type::Heartbeat;
    std::uint16_t channel = 0;
    std::uint32_t size = 0;
    std::uint64_t whole() const { return kHeader + std::uint64_t{size} + 1; }
};

// Nothing when these seven bytes, or the last one where it is here, are no frame's.
std::optional<Frame> read_frame(std::string_view bytes);

// Class in the high half, method in the low one.
enum class Method : std::uint32_t {
    ConnectionClose = 10 << 16 | 50,
    ChannelOpen = 20 << 16 | 10,
    ChannelClose = 20 << 16 | 40,
    Publish = 60 << 16 | 40,
    Return = 60 << 16 | 50,
    Deliver = 60 << 16 | 60,
    Get = 60 << 16 | 70,
    GetOk = 60 << 16 | 71,
    GetEmpty = 60 << 16 | 72,
    Ack = 60 << 16 | 80,
    Reject = 60 << 16 | 90,
    Nack = 60 << 16 | 120,
    ConfirmSelect = 85 << 16 | 10,
};

struct Call {
    Method method{};
    std::string_view exchange;
    std::string_view routing_key;
    std::string_view queue;
    std::uint64_t tag = 0;
    bool is_multiple = false;
    bool is_mandatory = false;
    std::uint16_t code = 0;  // of Return and the two of Close
};
// Of a method frame's payload; nothing when it is short, or none.
std::optional<Call> read_call(std::string_view payload);

struct MessageHead {
    std::uint64_t size = 0;  // of the body
    std::optional<spans::TraceContext> trace;
};
std::optional<MessageHead> read_message_head(std::string_view payload);

Sniff sniff(std::string_view bytes, Side side);

}  // namespace waggle::protocols::amqp
