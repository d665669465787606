// SPDX-License-Identifier: Apache-2.0
#include "protocols/mqtt/session.h"

#include "protocols/mqtt/mqtt.h"

namespace waggle::protocols::mqtt {
namespace {

constexpr std::size_t kMaxPending = 64;
constexpr std::size_t kMaxAliases = 256;

}  // namespace

Parsed<Unit> Session::parse(const Half& half, std::string_view bytes, bool is_final) {
    const auto packet = read_packet(bytes, half.side);
    if (!packet) return std::unexpected(packet.error());
    const auto front = front_of(*packet, bytes);
    if (!front && !is_final) return std::unexpected(Stop::NeedMore);
    return Unit{.size = packet->size, .front = front.value_or(bytes.size())};
}

void Session::on_frame(Half& half, std::string_view front, const Unit&, Context& context) {
    const auto packet = read_packet(front, half.side);
    if (!packet) return;
    switch (packet->type) {
        case Type::Connect:
            if (const auto connect = read_connect(*packet, front)) {
                level_ = connect->level;
                client_id_.assign(connect->client_id.substr(0, 256));
            }
            return hold(half, Codec::Kind::Connect, 0, {}, context);
        case Type::Connack: {
            const auto found = std::ranges::find(pending_, Codec::Kind::Connect, &Pending::kind);
            if (found == pending_.end()) return;
            const Pending connect = std::move(*found);
            pending_.erase(found);
            weigh_lists();
            if (const std::uint8_t reason = read_connack(*packet, front))
                refuse(half, connect, {}, reason_name(reason), context);
            return;
        }
        case Type::Publish:
            return on_publish(half, *packet, front, context);
        case Type::Puback:
        case Type::Pubrec:
        case Type::Pubcomp:
            return on_answer(half, *packet, front, context);
        case Type::Subscribe:
            return hold(half, Codec::Kind::Subscribe, read_id(*packet, front), filters_of(*packet, front, level_),
                        context);
        case Type::Suback:
            return on_suback(half, *packet, front, context);
        case Type::Disconnect:
            if (const std::uint8_t reason = read_reason(*packet, front); reason >= 0x80)
                on_disconnect(half, reason, context);
            return;
        default:
            return;
    }
}

// Where the topic is a number, what it was last said to mean; false when nobody knows.
bool Session::resolve(Half& half, const Publish& publish, std::string& topic) {
    topic.assign(publish.topic);
    if (publish.alias == 0) return !publish.topic.empty();
    std::vector<Alias>& known = aliases(half);
    const auto found = std::ranges::find(known, publish.alias, &Alias::number);
    if (!publish.topic.empty()) {
        if (found != known.end())
            found->topic.assign(publish.topic);
        else if (known.size() < kMaxAliases)
            known.push_back({publish.alias, std::string(publish.topic)});
        weigh_lists();
        return true;
    }
    if (found == known.end()) return false;
    topic = found->topic;
    return true;
}

void Session::on_publish(Half& half, const Packet& packet, std::string_view front, Context& context) {
    const auto publish = read_publish(packet, front, level_);
    if (!publish) return context.counts.add(Cause::ParseInvalid);
    const Codec::Kind kind = half.is_answer() ? Codec::Kind::Deliver : Codec::Kind::Publish;
    // Sent again, or its number is used anew: the one before is answered no more.
    if (publish->id) {
        for (const auto& [key, exchange] : open_.entries())
            if (exchange->request.kind == kind && exchange->request.id == publish->id) {
                if (packet.is_repeated()) return;
                drop(key, spans::Incomplete::Hole, context);
                break;
            }
    }
    Open& exchange = open_here(half, context);
    Codec::Request& request = exchange.request;
    request.kind = kind;
    request.id = publish->id;
    request.is_topic_unknown = !resolve(half, *publish, request.topic);
    request.client_id = client_id_;
    request.error = {};
    request.trace = publish->trace;
    begin(exchange, context);
    half.ends = last_key();
}

void Session::on_whole(Half& half, Key key, Context& context) {
    Open* const exchange = open_.find(key);
    if (!exchange) return;
    const std::uint64_t end_ns = half.stream.time_before(half.passed_to);
    // The message itself comes from its own side: anything else that ends it is its answer.
    const bool is_itself = half.is_answer() == (exchange->request.kind == Codec::Kind::Deliver);
    if (is_itself) exchange->request_end_ns = end_ns;
    if (!is_itself || exchange->request.id == 0) finish(key, *exchange, context, end_ns);
}

void Session::on_answer(Half& half, const Packet& packet, std::string_view front, Context& context) {
    const Codec::Kind kind = half.is_answer() ? Codec::Kind::Publish : Codec::Kind::Deliver;
    const std::uint16_t id = read_id(packet, front);
    if (id == 0) return context.counts.add(Cause::ParseInvalid);  // no message has that number
    for (const auto& [key, exchange] : open_.entries()) {
        if (exchange->request.kind != kind || exchange->request.id != id) continue;
        const std::uint8_t reason = read_reason(packet, front);
        if (!exchange->has_response) answer_here(*exchange, half);
        exchange->request.error = reason_name(reason);
        // The first half of "exactly once".
        if (packet.type == Type::Pubrec && reason < 0x80) return;
        half.ends = key;
        return;
    }
    // Of a message from before the agent came, or the end of one that was told as refused.
    if (packet.type == Type::Puback) context.counts.add(Cause::Unmatched);
}

void Session::on_suback(Half& half, const Packet& packet, std::string_view front, Context& context) {
    const std::uint16_t id = read_id(packet, front);
    const auto found = std::ranges::find_if(
        pending_, [&](const Pending& one) { return one.kind == Codec::Kind::Subscribe && one.id == id; });
    if (found == pending_.end()) return;
    const Pending subscribe = std::move(*found);
    pending_.erase(found);
    weigh_lists();
    if (const auto refusal = read_refusal(packet, front, subscribe.filters, level_))
        refuse(half, subscribe, refusal->filter, reason_name(refusal->reason), context);
}

// Why the server ends the connection: that is what all get that still wait; else it is told by itself.
void Session::on_disconnect(Half& half, std::uint8_t reason, Context& context) {
    if (!half.is_answer()) return;
    bool is_told = false;
    while (open_.size() > 0) {
        const auto [key, exchange] = open_.entries().front();
        if (exchange->request.kind == Codec::Kind::Publish) {
            answer_here(*exchange, half);
            exchange->request.error = reason_name(reason);
            is_told = true;
        } else {
            set_incomplete(*exchange, spans::Incomplete::Closed);
        }
        finish(key, *exchange, context, half.stream.first_ns());
    }
    if (is_told) return;
    const Pending now{.kind = Codec::Kind::Disconnect,
                      .position = half.stream.head(),
                      .order = half.stream.order(),
                      .start_ns = half.stream.first_ns(),
                      .filters = {}};
    refuse(half, now, {}, reason_name(reason), context);
}

void Session::hold(const Half& half, Codec::Kind kind, std::uint16_t id, std::string_view filters, Context& context) {
    if (pending_.size() >= kMaxPending) {
        context.counts.add(Cause::QueueFull);
        pending_.erase(pending_.begin());
    }
    pending_.push_back({.kind = kind,
                        .id = id,
                        .position = half.stream.head(),
                        .order = half.stream.order(),
                        .start_ns = half.stream.first_ns(),
                        .filters = std::string(filters)});
    weigh_lists();
}

void Session::weigh_lists() {
    kept_bytes_ = pending_.capacity() * sizeof(Pending);
    for (const Pending& one : pending_) kept_bytes_ += one.filters.size();
    for (const std::vector<Alias>& known : aliases_) {
        kept_bytes_ += known.capacity() * sizeof(Alias);
        for (const Alias& alias : known) kept_bytes_ += alias.topic.capacity();
    }
}

void Session::refuse(Half& half, const Pending& pending, std::string_view filter, std::string_view error,
                     Context& context) {
    Open& exchange = open_here(half, context);
    exchange.request_position = pending.position;
    exchange.request_order = pending.order;
    exchange.start_ns = exchange.request_end_ns = pending.start_ns;
    Codec::Request& request = exchange.request;
    request.kind = pending.kind;
    request.id = 0;
    request.is_topic_unknown = false;
    request.topic.assign(filter);
    request.client_id = client_id_;
    request.error = error;
    request.trace.reset();
    answer_here(exchange, half);
    begin(exchange, context);
    half.ends = last_key();
}

// In what is missing they may have been answered, or their numbers used anew.
void Session::on_lost(Half& half, Context& context) {
    pending_.clear();
    aliases(half).clear();
    weigh_lists();
    while (open_.size() > 0) drop(open_.entries().front().key, spans::Incomplete::Hole, context);
}

namespace {

std::unique_ptr<protocols::Session> open_session(const ConnectionInfo& info, Streams& streams, Direction requests) {
    return std::make_unique<Session>(info, streams, requests);
}

}  // namespace

const Protocol kMqtt{.name = "mqtt", .sniff = sniff, .open = open_session};

}  // namespace waggle::protocols::mqtt
