// SPDX-License-Identifier: Apache-2.0
#include "protocols/amqp/frames.h"

#include <algorithm>
#include <initializer_list>

namespace waggle::protocols::amqp {
namespace {

constexpr char kEnd = static_cast<char>(0xce);
constexpr std::uint32_t kMaxFrame = 16u << 20;
constexpr std::uint64_t kMostMessage = std::uint64_t{4} << 30;  // RabbitMQ takes half a GiB at most

// Values one after the other; after the first that is not here everything reads as nothing.
class Reader {
  public:
    explicit Reader(std::string_view bytes) : bytes_(bytes) {}

    bool is_good() const { return is_good_; }
    bool is_empty() const { return bytes_.empty(); }
    std::string_view take(std::uint64_t size) {
        if (!is_good_ || size > bytes_.size()) {
            is_good_ = false;
            return {};
        }
        const std::string_view text = bytes_.substr(0, size);
        bytes_.remove_prefix(size);
        return text;
    }
    std::uint64_t number(unsigned size) {
        std::uint64_t value = 0;
        for (const char c : take(size)) value = value << 8 | static_cast<unsigned char>(c);
        return value;
    }
    std::string_view short_text() { return take(number(1)); }
    std::string_view long_text() { return take(number(4)); }

  private:
    std::string_view bytes_;
    bool is_good_ = true;
};

// False for a value of a type that nobody knows: its length is not known either.
bool skip_value(Reader& reader, char type) {
    switch (type) {
        case 't':
        case 'b':
        case 'B':
            reader.take(1);
            break;
        case 's':
        case 'u':
        case 'U':
            reader.take(2);
            break;
        case 'i':
        case 'I':
        case 'f':
            reader.take(4);
            break;
        case 'D':
            reader.take(5);
            break;
        case 'l':
        case 'L':
        case 'd':
        case 'T':
            reader.take(8);
            break;
        case 'S':
        case 'x':
        case 'A':
        case 'F':
            reader.long_text();
            break;
        case 'V':
            break;
        default:
            return false;
    }
    return reader.is_good();
}

std::optional<spans::TraceContext> trace_of(std::string_view table) {
    Reader reader(table);
    while (reader.is_good() && !reader.is_empty()) {
        const std::string_view name = reader.short_text();
        const std::string_view type = reader.take(1);
        if (type.empty()) return {};
        if (name == "traceparent" && (type == "S" || type == "x")) return spans::parse_traceparent(reader.long_text());
        if (!skip_value(reader, type[0])) return {};
    }
    return {};
}

enum class Sender : std::uint8_t { Nobody, Client, Server, Either };

// A class's methods for channels, by who may send them.
struct MethodClass {
    std::uint16_t id;
    std::initializer_list<std::uint16_t> of_client, of_server, of_either;
};
constexpr MethodClass kClasses[] = {
    {20, {10}, {11}, {20, 21, 40, 41}},
    {40, {10, 20, 30, 40}, {11, 21, 31, 51}, {}},
    {50, {10, 20, 30, 40, 50}, {11, 21, 31, 41, 51}, {}},
    {60, {10, 20, 40, 70, 90, 100, 110}, {11, 21, 50, 60, 71, 72, 111}, {30, 31, 80, 120}},
    {85, {10}, {11}, {}},
    {90, {10, 20, 30}, {11, 21, 31}, {}},
};

Sender sender_of(std::string_view payload) {
    const auto call = read_call(payload);
    if (!call) return Sender::Nobody;
    const bool is_settlement = call->method == Method::Ack || call->method == Method::Nack;
    if (is_settlement && payload.size() != 13) return Sender::Nobody;
    const auto id = static_cast<std::uint32_t>(call->method);
    const auto among = [&](const auto& methods) { return std::ranges::find(methods, id & 0xffff) != methods.end(); };
    for (const MethodClass& one : kClasses) {
        if (one.id != id >> 16) continue;
        if (among(one.of_client)) return Sender::Client;
        if (among(one.of_server)) return Sender::Server;
        if (among(one.of_either)) return Sender::Either;
    }
    return Sender::Nobody;
}

}  // namespace

std::optional<Frame> read_frame(std::string_view bytes) {
    Reader reader(bytes);
    const Frame frame{.type = static_cast<Type>(reader.number(1)),
                      .channel = static_cast<std::uint16_t>(reader.number(2)),
                      .size = static_cast<std::uint32_t>(reader.number(4))};
    if (!reader.is_good() || frame.size > kMaxFrame) return {};
    switch (frame.type) {
        case Type::Method:
            if (frame.size < 4) return {};
            break;
        case Type::Header:
            if (frame.size < 14 || frame.channel == 0) return {};
            break;
        case Type::Body:
            if (frame.channel == 0) return {};
            break;
        case Type::Heartbeat:
            if (frame.size != 0 || frame.channel != 0) return {};
            break;
        default:
            return {};
    }
    const std::size_t last = kHeader + frame.size;
    if (last < bytes.size() && bytes[last] != kEnd) return {};
    return frame;
}

std::optional<Call> read_call(std::string_view payload) {
    Reader reader(payload);
    Call call{.method = static_cast<Method>(reader.number(4))};
    switch (call.method) {
        case Method::Publish:
            reader.take(2);
            call.exchange = reader.short_text();
            call.routing_key = reader.short_text();
            call.is_mandatory = (reader.number(1) & 1) != 0;
            break;
        case Method::Deliver:
            reader.short_text();
            call.tag = reader.number(8);
            reader.take(1);
            call.exchange = reader.short_text();
            call.routing_key = reader.short_text();
            break;
        case Method::Get:
            reader.take(2);
            call.queue = reader.short_text();
            break;
        case Method::GetOk:
            call.tag = reader.number(8);
            reader.take(1);
            call.exchange = reader.short_text();
            call.routing_key = reader.short_text();
            break;
        case Method::Return:
            call.code = static_cast<std::uint16_t>(reader.number(2));
            reader.short_text();
            call.exchange = reader.short_text();
            call.routing_key = reader.short_text();
            break;
        case Method::Ack:
        case Method::Nack:
            call.tag = reader.number(8);
            call.is_multiple = (reader.number(1) & 1) != 0;
            break;
        case Method::Reject:
            call.tag = reader.number(8);
            break;
        case Method::ChannelClose:
        case Method::ConnectionClose:
            call.code = static_cast<std::uint16_t>(reader.number(2));
            break;
        default:
            break;
    }
    if (!reader.is_good()) return {};
    return call;
}

std::optional<MessageHead> read_message_head(std::string_view payload) {
    Reader reader(payload);
    reader.take(4);
    MessageHead head{.size = reader.number(8), .trace = {}};
    const std::uint64_t flags = reader.number(2);
    if (!reader.is_good() || head.size > kMostMessage) return {};
    if (flags & 0x8000) reader.short_text();  // content-type
    if (flags & 0x4000) reader.short_text();  // content-encoding
    if (flags & 0x2000) head.trace = trace_of(reader.long_text());
    return head;
}

// The greeting; of an older connection whole frames, up to one that tells which end sent it.
Sniff sniff(std::string_view bytes, Side side) {
    const std::string_view front = bytes.substr(0, kGreeting.size());
    if (side == Side::Request && kGreeting.starts_with(front))
        return front.size() < kGreeting.size() ? Sniff::NeedMore : Sniff::Yes;
    while (!bytes.empty()) {
        if (bytes[0] != static_cast<char>(Type::Method) && bytes[0] != static_cast<char>(Type::Heartbeat))
            return Sniff::No;
        if (bytes.size() < kHeader) return Sniff::NeedMore;
        const auto frame = read_frame(bytes);
        if (!frame || frame->channel > 2047 || frame->size > 1024) return Sniff::No;
        const bool is_method = frame->type == Type::Method;
        if (is_method && frame->channel == 0) return Sniff::No;
        if (bytes.size() < frame->whole()) return Sniff::NeedMore;
        const Sender sender = is_method ? sender_of(bytes.substr(kHeader, frame->size)) : Sender::Either;
        if (sender != Sender::Either)
            return sender == (side == Side::Request ? Sender::Client : Sender::Server) ? Sniff::Yes : Sniff::No;
        bytes.remove_prefix(frame->whole());
    }
    return Sniff::NeedMore;
}

}  // namespace waggle::protocols::amqp
