// SPDX-License-Identifier: Apache-2.0
#include "protocols/dns/datagrams.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "protocols/calls.h"
#include "protocols/exchange_span.h"

namespace waggle::protocols::dns {
namespace {

constexpr std::size_t kMaxOpen = 16384;
constexpr std::size_t kMaxFree = 1024;
constexpr std::size_t kMaxEarly = 64;
// Whoever asks has given up by then, or has asked again.
constexpr std::uint64_t kTimeoutNs = 10'000'000'000;
constexpr std::uint64_t kEarlyNs = 100'000'000;

bool is_same_peer(const wg_tuple& a, const wg_tuple& b) {
    return a.remote_port == b.remote_port && std::memcmp(a.remote_address, b.remote_address, 16) == 0;
}

// Multicast DNS asks everybody, and anybody answers: nothing is a pair there.
bool is_multicast(const wg_tuple& tuple) {
    const std::uint8_t* const address = tuple.remote_address;
    const bool is_ipv4 = address[0] == 0 && address[10] == 0xff;
    return is_ipv4 ? address[12] >> 4 == 0xe : address[0] == 0xff;
}

std::string_view error_name(int error) {
    switch (error) {
        case ECONNREFUSED:
            return "connection_refused";
        case EHOSTUNREACH:
            return "host_unreachable";
        case ENETUNREACH:
            return "network_unreachable";
        default:
            return "_OTHER";
    }
}

}  // namespace

std::uint64_t Datagrams::key_of(const Datagram& datagram, std::uint16_t id, Role role) {
    return mix(datagram.socket) ^ mix(std::uint64_t{id} << 8 | static_cast<std::uint8_t>(role));
}

bool Datagrams::is_asked(const Open& open, const Message& message) {
    const Codec::Request& request = open.exchange.request;
    if (request.id != message.id) return false;
    if (!message.has_question || !request.has_question) return true;
    return request.type == message.type && request.name == message.name.text();
}

bool Datagrams::may_be_of(const Open& open, bool is_peer_known, const wg_tuple& tuple) {
    return !is_peer_known || !open.has_one_peer || is_same_peer(open.info.tuple, tuple);
}

bool Datagrams::on_datagram(const Datagram& datagram, Context& context) {
    if (datagram.error) {
        on_error(datagram, context);
        return true;
    }
    auto message = read_message(datagram.bytes);
    if (!message) return false;
    if (datagram.is_peer_known && is_multicast(datagram.info.tuple)) return true;
    if (!message->is_answer) {
        if (sniff_message(datagram.bytes, datagram.size, Side::Request) != Sniff::Yes) return message->operation != 0;
        on_question(datagram, *message, context);
    } else if (message->operation == 0) {
        on_answer(datagram, *message, context);
    }
    return true;
}

void Datagrams::ask_again(Open& open, const Datagram& datagram) {
    ++open.exchange.request.retries;
    open.last_ns = datagram.time_ns;
    if (open.has_one_peer && datagram.is_peer_known && !is_same_peer(open.info.tuple, datagram.info.tuple)) {
        // Several servers are asked at once: who has answered is not told by who was asked.
        open.has_one_peer = false;
        open.info.remote_address.clear();
    }
}

void Datagrams::on_question(const Datagram& datagram, Message& message, Context& context) {
    const bool is_client = datagram.direction == Direction::Send;
    const Role role = is_client ? Role::Client : Role::Server;
    const std::uint64_t key = key_of(datagram, message.id, role);
    const auto [from, to] = open_.equal_range(key);
    for (auto at = from; at != to; ++at) {
        if (at->second.info.id != datagram.socket || !is_asked(at->second, message)) continue;
        // At a server the same words may come from others; a client has one question of an id.
        const bool is_same = at->second.has_one_peer && datagram.is_peer_known &&
                             is_same_peer(at->second.info.tuple, datagram.info.tuple);
        if (is_client || is_same) return ask_again(at->second, datagram);
    }
    if (open_.size() >= kMaxOpen) drop_oldest(context);
    const auto at = add(key);
    Open& open = at->second;
    open.info = datagram.info;
    open.info.role = role;
    open.last_ns = datagram.time_ns;
    open.has_one_peer = datagram.is_peer_known;
    Codec::Request& request = open.exchange.request;
    request.id = message.id;
    request.type = message.type;
    request.has_question = message.has_question;
    request.retries = 0;
    request.name = message.name.text();
    open.exchange.response = {};
    open.exchange.process = datagram.info.process;
    open.exchange.thread = datagram.info.threads_are_contexts ? datagram.thread : 0;
    open.exchange.start_ns = open.exchange.request_end_ns = datagram.time_ns;
    ++context.counts.seen;
    open_traces(open.exchange, open.info, context);
    if (is_client) take_early(at, context);
}

void Datagrams::on_answer(const Datagram& datagram, Message& message, Context& context) {
    const bool is_client = datagram.direction == Direction::Receive;
    const std::uint64_t key = key_of(datagram, message.id, is_client ? Role::Client : Role::Server);
    const auto [from, to] = open_.equal_range(key);
    found_.clear();
    for (auto at = from; at != to; ++at)
        if (at->second.info.id == datagram.socket && is_asked(at->second, message) &&
            may_be_of(at->second, datagram.is_peer_known, datagram.info.tuple))
            found_.push_back(at);
    if (found_.empty()) {
        if (is_client && early_.size() < kMaxEarly) {
            early_.push_back({.key = key,
                              .message = std::move(message),
                              .time_ns = datagram.time_ns,
                              .is_peer_known = datagram.is_peer_known,
                              .tuple = datagram.info.tuple});
        } else {
            context.counts.add(Cause::Unmatched);
        }
        return;
    }
    if (found_.size() > 1) {
        context.counts.add(Cause::Unmatched);
        for (const auto at : std::vector(found_)) drop(at, spans::Incomplete::Hole, datagram.time_ns, context);
        return;
    }
    ConnectionInfo& info = found_.front()->second.info;
    if (datagram.is_peer_known && !found_.front()->second.has_one_peer) {
        info.remote_address = datagram.info.remote_address;
        info.tuple = datagram.info.tuple;
    }
    answer(found_.front(), message, datagram.time_ns, context);
}

void Datagrams::answer(Table::iterator at, const Message& message, std::uint64_t time_ns, Context& context) {
    Exchange<Codec>& exchange = at->second.exchange;
    exchange.has_response = true;
    exchange.first_byte_ns = std::max(time_ns, exchange.start_ns);
    exchange.response.code = message.code;
    exchange.response.is_truncated = message.is_truncated;
    finish(at, time_ns, context);
}

void Datagrams::take_early(Table::iterator at, Context& context) {
    const Open& open = at->second;
    const auto found = std::ranges::find_if(early_, [&](const Early& early) {
        return early.key == at->first && is_asked(open, early.message) &&
               may_be_of(open, early.is_peer_known, early.tuple);
    });
    if (found == early_.end()) return;
    const Early early = std::move(*found);
    early_.erase(found);
    answer(at, early.message, early.time_ns, context);
}

// The kernel says what became of what a socket with one peer has sent.
void Datagrams::on_error(const Datagram& datagram, Context& context) {
    found_.clear();
    for (auto at = open_.begin(); at != open_.end(); ++at)
        if (at->second.info.id == datagram.socket && at->second.info.role == Role::Client) found_.push_back(at);
    for (const auto at : found_) {
        at->second.exchange.response.error = error_name(datagram.error);
        finish(at, datagram.time_ns, context);
    }
}

Datagrams::Table::iterator Datagrams::add(std::uint64_t key) {
    if (free_.empty()) return open_.emplace(key, Open{});
    Table::node_type node = std::move(free_.back());
    free_.pop_back();
    node.key() = key;
    node.mapped().exchange.renew();
    return open_.insert(std::move(node));
}

void Datagrams::finish(Table::iterator at, std::uint64_t end_ns, Context& context) {
    Exchange<Codec>& exchange = at->second.exchange;
    exchange.end_ns = std::max(end_ns, exchange.start_ns);
    report(exchange, at->second.info, context);
    Table::node_type node = open_.extract(at);
    if (free_.size() < kMaxFree) free_.push_back(std::move(node));
}

void Datagrams::drop(Table::iterator at, spans::Incomplete reason, std::uint64_t end_ns, Context& context) {
    if (at->second.exchange.incomplete == spans::Incomplete::No) at->second.exchange.incomplete = reason;
    finish(at, end_ns, context);
}

void Datagrams::drop_oldest(Context& context) {
    context.counts.add(Cause::QueueFull);
    const auto oldest =
        std::ranges::min_element(open_, {}, [](const auto& entry) { return entry.second.exchange.start_ns; });
    drop(oldest, spans::Incomplete::Hole, context.now_ns, context);
}

void Datagrams::on_tick(Context& context) {
    found_.clear();
    for (auto at = open_.begin(); at != open_.end(); ++at)
        if (at->second.last_ns + kTimeoutNs < context.now_ns) found_.push_back(at);
    for (const auto at : found_) drop(at, spans::Incomplete::Timeout, at->second.last_ns + kTimeoutNs, context);
    std::erase_if(early_, [&](const Early& early) {
        const bool is_late = early.time_ns + kEarlyNs < context.now_ns;
        if (is_late) context.counts.add(Cause::Unmatched);
        return is_late;
    });
}

void Datagrams::on_end(spans::Incomplete reason, Context& context) {
    while (!open_.empty()) drop(open_.begin(), reason, context.now_ns, context);
}

}  // namespace waggle::protocols::dns
