// SPDX-License-Identifier: Apache-2.0
// The tracker's time: ticks, time limits, and how connections are forgotten.
#include <algorithm>

#include "protocols/tracker_connection.h"

namespace waggle::protocols {
namespace {

constexpr std::uint64_t kSweepNs = 100'000'000;
// The kernel reports a connection anew after half this time of silence.
constexpr std::uint64_t kIdleNs = 120'000'000'000;
// Of a connection that still waits for an answer: a long poll may, but its close may have been lost.
constexpr std::uint64_t kAbandonedNs = 3600'000'000'000;
constexpr std::uint32_t kRetryBytes = 16384;  // as far as request heads are followed

}  // namespace

void Tracker::forget(std::uint64_t id, spans::Incomplete reason, std::uint64_t now_ns, spans::SpanBatch& batch) {
    const auto found = connections_.find(id);
    if (found == connections_.end()) return;
    Connection& connection = *found->second;
    give_out(connection, batch);
    set_peer(connection, false);
    if (connection.session) {
        Context with = context(connection, now_ns, batch);
        connection.session->on_close(reason, with);
    }
    if (connection.is_waiting) {
        Connection* const last = waiting_list_.back();
        waiting_list_[last->waiting_at = connection.waiting_at] = last;
        waiting_list_.pop_back();
    }
    if (last_ == &connection) last_ = nullptr;
    connections_.erase(found);
}

void Tracker::on_tick(std::uint64_t now_ns, spans::SpanBatch& batch) {
    now_ns_ = now_ns;
    give_out_late(now_ns, batch);
    traces_.on_tick(now_ns);
    waiting_.on_tick(traces_, batch);
    // A send may be reported after the close that it met: one tick more.
    for (const std::uint64_t id : ended_before_) forget(id, spans::Incomplete::Closed, now_ns, batch);
    ended_before_.clear();
    ended_before_.swap(ended_);
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
    traces_.expire(now_ns);
    sweep(now_ns, batch);
}

// Connections that went silent are forgotten (the kernel reports them anew), muted ones get a chance.
void Tracker::sweep(std::uint64_t now_ns, spans::SpanBatch& batch) {
    const bool is_full = connections_.size() > config_.max_connections;
    std::vector<std::uint64_t> gone;
    for (auto& [id, connection] : connections_) {
        if (connection->is_muted && connection->retry_ns && connection->retry_ns < now_ns) {
            connection->tries = kTries - 1;
            connection->retry_ns = 0;
            connection->is_muted = false;
            set_peer(*connection, connection->info.role == Role::Client && connection->info.kind == WG_TCP);
            connection->is_resumed[0] = connection->is_resumed[1] = true;
            wg_connection_rules rules{};
            for (wg_rule& rule : rules.by_direction) rule = {.mode = WG_RULE_HEAD, .padding = {}, .bytes = kRetryBytes};
            rule_changes_.push_back({id, rules});
        }
        const bool is_open = connection->session && connection->session->open_exchanges() > 0;
        const std::uint64_t limit = is_open ? kAbandonedNs + config_.options.max_exchange_age_ns : kIdleNs;
        if (connection->last_ns + limit < now_ns) gone.push_back(id);
    }
    if (is_full && gone.size() < connections_.size() - config_.max_connections) {
        std::vector<std::pair<std::uint64_t, std::uint64_t>> by_age;
        by_age.reserve(connections_.size());
        for (auto& [id, connection] : connections_) by_age.emplace_back(connection->last_ns, id);
        const std::size_t excess = connections_.size() - config_.max_connections;
        std::nth_element(by_age.begin(), by_age.begin() + static_cast<std::ptrdiff_t>(excess), by_age.end());
        for (std::size_t i = 0; i < excess; ++i) gone.push_back(by_age[i].second);
        stats_.evicted += excess;
    }
    for (const std::uint64_t id : gone) forget(id, spans::Incomplete::Hole, now_ns, batch);
}

void Tracker::finish(std::uint64_t now_ns, spans::SpanBatch& batch) {
    std::vector<std::uint64_t> ids;
    ids.reserve(connections_.size());
    for (const auto& [id, connection] : connections_) ids.push_back(id);
    for (const std::uint64_t id : ids) forget(id, spans::Incomplete::AgentStop, now_ns, batch);
    release(batch);
}

bool Tracker::wants_tails() const {
    return std::ranges::any_of(waiting_list_, [](const Connection* c) { return c->session->wants_tails(); });
}

void Tracker::visit_open(
    const std::function<void(const spans::ProcessKey&, std::span<const spans::Attribute>)>& visit) const {
    for (const Connection* connection : waiting_list_)
        if (connection->info.role == Role::Server)
            connection->session->visit_open([&](std::span<const spans::Attribute> attributes) {
                visit(connection->info.process, attributes);
            });
}

std::size_t Tracker::open_exchanges() const {
    std::size_t open = 0;
    for (const Connection* connection : waiting_list_) open += connection->session->open_exchanges();
    return open;
}

}  // namespace waggle::protocols
