// SPDX-License-Identifier: Apache-2.0
// The tracker's time: ticks, time limits, and how connections are forgotten.
#include <algorithm>
#include <utility>

#include "protocols/tracker_connection.h"
#include "spans/attribute_names.h"

namespace waggle::protocols {
namespace {

constexpr std::uint64_t kSweepNs = 100'000'000;
constexpr std::uint64_t kGraceNs = 4'000'000;
constexpr std::uint64_t kRestNs = 1'000'000'000;
// While memory is short, once a second: one in so many connections goes.
constexpr std::size_t kShedPart = 8;
// The kernel reports a connection anew after half this time of silence.
constexpr std::uint64_t kIdleNs = 120'000'000'000;
// Of a connection that still waits for an answer: a long poll may, but its close may have been lost.
constexpr std::uint64_t kAbandonedNs = 3600'000'000'000;
constexpr std::uint32_t kRetryBytes = 16384;  // as far as request heads are followed

}  // namespace

void Tracker::end_session(Connection& connection, spans::Incomplete reason, std::uint64_t now_ns,
                          spans::SpanBatch& batch) {
    if (!connection.session) return;
    Context with = context(connection, now_ns, batch);
    connection.session->on_close(reason, with);
    connection.session.reset();
    if (!std::exchange(connection.is_waiting, false)) return;
    Connection* const last = waiting_list_.back();
    waiting_list_[last->waiting_at = connection.waiting_at] = last;
    waiting_list_.pop_back();
}

void Tracker::forget(std::uint64_t id, spans::Incomplete reason, std::uint64_t now_ns, spans::SpanBatch& batch) {
    const auto found = connections_.find(id);
    if (found == connections_.end()) return;
    Connection& connection = *found->second;
    give_out(connection, batch);
    count_encrypted(connection, batch);
    report_tls_end(connection, batch);
    drop_unbound(connection, Unbound::NoSocket);
    set_peer(connection, false);
    if (connection.session) {
        Counts& counts = context(connection, now_ns, batch).counts;
        end_session(connection, reason, now_ns, batch);
        // A request that has begun, of a connection that fell silent: the rest of it, and the close, found no room.
        const bool is_client = connection.info.role == Role::Client;
        const streams::Stream& requests = connection.streams.of(is_client ? Direction::Send : Direction::Receive);
        if (reason == spans::Incomplete::Hole && connection.info.role != Role::Unknown && !requests.is_empty())
            counts.add(Cause::Hole);
    }
    if (last_ == &connection) last_ = nullptr;
    held_bytes_ -= connection.weight;
    // The kernel side removes its rules at its end, which may be before they were written.
    if (connection.has_rules) gone_rules_.push_back(id);
    const std::uint64_t above = connection.above;
    connections_.erase(found);
    if (above) forget(above, reason, now_ns, batch);
}

void Tracker::on_tick(std::uint64_t now_ns, spans::SpanBatch& batch) {
    now_ns_ = now_ns;
    give_out_late(now_ns, batch);
    traces_.on_tick(now_ns);
    waiting_.on_tick(traces_, batch);
    forget_ended(now_ns, batch);
    drop_ended(now_ns);
    if (now_ns < last_sweep_ns_ + kSweepNs) return;
    last_sweep_ns_ = now_ns;
    std::size_t kept = 0;
    for (Connection* connection : waiting_list_) {
        Context with = context(*connection, now_ns, batch);
        connection->session->on_tick(with);
        if (connection->session->open_exchanges() > 0) {
            waiting_list_[connection->waiting_at = kept++] = connection;
        } else {
            connection->is_waiting = false;
        }
    }
    waiting_list_.resize(kept);
    tick_datagrams(now_ns, batch);
    traces_.expire(now_ns);
    sweep(now_ns, batch);
}

// A send may be reported after the close that it met: it is waited for from one tick to a later one. Ticks may follow
// each other at once.
void Tracker::forget_ended(std::uint64_t now_ns, spans::SpanBatch& batch) {
    if (now_ns < ended_ns_ + kGraceNs) return;
    std::erase_if(ended_before_, [&](std::uint64_t id) {
        if (!is_call_under_way(id, now_ns) && !is_tail_due(id, now_ns)) return false;
        ended_.push_back(id);
        return true;
    });
    for (const std::uint64_t id : ended_before_) end_streams(id, now_ns, batch);
    for (const std::uint64_t id : ended_before_) {
        if (const Connection* const ended = find(id)) outlive(*ended, now_ns);
        forget(id, spans::Incomplete::Closed, now_ns, batch);
    }
    ended_before_.clear();
    ended_before_.swap(ended_);
    ended_ns_ = now_ns;
}

// Connections that went silent are forgotten (the kernel reports them anew), muted ones get a chance.
void Tracker::sweep(std::uint64_t now_ns, spans::SpanBatch& batch) {
    const bool is_full = connections_.size() > config_.max_connections;
    std::vector<std::uint64_t> gone;
    for (auto& [id, connection] : connections_) {
        sweep_tls(*connection, now_ns, batch);
        if (connection->is_muted && connection->retry_ns && connection->retry_ns < now_ns) {
            connection->tries = kTries - 1;
            connection->retry_ns = 0;
            connection->is_muted = false;
            set_peer(*connection, connection->info.role == Role::Client && connection->info.kind == WG_TCP);
            connection->is_resumed[0] = connection->is_resumed[1] = true;
            wg_connection_rules rules{};
            for (wg_rule& rule : rules.by_direction) rule = {.mode = WG_RULE_HEAD, .padding = {}, .bytes = kRetryBytes};
            set_rules(*connection, rules);
        }
        if (connection->weight && connection->last_ns + kRestNs < now_ns) {
            for (streams::Stream& stream : connection->streams.by_direction) stream.shrink();
            if (connection->session) connection->session->shrink();
            held_bytes_ -= connection->weight;
            held_bytes_ += connection->weight = connection->memory();
        }
        const bool is_open = connection->session && connection->session->open_exchanges() > 0;
        // Of a socket whose plaintext is read nothing is reported but its end.
        const bool is_long = is_open || connection->above || connection->beneath;
        const std::uint64_t limit = is_long ? kAbandonedNs + config_.options.max_exchange_age_ns : kIdleNs;
        if (connection->last_ns + limit < now_ns) gone.push_back(id);
    }
    std::size_t excess = is_full ? connections_.size() - config_.max_connections : 0;
    if (is_shedding_ && last_shed_ns_ + kRestNs <= now_ns) {
        last_shed_ns_ = now_ns;
        excess = std::max(excess, connections_.size() / kShedPart);
    }
    if (excess > gone.size()) {
        const std::size_t before = gone.size();
        choose_oldest(excess, gone);
        stats_.evicted += gone.size() - before;
        for (std::size_t i = before; is_shedding_ && i < gone.size(); ++i) stop_following(*connections_.at(gone[i]));
    }
    for (const std::uint64_t id : gone) forget(id, spans::Incomplete::Hole, now_ns, batch);
}

void Tracker::finish(std::uint64_t now_ns, spans::SpanBatch& batch) {
    std::vector<std::uint64_t> ids;
    ids.reserve(connections_.size());
    for (const auto& [id, connection] : connections_) ids.push_back(id);
    for (const std::uint64_t id : ids) forget(id, spans::Incomplete::AgentStop, now_ns, batch);
    finish_datagrams(spans::Incomplete::AgentStop, now_ns, batch);
    release(batch);
}

bool Tracker::wants_tails() const {
    return std::ranges::any_of(waiting_list_,
                               [](const Connection* c) { return c->is_ended_by_peer() || c->session->wants_tails(); });
}

// A UNIX socket's close is not reported: when the peer is gone nothing more can come, at either end. What went beyond
// the rules is still to be read from the tails.
void Tracker::end_both(const wg_data_event& event) {
    for (const std::uint64_t id : {event.connection, event.order})
        if (Connection* const ended = id ? find(id) : nullptr) end_unix(*ended, event.head.time_ns);
}

void Tracker::end_unix(Connection& connection, std::uint64_t now_ns) {
    if (!connection.closed_ns) end(connection, now_ns);
}

// It is forgotten a little later, and the plaintext above it.
void Tracker::end(Connection& connection, std::uint64_t now_ns) {
    connection.closed_ns = now_ns;
    ended_.push_back(connection.info.id);
    if (connection.above) ended_.push_back(connection.above);
}

// No event has told where the bytes of a UNIX connection end, and what is open may have ended in them.
bool Tracker::is_tail_due(std::uint64_t id, std::uint64_t now_ns) {
    const Connection* const ended = find(id);
    return ended && ended->is_ended_by_peer() && now_ns < ended->closed_ns + kLateNs && ended->session &&
           ended->session->open_exchanges() > 0;
}

void Tracker::visit_open(
    const std::function<void(const spans::ProcessKey&, std::span<const spans::Attribute>)>& visit) const {
    for (const Connection* connection : waiting_list_)
        if (connection->info.role == Role::Server)
            connection->session->visit_open([&](std::span<const spans::Attribute> attributes) {
                std::vector<spans::Attribute> own(attributes.begin(), attributes.end());
                // A session does not know what is beneath it.
                if (connection->info.is_encrypted)
                    for (auto& [key, value] : own)
                        if (key == attr::url_scheme) value = std::string_view("https");
                visit(connection->info.process, own);
            });
}

std::size_t Tracker::open_exchanges() const {
    std::size_t open = 0;
    for (const Connection* connection : waiting_list_) open += connection->session->open_exchanges();
    for (const auto& session : datagrams_) open += session->open_exchanges();
    return open;
}

std::vector<std::uint64_t> Tracker::unreported() const {
    std::vector<std::uint64_t> open(all().size());
    for (const auto& [id, connection] : connections_)
        if (connection->session) open[connection->protocol] += connection->session->unreported();
    return open;
}

}  // namespace waggle::protocols
