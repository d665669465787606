// SPDX-License-Identifier: Apache-2.0
#include "protocols/tracker.h"

#include <algorithm>
#include <cstring>

#include "protocols/addresses.h"
#include "protocols/exchange.h"
#include "protocols/exchange_span.h"
#include "protocols/tracker_connection.h"

namespace waggle::protocols {
namespace {

constexpr std::size_t kMaxUnreadable = 4096;

std::uint64_t tail_of(const std::uint8_t* bytes) {
    std::uint64_t tail = 0;
    std::memcpy(&tail, bytes, 8);
    return tail;
}

template <typename Event>
bool read_event(std::span<const std::byte> record, Event& event) {
    if (record.size() < sizeof(Event)) return false;
    std::memcpy(&event, record.data(), sizeof(Event));
    return true;
}

}  // namespace

Tracker::Tracker(TrackerConfig config) : config_(std::move(config)), traces_(config_.seed, config_.calls) {
    counts_.resize(all().size());
    for (const DatagramProtocol* protocol : datagram_protocols()) datagrams_.push_back(protocol->open());
    connections_.reserve(1024);
}

Tracker::~Tracker() = default;

void Tracker::on_event(std::span<const std::byte> record, spans::SpanBatch& batch) {
    wg_event head;
    if (!read_event(record, head) || head.version != WG_EVENT_VERSION || head.length > record.size()) {
        ++stats_.malformed;
        return;
    }
    ++stats_.events;
    if (head.type == WG_EVENT_DATA) {
        wg_data_event event;
        if (!read_event(record, event) || event.direction > WG_RECEIVE ||
            event.captured > record.size() - sizeof(event) || event.captured > event.size) {
            ++stats_.malformed;
            return;
        }
        on_data(event, {reinterpret_cast<const char*>(record.data()) + sizeof(event), event.captured}, batch);
    } else if (head.type == WG_EVENT_DATAGRAM) {
        wg_datagram_event event;
        if (!read_event(record, event) || event.direction > WG_RECEIVE ||
            event.captured > record.size() - sizeof(event) || event.captured > event.size) {
            ++stats_.malformed;
            return;
        }
        on_datagram(event, {reinterpret_cast<const char*>(record.data()) + sizeof(event), event.captured}, batch);
    } else if (head.type == WG_EVENT_CONNECTION) {
        wg_connection_event event;
        if (read_event(record, event))
            on_connection(event);
        else
            ++stats_.malformed;
    } else if (head.type == WG_EVENT_PLAIN) {
        wg_plain_event event;
        if (read_event(record, event))
            on_plain(event, batch);
        else
            ++stats_.malformed;
    } else if (head.type == WG_EVENT_CLOSE) {
        wg_close_event event;
        if (read_event(record, event))
            on_close(event, batch);
        else
            ++stats_.malformed;
    }
}

Tracker::Connection* Tracker::find(std::uint64_t id) {
    if (last_ && last_->info.id == id) return last_;
    const auto found = connections_.find(id);
    if (found == connections_.end()) return nullptr;
    return last_ = found->second.get();
}

void Tracker::on_connection(const wg_connection_event& event) {
    if (event.connection & WG_PLAIN_ID) {
        ++stats_.malformed;
        return;
    }
    const Role role = event.role == WG_ROLE_SERVER   ? Role::Server
                      : event.role == WG_ROLE_CLIENT ? Role::Client
                                                     : Role::Unknown;
    if (is_shedding_ && !find(event.connection)) {
        ++stats_.refused;
        return refuse(event.connection, requests_of(role));
    }
    auto& slot = connections_[event.connection];
    const bool is_new = !slot;
    if (is_new) slot = std::make_unique<Connection>();
    last_ = slot.get();
    if (!is_new) set_peer(*slot, false);
    ConnectionInfo& info = slot->info;
    info.id = event.connection;
    info.role = role;
    info.kind = event.kind;
    info.from_start = is_new ? event.from_start : 0;
    info.tuple = event.tuple;
    info.unix_path.assign(event.unix_path, ::strnlen(event.unix_path, sizeof(event.unix_path)));
    info.process = {event.pid, event.process_start_ns};
    slot->contexts_of = 0;
    learn_contexts(*slot);
    if (info.kind != WG_UNIX) {
        info.local_address = address_text(event.tuple.local_address);
        info.remote_address = address_text(event.tuple.remote_address);
    }
    slot->last_ns = event.head.time_ns;
    if (is_new) slot->begin = {event.next[WG_SEND], event.next[WG_RECEIVE]};
    for (const Direction direction : kDirections)
        slot->streams.of(direction).begin_at(event.next[static_cast<std::size_t>(direction)]);
    // By sequence numbers, which count ciphertext, no plaintext has its place: only what a library is given can be
    // read.
    if (event.has_kernel_tls && !slot->is_tls && !slot->session) note_tls(*slot);
    if (!slot->is_muted) set_peer(*slot, info.role == Role::Client && info.kind == WG_TCP);
}

void Tracker::set_peer(Connection& connection, bool is_peer) {
    if (connection.is_peer == is_peer || !config_.options.wants_traces) return;
    connection.is_peer = is_peer;
    const spans::SequenceIdentity identity = sequence_of(connection.info);
    if (is_peer)
        traces_.connect(identity);
    else
        traces_.disconnect(identity);
}

// A connection may be older than what is known of its process, and may go to another one.
void Tracker::learn_contexts(Connection& connection) {
    const std::uint32_t pid = connection.info.process.pid;
    if (connection.contexts_of == pid || !config_.threads_are_contexts) return;
    const std::optional<bool> known = config_.threads_are_contexts(pid);
    connection.info.threads_are_contexts = known.value_or(false);
    if (known) connection.contexts_of = pid;
}

void Tracker::on_data(const wg_data_event& event, std::string_view bytes, spans::SpanBatch& batch) {
    Connection* connection = find(event.connection);
    if (!connection) {
        if (is_shedding_) return pass_over(event, bytes);
        // Its connection event was lost: the bytes can be read, who is who stays unknown.
        ++stats_.unknown_connection;
        auto& slot = connections_[event.connection];
        slot = std::make_unique<Connection>();
        connection = last_ = slot.get();
        connection->info.id = event.connection;
        connection->is_plain = connection->info.is_encrypted = (event.connection & WG_PLAIN_ID) != 0;
        connection->is_found = connection->is_plain;  // for all that is known
    }
    if (connection->is_plain && !connection->beneath) {
        take_unbound(*connection, event, bytes, batch);
    } else if (must_wait(*connection, event, batch)) {
        hold(*connection, event, bytes, batch);
    } else {
        take(*connection, event, bytes, batch);
        if (!connection->held.empty()) release(*connection, batch);
    }
    // It may have been forgotten meanwhile.
    if (Connection* const still = find(event.connection)) weigh(*still, batch);
}

void Tracker::take(Connection& connection, const wg_data_event& event, std::string_view bytes,
                   spans::SpanBatch& batch) {
    connection.is_resumed[event.direction] = false;
    connection.last_ns = event.head.time_ns;
    // Of a socket whose plaintext is read nothing else is reported.
    if (connection.beneath)
        if (const auto socket = connections_.find(connection.beneath); socket != connections_.end())
            socket->second->last_ns = event.head.time_ns;
    connection.info.process = {event.pid, event.process_start_ns};
    learn_contexts(connection);
    const auto direction = static_cast<Direction>(event.direction);
    streams::Stream& stream = connection.streams.of(direction);
    if (event.flags & WG_DATA_PREVIOUS_TAIL)
        stream.progress(event.previous_end, event.previous_end_ns, tail_of(event.previous_tail),
                        event.turn - (event.flags & WG_DATA_TURN_START ? 1 : 0));
    if (connection.session) connection.session->set_thread(event.context);
    // What the turn before went on to is read before the new turn's bytes hide where it ended.
    if (event.flags & WG_DATA_PREVIOUS_TAIL && connection.session)
        handle(connection, direction, event.head.time_ns, batch);
    if (event.flags & WG_DATA_END) {
        stream.close();
    } else {
        stats_.gap_bytes += stream.append({.position = event.position,
                                           .size = event.size,
                                           .bytes = bytes,
                                           .first_ns = event.first_ns ? event.first_ns : event.head.time_ns,
                                           .last_ns = event.head.time_ns,
                                           .order = event.order,
                                           .turn = event.turn,
                                           .starts_turn = (event.flags & WG_DATA_TURN_START) != 0,
                                           .queue_us = event.queue_us});
        if (event.flags & WG_DATA_TAIL) stream.set_tail(tail_of(event.tail));
    }
    if (connection.is_muted) {  // was under way before the rule held
        stream.skip_to(stream.end());
    } else {
        if (!connection.session && !connection.is_tls) {
            identify(connection, direction);
            if (connection.session) connection.session->set_thread(event.context);
        }
        if (connection.is_tls && !connection.session) follow_records(connection, event, batch);
        handle(connection, direction, event.head.time_ns, batch);
    }
    if (event.flags & WG_DATA_PEER_GONE) end_both(event);
}

void Tracker::on_tail(const wg_tail_key& key, const wg_tail& tail, spans::SpanBatch& batch) {
    if (key.direction > WG_RECEIVE) return;
    Connection* connection = find(key.connection);
    if (!connection) {
        done_tails_.push_back({key, tail.turn});
        return;
    }
    const auto direction = static_cast<Direction>(key.direction);
    streams::Stream& stream = connection->streams.of(direction);
    if (tail.end <= stream.end() || tail.turn < stream.turn()) return;
    if (!connection->held.empty() && tail.turn > stream.last_turn()) return;  // what waits comes before
    // The map is newer than the ring: the event that began the turn is on its way, unless it was lost.
    if (tail.turn > stream.last_turn() && now_ns_ < tail.end_ns + kLateNs) return;
    connection->has_tail[key.direction] = true;
    connection->tail_turn[key.direction] = tail.turn;
    stream.progress(tail.end, tail.end_ns, tail_of(tail.tail), tail.turn);
    connection->last_ns = tail.end_ns;
    handle(*connection, direction, tail.end_ns, batch);
    release(*connection, batch);
}

void Tracker::on_close(const wg_close_event& event, spans::SpanBatch& batch) {
    Connection* connection = find(event.connection);
    if (!event.half && refused_.contains(event.connection))
        refused_ended_.push_back({event.connection, event.head.time_ns + kLateNs});
    if (!connection) return;
    const bool says_bytes = event.bytes[WG_SEND] || event.bytes[WG_RECEIVE];  // the other end knows of none
    if (connection->info.kind == WG_UNIX && !says_bytes && !event.half)
        return end_unix(*connection, event.head.time_ns);
    give_out(*connection, batch);
    for (const Direction direction : kDirections) {
        const auto index = static_cast<std::size_t>(direction);
        streams::Stream& stream = connection->streams.of(direction);
        if (stream.is_started() && event.end[index] > stream.end())
            stream.progress(event.end[index], event.end_ns[index], tail_of(event.tail[index]), event.turns[index]);
        if (!event.half || direction == Direction::Send) stream.close();
        handle(*connection, direction, event.head.time_ns, batch);
    }
    // The peer's reset may come while a send is under way: the bytes are reported after the close.
    if (event.half) return;
    connection->is_closed = true;
    for (const Direction direction : kDirections) {
        const auto index = static_cast<std::size_t>(direction);
        connection->closed_bytes[index] = event.bytes[index];
    }
    end(*connection, event.head.time_ns);
}

Context Tracker::context(const Connection& connection, std::uint64_t now_ns, spans::SpanBatch& batch) {
    now_ns_ = std::max(now_ns_, now_ns);
    return {.options = config_.options,
            .batch = batch,
            .waiting = waiting_,
            .counts = counts_[connection.protocol],
            .traces = traces_,
            .names = names_,
            .now_ns = now_ns};
}

void Tracker::handle(Connection& connection, Direction direction, std::uint64_t now_ns, spans::SpanBatch& batch) {
    if (!connection.session) return;
    Context with = context(connection, now_ns, batch);
    connection.session->on_bytes(direction, with);
    if (connection.session->is_over() && !connection.is_muted && !hand_over(connection, now_ns, batch))
        go_on_behind(connection, now_ns, batch);
    const Session* const session = connection.session.get();
    if (session && session->is_pipelined() && !connection.is_whole) capture_whole(connection);
    if (session && session->open_exchanges() > 0) {
        if (connection.is_waiting) return;
        connection.is_waiting = true;
        connection.waiting_at = waiting_list_.size();
        waiting_list_.push_back(&connection);
        return;
    }
    for (const Direction done : kDirections) {
        const auto index = static_cast<std::size_t>(done);
        if (!connection.has_tail[index]) continue;
        connection.has_tail[index] = false;
        done_tails_.push_back(
            {{.connection = connection.info.id, .direction = static_cast<std::uint32_t>(index), .padding = 0},
             connection.tail_turn[index]});
    }
}

// True when another protocol goes on where the session has ended.
bool Tracker::hand_over(Connection& connection, std::uint64_t now_ns, spans::SpanBatch& batch) {
    const std::unique_ptr<Handover> handover = connection.session->take_handover();
    if (!handover) return false;
    connection.protocol = static_cast<std::size_t>(std::ranges::find(all(), handover->to) - all().begin());
    Context with = context(connection, now_ns, batch);
    connection.session =
        handover->to->take_over(connection.info, connection.streams, handover->requests, *handover, with);
    for (const Direction direction : kDirections) connection.session->on_bytes(direction, with);
    return true;
}

void Tracker::identify(Connection& connection, Direction direction) {
    if (connection.is_tunnel) return look_into_tunnel(connection, direction);
    streams::Stream& stream = connection.streams.of(direction);
    while (!stream.is_empty()) {
        // Messages begin where turns do: what is in the middle of one says nothing.
        if (stream.hole() || !stream.is_at_turn_start()) {
            // What was lost before it is known who speaks; what no rule asked for is no loss.
            if (stream.is_gap_at(stream.head()) && !connection.has_rules) counts_[0].add(Cause::UnknownProtocol);
            if (!stream.skip_to_next_turn()) return;
            continue;
        }
        if (!connection.is_plain && begins_tls(stream.bytes())) return note_tls(connection);
        if (try_protocols(connection, direction)) return;
        if (connection.is_muted) return;
        if (stream.is_empty()) return;
        if (waits_for_request(connection, direction)) return;
        // Someone wants more bytes.
        if (!stream.is_cut() && !stream.is_closed() && stream.bytes().size() < 4096) return;
        give_up(connection, direction);
        if (connection.is_muted) return;
    }
}

// A client's request may be reported after its answer, and says who speaks.
bool Tracker::waits_for_request(Connection& connection, Direction direction) {
    return connection.info.role == Role::Client && direction == Direction::Receive &&
           connection.streams.of(direction).order() > connection.streams.of(Direction::Send).end();
}

// True when a session was opened. Gives the turn up when every protocol says no.
bool Tracker::try_protocols(Connection& connection, Direction direction) {
    const std::string_view bytes = connection.streams.of(direction).bytes();
    const Role role = connection.info.role;
    const bool can_request = role == Role::Unknown || (role == Role::Server) == (direction == Direction::Receive);
    const bool can_respond = role == Role::Unknown || !can_request;
    bool wants_more = false;
    for (std::size_t i = 0; i < all().size(); ++i) {
        const Protocol& protocol = *all()[i];
        for (const Side side : {Side::Request, Side::Response}) {
            if (side == Side::Request ? !can_request : !can_respond) continue;
            const Sniff verdict = protocol.sniff(bytes, side);
            wants_more |= verdict == Sniff::NeedMore;
            if (verdict != Sniff::Yes) continue;
            connection.protocol = i;
            connection.session = protocol.open(connection.info, connection.streams,
                                               side == Side::Request ? direction : opposite(direction));
            return true;
        }
    }
    if (!wants_more && !waits_for_request(connection, direction)) give_up(connection, direction);
    return false;
}

// Null when there are too many.
Unreadable* Tracker::unreadable_of(const Connection& connection) {
    const ConnectionInfo& info = connection.info;
    std::uint16_t port = 0;
    if (info.kind != WG_UNIX && info.role != Role::Unknown)
        port = info.role == Role::Server ? info.tuple.local_port : info.tuple.remote_port;
    const UnreadableKey key{info.process.pid, port};
    auto found = unreadable_.find(key);
    if (found == unreadable_.end() && unreadable_.size() < kMaxUnreadable) found = unreadable_.try_emplace(key).first;
    return found == unreadable_.end() ? nullptr : &found->second;
}

// Nobody knows the turn at the head: count it and look at the next one.
void Tracker::give_up(Connection& connection, Direction direction) {
    streams::Stream& stream = connection.streams.of(direction);
    const std::uint64_t before = stream.head();
    stream.skip_to_next_turn();
    if (Unreadable* row = unreadable_of(connection)) {
        row->bytes += stream.head() - before;
        if (connection.tries == 0) ++row->connections;
    }
    counts_[0].add(Cause::UnknownProtocol);
    if (++connection.tries >= kTries) mute(connection, connection.retry_after_ns);
}

}  // namespace waggle::protocols
