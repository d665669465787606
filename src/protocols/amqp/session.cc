// SPDX-License-Identifier: Apache-2.0
#include "protocols/amqp/session.h"

#include <algorithm>

#include "protocols/amqp/amqp.h"

namespace waggle::protocols::amqp {
namespace {

constexpr std::size_t kMaxFront = 4096;  // of a frame that is read
constexpr std::size_t kMaxChannels = 2048;
constexpr std::size_t kMaxAssemblies = kMaxChannels;

}  // namespace

Session::Session(const ConnectionInfo& info, Streams& streams, Direction requests)
    : KeyedSession(info),
      requests_(streams.of(requests), protocols::Side::Request, false),
      responses_(streams.of(opposite(requests)), protocols::Side::Response, !is_from_start(info, opposite(requests))),
      is_received_(requests == Direction::Receive),
      knows_channels_(is_from_start(info, requests)) {}

void Session::on_bytes(Direction, Context& context) {
    read(requests_, context);
    read(responses_, context);
}

void Session::on_tick(Context& context) {
    is_slow_told_ = false;
    for (const auto& [key, exchange] : open_.entries()) {
        if (!exchange->request.is_told) continue;
        is_slow_told_ |= exchange->start_ns + kSlowNs < context.now_ns;
        check_age(*exchange, info_, context);
    }
}

void Session::on_close(spans::Incomplete reason, Context& context) {
    read(requests_, context);
    read(responses_, context);
    const std::uint64_t last_ns = std::max(requests_.stream.end_ns(), responses_.stream.end_ns());
    while (open_.size() > 0) {
        const auto [key, exchange] = open_.entries().front();
        set_incomplete(*exchange, reason);
        end(key, *exchange, last_ns ? last_ns : context.now_ns, context);
    }
}

std::size_t Session::open_exchanges() const {
    return static_cast<std::size_t>(std::ranges::count_if(open_.entries(), [](const auto& entry) {
        return entry.exchange->request.is_told && !entry.exchange->is_reported;
    }));
}

bool Session::wants_tails() const {
    return is_slow_told_ || requests_.passed_to > requests_.stream.end() ||
           responses_.passed_to > responses_.stream.end();
}

// A client's request may be reported after its answer.
bool Session::is_request_late() const { return !is_received_ && responses_.stream.order() > requests_.stream.end(); }

Session::Channel& Session::channel(std::uint16_t number) {
    const auto found = std::ranges::find(channels_, number, &Channel::number);
    if (found != channels_.end()) return *found;
    if (channels_.size() >= kMaxChannels) {
        channels_.erase(channels_.begin());
        knows_channels_ = false;
    }
    return channels_.emplace_back(Channel{.number = number, .is_known = knows_channels_});
}

void Session::read(Half& half, Context& context) {
    for (;;) {
        if (!half.pass()) return;
        if (const Key key = std::exchange(half.ends, 0)) written(half, key, context);
        if (half.stream.is_empty()) return;
        if (half.is_lost && !find(half, context)) return;
        if (half.stream.hole()) {
            if (!pass_body(half) && !lose(half, context)) return;
        } else if (!read_next(half, context)) {
            return;
        }
    }
}

// Where a turn begins with a whole frame.
bool Session::find(Half& half, Context& context) {
    streams::Stream& stream = half.stream;
    while (!stream.is_empty()) {
        if (!stream.hole() && stream.is_at_turn_start()) {
            const std::string_view bytes = stream.bytes();
            const auto frame = read_frame(bytes);
            if (bytes.size() < kHeader && !half.is_final()) return false;
            const bool is_start = frame && (frame->type == Type::Method || frame->type == Type::Heartbeat);
            if (is_start && bytes.size() < frame->whole() && !half.is_final()) return false;
            if (is_start && bytes.size() >= frame->whole()) {
                half.is_lost = false;
                if (half.is_answer()) drop_answered(context);
                return true;
            }
        }
        // Frames may have begun in what is passed over.
        if (stream.is_at_turn_start() || stream.is_gap_at(stream.head())) miss(half, context);
        if (!stream.skip_to_next_turn()) return false;
    }
    return false;
}

// Where frames of one body begin in what was not copied: they are as long as the one before, but for the last. Should
// others stand between them, no frame will be found behind.
bool Session::pass_body(Half& half) {
    const std::uint64_t head = half.stream.head();
    if (half.assemblies.size() != 1 || half.stream.is_gap_at(head + half.stream.bytes().size())) return false;
    const Assembly& one = half.assemblies.front();
    if (!one.has_head || one.piece == 0) return false;
    const std::uint64_t frames = (one.left + one.piece - 1) / one.piece;
    half.passed_to = head + one.left + frames * (kHeader + 1);
    half.ends = one.key;
    half.assemblies.clear();
    return true;
}

bool Session::lose(Half& half, Context& context) {
    half.is_lost = true;
    miss(half, context);
    return half.stream.skip_to_next_turn();
}

// What is under way is not whole; how many were published, by which confirmations count, nobody knows any more.
void Session::miss(Half& half, Context& context) {
    context.counts.add(Cause::Hole);
    for (const Assembly& assembly : std::exchange(half.assemblies, {})) drop(assembly.key, context);
    if (!half.is_answer()) {
        channels_.clear();
        knows_channels_ = false;
    }
    for (std::size_t i = 0; i < open_.size();) {
        const auto [key, exchange] = open_.entries()[i];
        // In what was lost it may have been confirmed, or answered.
        if (exchange->request.is_written || half.is_answer())
            drop(key, context);
        else
            ++i;
    }
}

void Session::drop(Key key, Context& context) {
    Open* const exchange = open_.find(key);
    if (!exchange) return;
    for (Half* const half : {&requests_, &responses_})
        std::erase_if(half->assemblies, [&](const Assembly& one) { return one.key == key; });
    set_incomplete(*exchange, spans::Incomplete::Hole);
    end(key, *exchange, std::max(exchange->request_end_ns, exchange->start_ns), context);
}

bool Session::read_next(Half& half, Context& context) {
    streams::Stream& stream = half.stream;
    const std::string_view bytes = stream.bytes();
    if (!half.is_answer() && kGreeting.starts_with(bytes.substr(0, kGreeting.size()))) {
        if (bytes.size() < kGreeting.size()) return half.is_final() ? lose(half, context) : false;
        half.passed_to = stream.head() + kGreeting.size();
        return true;
    }
    if (bytes.size() < kHeader) return half.is_final() ? pass_body(half) || lose(half, context) : false;
    const auto frame = read_frame(bytes);
    if (!frame) {
        context.counts.add(Cause::ParseInvalid);
        return lose(half, context);
    }
    if (half.is_answer() && is_request_late()) return false;
    const bool is_read = frame->type == Type::Method || frame->type == Type::Header;
    const std::size_t wanted = is_read ? std::min<std::size_t>(frame->size, kMaxFront) : 0;
    const std::string_view payload = bytes.substr(kHeader, wanted);
    if (payload.size() < wanted && !half.is_final()) return false;
    if (payload.size() < wanted) return lose(half, context);
    half.passed_to = stream.head() + frame->whole();
    if (frame->type == Type::Method) {
        if (const auto call = read_call(payload))
            on_call(half, *frame, *call, context);
        else
            context.counts.add(Cause::ParseInvalid);
    } else if (frame->type != Type::Heartbeat) {
        on_content(half, *frame, payload, context);
    }
    return true;
}

Session::Open& Session::open_call(Half& half, Codec::Kind kind, const Frame& frame, const Call& call,
                                  Context& context) {
    if (open_.size() >= kMaxOpen) {
        context.counts.add(Cause::QueueFull);
        drop(open_.entries().front().key, context);
    }
    Open& exchange = open(++last_key_, context);
    exchange.request_position = half.stream.head();
    exchange.request_order = half.stream.order();
    exchange.start_ns = exchange.request_end_ns = half.stream.first_ns();
    exchange.queue_us = half.is_answer() ? 0 : half.stream.queue_us();
    Codec::Request& request = exchange.request;
    request.kind = kind;
    request.channel = frame.channel;
    request.tag = 0;
    request.is_told = request.is_written = request.is_unsure = false;
    request.is_mandatory = call.is_mandatory;
    request.error.clear();
    request.trace.reset();
    request.routing_key.assign(call.routing_key);
    name_destination(call, request.destination);
    if (!call.queue.empty()) request.destination.assign(call.queue);
    return exchange;
}

void Session::assemble(Half& half, std::uint16_t channel, Key key, Context& context) {
    std::erase_if(half.assemblies, [&](const Assembly& one) { return one.channel == channel; });
    if (half.assemblies.size() >= kMaxAssemblies) {
        context.counts.add(Cause::QueueFull);
        const Key oldest = half.assemblies.front().key;
        half.assemblies.erase(half.assemblies.begin());
        drop(oldest, context);
    }
    half.assemblies.push_back({.channel = channel, .key = key});
}

void Session::on_call(Half& half, const Frame& frame, const Call& call, Context& context) {
    using Kind = Codec::Kind;
    const auto is_message = [&] { assemble(half, frame.channel, last_key_, context); };
    if (!half.is_answer()) {
        switch (call.method) {
            case Method::Publish: {
                Open& exchange = open_call(half, Kind::Publish, frame, call, context);
                Channel& one = channel(frame.channel);
                if (one.is_confirming) exchange.request.tag = ++one.published;
                exchange.request.is_unsure = !one.is_known;
                return is_message();
            }
            case Method::Get:
                open_call(half, Kind::Get, frame, call, context).request.is_written = true;
                return;
            case Method::Ack:
            case Method::Nack:
            case Method::Reject:
                open_call(half,
                          call.method == Method::Ack    ? Kind::Ack
                          : call.method == Method::Nack ? Kind::Nack
                                                        : Kind::Reject,
                          frame, call, context);
                half.ends = last_key_;
                return;
            case Method::ChannelOpen:
                channel(frame.channel) = {.number = frame.channel, .is_known = true};
                return;
            case Method::ConfirmSelect: {
                // Asked again it changes nothing, and their number goes on. That the first time was missed shows by a
                // tag.
                Channel& one = channel(frame.channel);
                if (!one.is_confirming) one = {.number = frame.channel, .is_known = true, .is_confirming = true};
                return;
            }
            case Method::ChannelClose:
                return on_client_closes(half, frame.channel, context);
            default:
                return;
        }
    }
    const Key get = get_on(frame.channel);
    switch (call.method) {
        case Method::Deliver:
            open_call(half, Kind::Deliver, frame, call, context);
            return is_message();
        case Method::GetOk:
            if (!get) return context.counts.add(Cause::Unmatched);
            open_.find(get)->first_byte_ns = half.stream.first_ns();
            open_.find(get)->response_position = half.stream.head();
            open_.find(get)->request.routing_key.assign(call.routing_key);
            tell(*open_.find(get), context);
            return assemble(half, frame.channel, get, context);
        // It brought nothing.
        case Method::GetEmpty:
            if (get) open_.erase(get);
            return;
        case Method::Return:
            on_return(frame.channel, call);
            return assemble(half, frame.channel, 0, context);  // what comes with it is no message
        case Method::Ack:
        case Method::Nack:
            return on_confirm(frame.channel, call, context);
        case Method::ChannelClose:
        case Method::ConnectionClose:
            return on_channel_closed(frame.channel, call, context);
        default:
            return;
    }
}

// Its number may be used again, with tags from 1: what waits on it must not take the answers of what comes then.
void Session::on_client_closes(Half& half, std::uint16_t number, Context& context) {
    std::erase_if(channels_, [&](const Channel& one) { return one.number == number; });
    std::erase_if(half.assemblies, [&](const Assembly& one) { return one.channel == number; });
    std::vector<Key> waiting;
    for (const auto& [key, exchange] : open_.entries())
        if (exchange->request.channel == number) waiting.push_back(key);
    for (const Key key : waiting) {
        Open* const exchange = open_.find(key);
        set_incomplete(*exchange, spans::Incomplete::Closed);
        end(key, *exchange, half.stream.first_ns(), context);
    }
}

void Session::on_content(Half& half, const Frame& frame, std::string_view payload, Context& context) {
    const auto found = std::ranges::find(half.assemblies, frame.channel, &Assembly::channel);
    if (found == half.assemblies.end()) return;
    if (frame.type == Type::Header) {
        const auto head = read_message_head(payload);
        if (!head) return context.counts.add(Cause::ParseInvalid);
        found->has_head = true;
        found->left = head->size;
        if (Open* const exchange = open_.find(found->key)) {
            exchange->request.trace = head->trace;
            tell(*exchange, context);
        }
    } else {
        found->piece = frame.size;
        found->left -= std::min<std::uint64_t>(found->left, frame.size);
    }
    if (!found->has_head || found->left > 0) return;
    half.ends = found->key;
    half.assemblies.erase(found);
}

// All of a message has gone by.
void Session::written(Half& half, Key key, Context& context) {
    Open* const exchange = open_.find(key);
    if (!exchange) return;
    exchange->request_end_ns = half.stream.time_before(half.passed_to);
    exchange->request.is_written = true;
    const bool is_awaited = exchange->request.kind == Codec::Kind::Publish && exchange->request.tag != 0;
    if (!is_awaited) end(key, *exchange, exchange->request_end_ns, context);
}

void Session::tell(Open& exchange, Context& context) {
    if (exchange.request.is_told) return;
    exchange.request.is_told = true;
    begin(exchange, context);
}

void Session::end(Key key, Open& exchange, std::uint64_t end_ns, Context& context) {
    tell(exchange, context);
    finish(key, exchange, context, end_ns);
}

namespace {

std::unique_ptr<protocols::Session> open_session(const ConnectionInfo& info, Streams& streams, Direction requests) {
    return std::make_unique<Session>(info, streams, requests);
}

}  // namespace

// Methods, heads of messages and heartbeats whole, bodies by their length.
const Protocol kAmqp{.name = "amqp",
                     .sniff = sniff,
                     .open = open_session,
                     .framing = wg_framing{.header = 7,
                                           .length_at = 3,
                                           .length_bytes = 4,
                                           .types = 9,
                                           .length_adds = 8,
                                           .whole_types = type_bit(1) | type_bit(2) | type_bit(8),
                                           .max_length = 1 << 30}};

}  // namespace waggle::protocols::amqp
