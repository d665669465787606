// SPDX-License-Identifier: Apache-2.0
// What the tracker tells the kernel side to capture.
#include <algorithm>

#include "protocols/tracker_connection.h"

namespace waggle::protocols {
namespace {

// As many as the kernel side has room for.
constexpr std::size_t kMaxRefused = 65536;
constexpr std::uint32_t kAgainBytes = 16384;  // as far as request heads are followed

}  // namespace

// When there is room again, those that were refused are heard from their next turn on.
void Tracker::set_shedding(bool is_shedding) {
    if (is_shedding_ && !is_shedding) {
        drop_ended(~std::uint64_t{0});
        wg_connection_rules rules{};
        for (wg_rule& rule : rules.by_direction) rule = {.mode = WG_RULE_HEAD, .padding = {}, .bytes = kAgainBytes};
        for (const auto& [id, requests] : refused_) rule_changes_.push_back({id, rules});
        refused_.clear();
    }
    is_shedding_ = is_shedding;
}

void Tracker::set_rules(Connection& connection, const wg_connection_rules& rules) {
    connection.has_rules = true;
    RuleChange& change = rule_changes_.emplace_back(RuleChange{connection.info.id, rules});
    if (!connection.is_plain) return;
    // The kernel side may not know it, and counts by it.
    const ConnectionInfo& info = connection.info;
    change.rules.role = info.role == Role::Server   ? WG_ROLE_SERVER
                        : info.role == Role::Client ? WG_ROLE_CLIENT
                                                    : WG_ROLE_UNKNOWN;
    if (info.kind != WG_UNIX)
        change.rules.port = info.role == Role::Server ? info.tuple.local_port : info.tuple.remote_port;
}

// retry_ns: look at the connection again after this time; 0: never.
void Tracker::mute(Connection& connection, std::uint64_t retry_ns) {
    connection.is_muted = true;
    set_peer(connection, false);
    connection.retry_ns = retry_ns ? std::max(now_ns_, connection.last_ns) + retry_ns : 0;
    connection.retry_after_ns = std::min(2 * connection.retry_after_ns, kMaxRetryNs);
    wg_connection_rules rules{};
    rules.by_direction[WG_SEND].mode = WG_RULE_MUTE;
    rules.by_direction[WG_RECEIVE].mode = WG_RULE_MUTE;
    set_rules(connection, rules);
    for (const Direction direction : kDirections) {
        streams::Stream& stream = connection.streams.of(direction);
        stream.skip_to(stream.end());
    }
}

// The front of every call, since messages may begin anywhere in a turn; of every message, where the kernel side can
// find them.
void Tracker::capture_whole(Connection& connection) {
    connection.is_whole = connection.is_resumed[0] = connection.is_resumed[1] = true;
    wg_connection_rules rules{};
    const wg_rule_mode mode = all()[connection.protocol]->framing ? WG_RULE_FRAMED : WG_RULE_WHOLE;
    for (wg_rule& rule : rules.by_direction)
        rule = {.mode = mode, .framing = static_cast<std::uint8_t>(connection.protocol), .padding = {}, .bytes = 16384};
    set_rules(connection, rules);
}

// The kernel side tells no more of it.
void Tracker::refuse(std::uint64_t id, std::optional<Direction> requests) {
    if (refused_.size() >= kMaxRefused || !refused_.try_emplace(id, requests).second) return;
    wg_connection_rules rules{};
    for (wg_rule& rule : rules.by_direction) rule.mode = WG_RULE_COUNT;
    rule_changes_.push_back({id, rules});
}

// It has ended, and a call that is told late begins no request: who asked is known until none can come.
void Tracker::outlive(const Connection& connection, std::uint64_t now_ns) {
    if (!is_shedding_ || refused_.size() >= kMaxRefused) return;
    if (refused_.try_emplace(connection.info.id, requests_of(connection.info.role)).second)
        refused_ended_.push_back({connection.info.id, now_ns + kLateNs});
}

void Tracker::drop_ended(std::uint64_t now_ns) {
    for (; !refused_ended_.empty() && refused_ended_.front().second <= now_ns; refused_ended_.pop_front()) {
        const std::uint64_t id = refused_ended_.front().first;
        if (refused_.erase(id)) gone_rules_.push_back(id);
    }
}

// It goes on, and what goes by is counted only.
void Tracker::stop_following(Connection& connection) {
    if (connection.is_closed) return outlive(connection, now_ns_);
    connection.has_rules = false;  // they are to stay
    if (!connection.is_muted) refuse(connection.info.id, requests_of(connection.info.role));
    if (Connection* const above = connection.above ? find(connection.above) : nullptr) stop_following(*above);
}

// Told before the kernel side knew of it.
void Tracker::pass_over(const wg_data_event& event, std::string_view bytes) {
    // Of one that was never announced what goes out stands for a request.
    refuse(event.connection, Direction::Send);
    const auto found = refused_.find(event.connection);
    const std::optional<Direction> requests = found == refused_.end() ? Direction::Send : found->second;
    if (!(event.connection & WG_PLAIN_ID) && read_tls_record(bytes)) {  // its turns are no requests
        wg_connection_rules rules{};
        for (wg_rule& rule : rules.by_direction) rule.mode = WG_RULE_MUTE;
        rule_changes_.push_back({event.connection, rules});
        return;
    }
    if (event.flags & WG_DATA_TURN_START && static_cast<Direction>(event.direction) == requests)
        ++stats_.refused_requests;
}

}  // namespace waggle::protocols
