// SPDX-License-Identifier: Apache-2.0
// TLS: the plaintext that a library gives or takes is a connection of its own, above a socket's. Which socket, the
// kernel says where the library uses it itself; else (memory BIOs) the one that the same thread received from just
// before it read, or sends to just after it wrote, when its records are as long as this plaintext makes them. Never
// the last one that was used.
#include <algorithm>

#include "protocols/tracker_connection.h"
#include "spans/attribute_names.h"

namespace waggle::protocols {
namespace {

constexpr std::size_t kMaxUnbound = 256;  // events of one connection that wait for their socket
constexpr std::size_t kMaxUnboundBytes = 1 << 20;
constexpr std::size_t kMaxAllUnboundBytes = 32 << 20;  // of all connections together
constexpr std::size_t kMaxThreads = 65536;
constexpr std::uint64_t kUnboundNs = 5'000'000'000;    // as long they wait
constexpr std::uint64_t kAskNs = 300'000'000;          // of a socket: then its process is looked at again
constexpr std::uint64_t kEncryptedNs = 3'000'000'000;  // then nobody will read it
constexpr std::uint64_t kCallNs = 1'000'000'000;       // a call may return as long after its socket's close
// As the kernel side follows connections whose ends it knows.
constexpr std::uint32_t kRequestBytes = 16384;
constexpr std::uint32_t kResponseBytes = 4096;
constexpr std::size_t kMaxCalls = 128;  // of a thread, kept to find out
constexpr std::uint64_t kLatelyNs = 1'000'000'000;

// Are these calls' bytes in the records, one after the other? What comes before may be the handshake's.
bool went_out(const std::vector<std::uint64_t>& sizes, const std::vector<std::uint16_t>& records) {
    std::size_t at = 0;
    bool has_begun = false;
    for (std::uint64_t left : sizes)
        while (left > 0 && at < records.size()) {
            const std::uint64_t piece = std::min(left, kMaxTlsRecord);
            const bool is_match = can_hold(records[at++], piece);
            if (is_match)
                left -= piece;
            else if (has_begun)
                return false;
            has_begun |= is_match;
        }
    return has_begun;
}

}  // namespace

void Tracker::on_plain(const wg_plain_event& event, spans::SpanBatch& batch) {
    if (!(event.connection & WG_PLAIN_ID)) {
        ++stats_.malformed;
        return;
    }
    if (is_shedding_ && !find(event.connection)) {
        ++stats_.refused;
        const auto socket = connections_.find(event.beneath);
        const auto refused = refused_.find(event.beneath);
        std::optional<Direction> requests;
        if (socket != connections_.end())
            requests = requests_of(socket->second->info.role);
        else if (refused != refused_.end())
            requests = refused->second;
        return refuse(event.connection, requests.value_or(Direction::Send));
    }
    auto& slot = connections_[event.connection];
    if (!slot) {
        slot = std::make_unique<Connection>();
        slot->is_plain = true;
        slot->info.id = event.connection;
        slot->info.from_start = event.from_start ? 3 : 0;
    }
    last_ = slot.get();
    slot->info.is_encrypted = true;
    slot->is_go = event.source == WG_SOURCE_GO_TLS;
    slot->is_found = event.source == WG_SOURCE_FOUND_TLS;
    slot->claimed = event.beneath;
    slot->info.process = {event.pid, event.process_start_ns};
    slot->last_ns = event.head.time_ns;
    for (const Direction direction : kDirections)
        slot->streams.of(direction).begin_at(event.next[static_cast<std::size_t>(direction)]);
    if (plain_pids_.size() >= kMaxThreads) plain_pids_.clear();  // those that have ended are among them
    plain_pids_[event.pid] = event.process_start_ns;
    if (event.beneath && event.beneath != slot->beneath && is_believed(*slot)) bind(*slot, event.beneath, batch);
}

// The plaintext goes through this socket.
void Tracker::bind(Connection& plain, std::uint64_t beneath, spans::SpanBatch& batch) {
    const auto found = connections_.find(beneath);
    if (found == connections_.end()) return;
    Connection& socket = *found->second;
    // A library may use other sockets during a call: for names, logs, certificates.
    if (socket.is_plain || (socket.session && !socket.session->is_over())) return;
    if (socket.above && socket.above != plain.info.id) forget(socket.above, spans::Incomplete::Hole, now_ns_, batch);
    socket.above = plain.info.id;
    socket.is_tls = true;
    if (!socket.handshake) socket.handshake = std::make_shared<TlsHandshake>();
    if (!socket.is_muted) mute(socket, 0);
    socket.retry_ns = 0;  // ciphertext stays so
    plain.beneath = beneath;
    const ConnectionInfo own = std::move(plain.info);
    plain.info = socket.info;
    plain.info.id = own.id;
    plain.info.process = own.process;
    plain.info.from_start = own.from_start;
    plain.info.is_encrypted = true;
    // What is told of it later is its, too.
    plain.info.tls = {socket.handshake, &socket.handshake->facts()};
    plain.contexts_of = 0;
    set_peer(plain, plain.info.role == Role::Client && plain.info.kind == WG_TCP);
    if (plain.info.role != Role::Unknown) {
        const bool is_server = plain.info.role == Role::Server;
        wg_connection_rules rules{};
        for (wg_rule& rule : rules.by_direction) rule = {.mode = WG_RULE_HEAD, .padding = {}, .bytes = kRequestBytes};
        rules.by_direction[is_server ? WG_SEND : WG_RECEIVE].bytes = kResponseBytes;
        set_rules(plain, rules);
    }
    const auto requests = requests_of(plain.info.role);
    if (socket.prelude && requests && !plain.session && plain.info.from_start == 3) {
        plain.protocol = socket.protocol;
        plain.session =
            all()[socket.protocol]->go_on(plain.info, plain.streams, *requests, *std::exchange(socket.prelude, {}));
    }
    const std::vector<HeldEvent> waiting = std::move(plain.unbound);
    plain.unbound.clear();
    unbound_bytes_ -= plain.unbound_bytes;
    plain.unbound_bytes = 0;
    for (const HeldEvent& held : waiting) take(plain, held.event, held.bytes, batch);
}

// Plaintext of which it is not known through which socket it goes.
void Tracker::take_unbound(Connection& plain, const wg_data_event& event, std::string_view bytes,
                           spans::SpanBatch& batch) {
    plain.last_ns = event.head.time_ns;
    const std::size_t cost = sizeof(HeldEvent) + bytes.size();
    if (plain.unbound.size() >= kMaxUnbound || plain.unbound_bytes + cost > kMaxUnboundBytes ||
        unbound_bytes_ + cost > kMaxAllUnboundBytes)
        drop_unbound(plain, Unbound::NoRoom);
    if (unbound_bytes_ + cost > kMaxAllUnboundBytes) {  // others have it all
        count_unbound(event, Unbound::NoRoom);
        plain.info.from_start = 0;
        return;
    }
    plain.unbound.push_back({event, std::string(bytes)});
    plain.unbound_bytes += cost;
    unbound_bytes_ += cost;
    // A goroutine is not its thread: whose socket it is, only the kernel side can tell.
    if (plain.is_go) return;
    ThreadTls& thread = thread_of(event);
    if (event.direction == WG_SEND && plain.is_found && plain.claimed) return prove_send(plain, event, batch);
    if (event.direction == WG_SEND) {
        auto found = std::ranges::find(thread.written, plain.info.id, &ThreadTls::Write::plain);
        if (found == thread.written.end())
            found = thread.written.insert(found, {.plain = plain.info.id, .ns = 0, .sizes = {}, .call_ns = 0});
        found->ns = event.head.time_ns;
        if (event.first_ns && event.first_ns == found->call_ns && !found->sizes.empty())
            found->sizes.back() += event.size;
        else if (found->sizes.size() < kMaxCalls)
            found->sizes.push_back(event.size);
        found->call_ns = event.first_ns;
        return;
    }
    // Exactly one of the sockets that the thread has received from must have the record.
    std::uint64_t from = 0;
    for (const ThreadTls::Receive& received : thread.received) {
        const auto found = connections_.find(received.socket);
        if (found == connections_.end() || found->second->above) continue;
        if (plain.is_found && plain.claimed && plain.claimed != received.socket) continue;
        const auto& records = found->second->records[WG_RECEIVE].data();
        if (std::ranges::none_of(records, [&](std::uint16_t record) { return can_hold(record, event.size); })) continue;
        if (from) return;
        from = received.socket;
    }
    if (!from) return;
    std::erase_if(thread.received, [&](const ThreadTls::Receive& received) { return received.socket == from; });
    bind_proven(plain, Direction::Receive, from, batch);
}

// What the event's thread did lately.
Tracker::ThreadTls& Tracker::thread_of(const wg_data_event& event) {
    if (threads_.size() > kMaxThreads) threads_.clear();
    ThreadTls& thread = threads_[event.context];
    const auto is_old = [&](const auto& entry) { return entry.ns + kLatelyNs < event.head.time_ns; };
    std::erase_if(thread.received, is_old);
    std::erase_if(thread.written, is_old);
    if (thread.received.size() > kMaxCalls) thread.received.erase(thread.received.begin());
    if (thread.written.size() > kMaxCalls) thread.written.erase(thread.written.begin());
    return thread;
}

// Records went by on a socket that nothing is known to be read of.
void Tracker::follow_records(Connection& socket, const wg_data_event& event, spans::SpanBatch& batch) {
    const std::uint64_t id = socket.info.id;
    TlsRecords& records = socket.records[event.direction];
    ThreadTls& thread = thread_of(event);
    if (event.direction == WG_RECEIVE) {
        // A header is often read for itself, before what it is the header of.
        records.follow(socket.streams.of(Direction::Receive), WG_RECEIVE, event.head.time_ns, *socket.handshake);
        std::erase_if(thread.received, [&](const ThreadTls::Receive& received) { return received.socket == id; });
        thread.received.push_back({.socket = id, .ns = event.head.time_ns});
        return;
    }
    records.forget_data();
    records.follow(socket.streams.of(Direction::Send), WG_SEND, event.first_ns ? event.first_ns : event.head.time_ns,
                   *socket.handshake);
    std::uint64_t writer = 0;
    for (const ThreadTls::Write& write : thread.written) {
        const auto found = connections_.find(write.plain);
        if (found == connections_.end() || found->second->beneath || !went_out(write.sizes, records.data())) continue;
        if (writer) return;
        writer = write.plain;
    }
    if (!writer) return;
    std::erase_if(thread.written, [&](const ThreadTls::Write& write) { return write.plain == writer; });
    bind_proven(*connections_.at(writer), Direction::Send, id, batch);
}

void Tracker::note_tls(Connection& socket) {
    socket.is_tls = true;
    socket.tls_since_ns = socket.last_ns;
    socket.handshake = std::make_shared<TlsHandshake>();
    const auto [pid, start_ns] = socket.info.process;
    const auto known = plain_pids_.find(pid);
    if (known == plain_pids_.end() || known->second != start_ns) tls_seen_.push_back(pid);
}

// Its session has ended where another may begin, which is encrypted: for sure, or where the next bytes say so.
void Tracker::go_on_behind(Connection& socket, std::uint64_t now_ns, spans::SpanBatch& batch) {
    const Next next = socket.session->next();
    if (next == Next::Nothing) return mute(socket, 0);
    if (next == Next::Tls) socket.prelude = socket.session->take_prelude();
    end_session(socket, spans::Incomplete::Hole, now_ns, batch);
    if (next == Next::MaybeTls) {
        socket.is_tunnel = true;
        for (const Direction direction : kDirections) look_into_tunnel(socket, direction);
        return;
    }
    note_tls(socket);
    for (const Direction direction : kDirections) {
        const auto index = static_cast<std::size_t>(direction);
        streams::Stream& stream = socket.streams.of(direction);
        const std::uint64_t before = stream.head() > socket.begin[index] ? stream.head() - socket.begin[index] : 0;
        if (stream.is_started()) socket.records[index].begin_at(stream.head(), before);
        socket.records[index].follow(stream, static_cast<unsigned>(index), now_ns, *socket.handshake);
    }
}

void Tracker::look_into_tunnel(Connection& socket, Direction direction) {
    const streams::Stream& stream = socket.streams.of(direction);
    if (stream.is_empty() || socket.is_tls || socket.is_muted) return;
    if (begins_tls(stream.bytes())) return note_tls(socket);
    if (stream.bytes().size() >= kTlsHeader || stream.is_cut() || stream.is_closed()) mute(socket, 0);
}

// Closed when its client had sent nothing that could hold a request: each record is known, and is in the clear.
bool Tracker::is_cut_short(const Connection& socket) {
    const auto client = requests_of(socket.info.role);
    if (!socket.is_closed || !client || !socket.handshake->facts().began_ns) return false;
    const auto index = static_cast<std::size_t>(*client);
    return socket.closed_bytes[index] <= socket.records[index].clear_bytes();
}

// Nobody reads it: all that can be told of is the connection.
void Tracker::count_encrypted(Connection& socket, spans::SpanBatch& batch) {
    if (!socket.is_tls || socket.above || socket.is_encrypted_counted) return;
    socket.is_encrypted_counted = true;
    if (!is_cut_short(socket)) {
        counts_[socket.protocol].add(Cause::Encrypted);
        if (Unreadable* row = unreadable_of(socket)) ++row->connections;
    }
    const TlsFacts& facts = socket.handshake->facts();
    if (facts.began_ns) report_tls(socket, facts.began_ns, facts.ended_ns, batch);
}

// The connection as a record for metrics, never a span: its handshake, or (with its bytes) its end.
spans::Span& Tracker::report_tls(Connection& socket, std::uint64_t start_ns, std::uint64_t end_ns,
                                 spans::SpanBatch& batch) {
    const ConnectionInfo& info = socket.info;
    const TlsFacts& facts = socket.handshake->facts();
    spans::Span& record = batch.add();
    record.span_class = spans::SpanClass::Connection;
    record.kind = info.role == Role::Server   ? spans::SpanKind::Server
                  : info.role == Role::Client ? spans::SpanKind::Client
                                              : spans::SpanKind::Internal;
    record.is_ignored_for_traces = true;
    record.has_unknown_role = info.role == Role::Unknown;
    record.start_ns = start_ns;
    record.end_ns = end_ns;
    record.process = info.process;
    record.connection = info.id;
    describe_tls(facts, batch, record);
    if (!facts.offered_protocols.empty())
        record.attributes.add(attr::waggle_tls_offered_protocols, batch.text(facts.offered_protocols));
    if (info.kind == WG_UNIX) {
        if (!info.unix_path.empty()) record.attributes.add(attr::server_address, batch.text(info.unix_path));
        return record;
    }
    const bool is_server = info.role == Role::Server;
    // What a server is asked for is its clients' word, and may be anything.
    const std::string& address = is_server                   ? info.local_address
                                 : facts.server_name.empty() ? info.remote_address
                                                             : facts.server_name;
    record.attributes.add(attr::server_address, batch.text(address));
    record.attributes.add(attr::server_port, std::int64_t{is_server ? info.tuple.local_port : info.tuple.remote_port});
    return record;
}

// The socket is gone.
void Tracker::report_tls_end(Connection& socket, spans::SpanBatch& batch) {
    if (!socket.is_encrypted_counted || socket.above || !socket.is_closed) return;
    spans::Span& record = report_tls(socket, socket.handshake->facts().began_ns, socket.closed_ns, batch);
    record.attributes.add(attr::waggle_tls_sent, static_cast<std::int64_t>(socket.closed_bytes[WG_SEND]));
    record.attributes.add(attr::waggle_tls_received, static_cast<std::int64_t>(socket.closed_bytes[WG_RECEIVE]));
}

void Tracker::count_unbound(const wg_data_event& event, Unbound cause) {
    UnboundCounts& counts = stats_.unbound[static_cast<std::size_t>(cause)];
    ++counts.events;
    counts.bytes += event.size;
}

void Tracker::drop_unbound(Connection& plain, Unbound cause) {
    if (plain.unbound.empty()) return;
    for (const HeldEvent& held : plain.unbound) count_unbound(held.event, cause);
    plain.unbound.clear();
    unbound_bytes_ -= plain.unbound_bytes;
    plain.unbound_bytes = 0;
    plain.info.from_start = 0;
}

void Tracker::sweep_tls(Connection& connection, std::uint64_t now_ns, spans::SpanBatch& batch) {
    if (!connection.unbound.empty() && connection.unbound.front().event.head.time_ns + kUnboundNs < now_ns)
        drop_unbound(connection, Unbound::NoSocket);
    if (!connection.is_tls || connection.above || connection.is_encrypted_counted) return;
    if (!connection.is_asked && connection.tls_since_ns + kAskNs < now_ns) {
        connection.is_asked = true;
        tls_seen_.push_back(connection.info.process.pid);
    }
    if (connection.tls_since_ns + kEncryptedNs > now_ns) return;
    count_encrypted(connection, batch);
    if (!connection.is_muted) mute(connection, 0);
}

// What a library sends is told when its call returns. Its thread may have to wait for a CPU
// meanwhile, while another one, or the peer, closes the socket.
bool Tracker::is_call_under_way(std::uint64_t id, std::uint64_t now_ns) {
    Connection* socket = find(id);
    if (socket && socket->is_plain) socket = find(socket->beneath);
    if (!socket || !socket->above || socket->closed_ns + kCallNs < now_ns) return false;
    const Connection* plain = find(socket->above);
    return plain && plain->session && plain->session->open_exchanges() > 0;
}

// Its socket is gone: nothing more comes, and what had no length ends here. Others' closes have told it.
void Tracker::end_streams(std::uint64_t id, std::uint64_t now_ns, spans::SpanBatch& batch) {
    Connection* connection = find(id);
    if (!connection || (!connection->is_plain && !connection->is_ended_by_peer())) return;
    for (const Direction direction : kDirections) {
        connection->streams.of(direction).close();
        handle(*connection, direction, now_ns, batch);
    }
}

}  // namespace waggle::protocols
