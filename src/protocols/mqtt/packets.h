// SPDX-License-Identifier: Apache-2.0
// MQTT's control packets, as far as they are told. Pure.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>

#include "protocols/protocol.h"
#include "spans/trace_context.h"

namespace waggle::protocols::mqtt {

inline constexpr std::size_t kMaxFront = 4096;  // of a packet that is read

enum class Type : std::uint8_t {
    Connect = 1,
    Connack,
    Publish,
    Puback,
    Pubrec,
    Pubrel,
    Pubcomp,
    Subscribe,
    Suback,
    Unsubscribe,
    Unsuback,
    Pingreq,
    Pingresp,
    Disconnect,
    Auth,
};

struct Packet {
    Type type{};
    std::uint8_t flags = 0;
    std::uint64_t size = 0;  // all of it
    std::size_t header = 0;  // of that, before what the type says
    unsigned quality() const { return flags >> 1 & 3; }
    bool is_repeated() const { return (flags & 8) != 0; }
};

// The fixed header at the front of bytes; Invalid when this side sends no such packet.
std::expected<Packet, Stop> read_packet(std::string_view bytes, Side side);

// How many bytes of the packet are looked at; nothing when that is not known yet.
std::optional<std::size_t> front_of(const Packet& packet, std::string_view bytes);

struct Connect {
    std::uint8_t level = 0;
    std::string_view client_id;
};
std::optional<Connect> read_connect(const Packet& packet, std::string_view front);

struct Publish {
    std::string_view topic;
    std::uint16_t id = 0;     // 0 where nobody answers
    std::uint16_t alias = 0;  // 0: none
    std::optional<spans::TraceContext> trace;
};
// level: of the protocol, 0 where it is unknown.
std::optional<Publish> read_publish(const Packet& packet, std::string_view front, std::uint8_t level);

// Of packets that begin with one, 0 when it is not there.
std::uint16_t read_id(const Packet& packet, std::string_view front);
// The reason of Puback, Pubrec, Pubrel, Pubcomp and Disconnect: 0 when there is none.
std::uint8_t read_reason(const Packet& packet, std::string_view front);
// Connack's code, told as a reason of version 5.
std::uint8_t read_connack(const Packet& packet, std::string_view front);

// The first filter that was refused, and why.
struct Refusal {
    std::string_view filter;
    std::uint8_t reason = 0;
};
std::optional<Refusal> read_refusal(const Packet& suback, std::string_view front, std::string_view subscribe,
                                    std::uint8_t level);
// What of a Subscribe stands behind its id and properties: filters.
std::string_view filters_of(const Packet& packet, std::string_view front, std::uint8_t level);

// Version 5's name of a reason; empty where it is none of failure.
std::string_view reason_name(std::uint8_t reason);

Sniff sniff(std::string_view bytes, Side side);

}  // namespace waggle::protocols::mqtt
