// SPDX-License-Identifier: Apache-2.0
#include "protocols/mqtt/packets.h"

#include <algorithm>
#include <array>

namespace waggle::protocols::mqtt {
namespace {

// Values one after the other; after the first that is not here everything reads as nothing.
class Reader {
  public:
    explicit Reader(std::string_view bytes) : bytes_(bytes) {}

    bool is_good() const { return is_good_; }
    bool is_empty() const { return bytes_.empty(); }
    std::string_view rest() const { return bytes_; }
    std::string_view take(std::size_t size) {
        if (!is_good_ || size > bytes_.size()) {
            is_good_ = false;
            return {};
        }
        const std::string_view text = bytes_.substr(0, size);
        bytes_.remove_prefix(size);
        return text;
    }
    std::uint32_t number(unsigned size) {
        std::uint32_t value = 0;
        for (const char c : take(size)) value = value << 8 | static_cast<unsigned char>(c);
        return value;
    }
    std::string_view text() { return take(number(2)); }
    std::uint32_t variable() {
        std::uint32_t value = 0;
        for (unsigned shift = 0; shift < 28; shift += 7) {
            const std::uint32_t byte = number(1);
            value |= (byte & 0x7f) << shift;
            if (!(byte & 0x80)) return value;
        }
        is_good_ = false;
        return 0;
    }

  private:
    std::string_view bytes_;
    bool is_good_ = true;
};

// No control characters; of a message's own topic no wildcards either.
bool is_topic(std::string_view text) {
    return std::ranges::all_of(text, [](unsigned char c) { return c >= 0x20 && c != 0x7f && c != '#' && c != '+'; });
}

bool is_sent_by(Type type, Side side) {
    switch (type) {
        case Type::Connect:
        case Type::Subscribe:
        case Type::Unsubscribe:
        case Type::Pingreq:
            return side == Side::Request;
        case Type::Connack:
        case Type::Suback:
        case Type::Unsuback:
        case Type::Pingresp:
            return side == Side::Response;
        default:
            return true;
    }
}

bool are_flags_right(const Packet& packet) {
    switch (packet.type) {
        case Type::Publish:
            return packet.quality() != 3;
        case Type::Pubrel:
        case Type::Subscribe:
        case Type::Unsubscribe:
            return packet.flags == 2;
        default:
            return packet.flags == 0;
    }
}

bool is_length_right(const Packet& packet) {
    const std::uint64_t rest = packet.size - packet.header;
    switch (packet.type) {
        case Type::Pingreq:
        case Type::Pingresp:
            return rest == 0;
        case Type::Disconnect:
        case Type::Auth:
            return true;
        case Type::Connect:
            return rest >= 10;
        case Type::Publish:
            return rest >= 2;
        case Type::Subscribe:
        case Type::Unsubscribe:
            return rest >= 5;
        case Type::Suback:
            return rest >= 3;
        default:
            return rest >= 2;
    }
}

// Version 5's list of those of a message.
void read_properties(Reader& reader, Publish& publish) {
    const std::uint32_t length = reader.variable();
    if (!reader.is_good()) return;
    // What was not captured of them stands at their end.
    Reader list(reader.rest().substr(0, length));
    while (list.is_good() && !list.is_empty()) {
        switch (list.number(1)) {
            case 0x01:
                list.take(1);
                break;
            case 0x02:
                list.take(4);
                break;
            case 0x03:
            case 0x08:
            case 0x09:
                list.text();
                break;
            case 0x0b:
                list.variable();
                break;
            case 0x23:
                publish.alias = static_cast<std::uint16_t>(list.number(2));
                break;
            case 0x26: {
                const std::string_view name = list.text();
                const std::string_view value = list.text();
                if (name == "traceparent") publish.trace = spans::parse_traceparent(value);
                break;
            }
            default:
                return;
        }
    }
}

// Of the version before 5, whose codes are numbers from 1.
constexpr std::array<std::uint8_t, 6> kOlder = {0, 0x84, 0x85, 0x88, 0x86, 0x87};

}  // namespace

std::expected<Packet, Stop> read_packet(std::string_view bytes, Side side) {
    if (bytes.empty()) return std::unexpected(Stop::NeedMore);
    const auto first = static_cast<unsigned char>(bytes[0]);
    Packet packet{.type = static_cast<Type>(first >> 4), .flags = static_cast<std::uint8_t>(first & 0x0f)};
    if (first >> 4 == 0 || !is_sent_by(packet.type, side) || !are_flags_right(packet))
        return std::unexpected(Stop::Invalid);
    std::uint64_t rest = 0;
    for (unsigned i = 0;; ++i) {
        if (i == 4) return std::unexpected(Stop::Invalid);
        if (bytes.size() < i + 2) return std::unexpected(Stop::NeedMore);
        const auto byte = static_cast<unsigned char>(bytes[i + 1]);
        rest |= std::uint64_t{byte & 0x7fu} << 7 * i;
        if (byte & 0x80) continue;
        packet.header = i + 2;
        break;
    }
    packet.size = packet.header + rest;
    if (!is_length_right(packet)) return std::unexpected(Stop::Invalid);
    return packet;
}

std::optional<std::size_t> front_of(const Packet& packet, std::string_view bytes) {
    const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(packet.size, packet.header + kMaxFront));
    if (packet.type != Type::Publish) return most;
    Reader reader(bytes.substr(packet.header));
    const std::size_t topic = reader.number(2);
    if (!reader.is_good()) return {};
    std::size_t front = 2 + topic + (packet.quality() ? 2 : 0);
    // Version 5 has properties here; in another this is the length of nothing, and read as far as it goes.
    reader.take(topic + (packet.quality() ? 2 : 0));
    if (!reader.is_good()) return std::min(most, packet.header + front + 4);
    const std::uint32_t properties = reader.variable();
    front += reader.is_good() ? 4 + properties : 4;
    return std::min(most, packet.header + front);
}

std::optional<Connect> read_connect(const Packet& packet, std::string_view front) {
    Reader reader(front.substr(packet.header));
    const std::string_view name = reader.text();
    Connect connect{.level = static_cast<std::uint8_t>(reader.number(1)), .client_id = {}};
    if (name != "MQTT" && name != "MQIsdp") return {};
    reader.take(3);
    if (connect.level >= 5) reader.take(reader.variable());
    connect.client_id = reader.text();
    if (!reader.is_good()) return {};
    return connect;
}

std::optional<Publish> read_publish(const Packet& packet, std::string_view front, std::uint8_t level) {
    Reader reader(front.substr(packet.header));
    Publish publish;
    publish.topic = reader.text();
    if (packet.quality()) publish.id = static_cast<std::uint16_t>(reader.number(2));
    if (!reader.is_good() || !is_topic(publish.topic) || (packet.quality() && publish.id == 0)) return {};
    // Only version 5 has messages without a topic.
    if (level >= 5 || publish.topic.empty()) read_properties(reader, publish);
    return publish;
}

std::uint16_t read_id(const Packet& packet, std::string_view front) {
    Reader reader(front.substr(packet.header));
    return static_cast<std::uint16_t>(reader.number(2));
}

std::uint8_t read_reason(const Packet& packet, std::string_view front) {
    Reader reader(front.substr(packet.header));
    if (packet.type != Type::Disconnect) reader.take(2);
    return reader.is_empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(reader.number(1));
}

std::uint8_t read_connack(const Packet& packet, std::string_view front) {
    Reader reader(front.substr(packet.header));
    reader.take(1);
    const auto code = static_cast<std::uint8_t>(reader.number(1));
    return code < kOlder.size() ? kOlder[code] : code;
}

std::string_view filters_of(const Packet& packet, std::string_view front, std::uint8_t level) {
    Reader reader(front.substr(packet.header));
    reader.take(2);
    if (level >= 5) reader.take(reader.variable());
    return reader.is_good() ? reader.rest() : std::string_view{};
}

std::optional<Refusal> read_refusal(const Packet& suback, std::string_view front, std::string_view filters,
                                    std::uint8_t level) {
    Reader reasons(filters_of(suback, front, level));
    Reader list(filters);
    while (!reasons.is_empty()) {
        const auto reason = static_cast<std::uint8_t>(reasons.number(1));
        const std::string_view filter = list.text();
        list.take(1);
        if (reason >= 0x80) return Refusal{.filter = filter, .reason = reason};
    }
    return {};
}

std::string_view reason_name(std::uint8_t reason) {
    static constexpr std::array<std::string_view, 35> kNames = {"unspecified_error",
                                                                "malformed_packet",
                                                                "protocol_error",
                                                                "implementation_specific_error",
                                                                "unsupported_protocol_version",
                                                                "client_identifier_not_valid",
                                                                "bad_user_name_or_password",
                                                                "not_authorized",
                                                                "server_unavailable",
                                                                "server_busy",
                                                                "banned",
                                                                "server_shutting_down",
                                                                "bad_authentication_method",
                                                                "keep_alive_timeout",
                                                                "session_taken_over",
                                                                "topic_filter_invalid",
                                                                "topic_name_invalid",
                                                                "packet_identifier_in_use",
                                                                "packet_identifier_not_found",
                                                                "receive_maximum_exceeded",
                                                                "topic_alias_invalid",
                                                                "packet_too_large",
                                                                "message_rate_too_high",
                                                                "quota_exceeded",
                                                                "administrative_action",
                                                                "payload_format_invalid",
                                                                "retain_not_supported",
                                                                "qos_not_supported",
                                                                "use_another_server",
                                                                "server_moved",
                                                                "shared_subscriptions_not_supported",
                                                                "connection_rate_exceeded",
                                                                "maximum_connect_time",
                                                                "subscription_identifiers_not_supported",
                                                                "wildcard_subscriptions_not_supported"};
    if (reason < 0x80) return {};
    const std::size_t index = reason - 0x80u;
    return index < kNames.size() ? kNames[index] : std::string_view("_OTHER");
}

// The greeting; of an older connection a whole message, with nothing or another packet behind it.
Sniff sniff(std::string_view bytes, Side side) {
    const auto packet = read_packet(bytes, side);
    if (!packet) return packet.error() == Stop::NeedMore ? Sniff::NeedMore : Sniff::No;
    const std::string_view rest = bytes.substr(packet->header);
    if (packet->type == Type::Connect) {
        using namespace std::string_view_literals;
        constexpr std::array kNames = {"\0\4MQTT\4"sv, "\0\4MQTT\5"sv, "\0\6MQIsdp\3"sv};
        for (const std::string_view name : kNames) {
            const std::size_t size = std::min(name.size(), rest.size());
            if (rest.substr(0, size) == name.substr(0, size)) return size < name.size() ? Sniff::NeedMore : Sniff::Yes;
        }
        return Sniff::No;
    }
    if (packet->type != Type::Publish || packet->size > (1u << 20)) return Sniff::No;
    const auto front = front_of(*packet, bytes);
    if (!front) return Sniff::NeedMore;
    Reader reader(rest);
    const std::size_t topic = reader.number(2);
    const std::size_t head = 2 + topic + (packet->quality() ? 2 : 0);
    if (topic < 3 || topic > 1024 || packet->header + head > packet->size) return Sniff::No;
    if (!is_topic(rest.substr(2, topic))) return Sniff::No;
    if (rest.size() < head) return Sniff::NeedMore;
    if (!read_publish(*packet, bytes, 0)) return Sniff::No;
    if (bytes.size() < packet->size) return bytes.size() < 2048 ? Sniff::NeedMore : Sniff::Yes;
    const std::string_view behind = bytes.substr(packet->size);
    return behind.empty() || read_packet(behind, side) ? Sniff::Yes : Sniff::No;
}

}  // namespace waggle::protocols::mqtt
