// SPDX-License-Identifier: Apache-2.0
// Threads that send on one socket at once report their calls in any order. An event that stands after bytes which
// nobody reported yet waits for theirs, for a short time; so does what depends on it.
#include <algorithm>

#include "protocols/tracker_connection.h"

namespace waggle::protocols {
namespace {

// A thread may lose its processor between its call and its report.
constexpr std::uint64_t kHoldNs = kLateNs;
constexpr std::size_t kMaxHeld = 1024;  // events of one connection
constexpr std::size_t kMaxHeldBytes = 1 << 20;
constexpr std::size_t kMaxHolding = 256;  // connections

// True when nothing is missing before it in its own direction.
bool is_next(const Streams& streams, const wg_data_event& event) {
    const streams::Stream& stream = streams.by_direction[event.direction];
    const std::uint64_t end =
        event.flags & WG_DATA_PREVIOUS_TAIL ? std::max(stream.end(), std::uint64_t{event.previous_end}) : stream.end();
    return !stream.is_started() || event.position <= end;
}

// True when all that had been sent before it was read is known, too.
bool is_ready(const Streams& streams, const wg_data_event& event) {
    if (!is_next(streams, event)) return false;
    const streams::Stream& sent = streams.by_direction[WG_SEND];
    return event.direction == WG_SEND || event.flags & WG_DATA_END || !sent.is_started() || event.order <= sent.end();
}

}  // namespace

// What is sent may answer what had been read before and waits.
bool Tracker::is_blocked(const Connection& connection, const wg_data_event& event) const {
    if (!is_ready(connection.streams, event)) return true;
    return event.direction == WG_SEND && std::ranges::any_of(connection.held, [&](const HeldEvent& held) {
               return held.event.direction == WG_RECEIVE && held.event.order <= event.position;
           });
}

bool Tracker::must_wait(Connection& connection, const wg_data_event& event, spans::SpanBatch& batch) {
    if (!connection.held.empty() && connection.held.front().event.head.time_ns + kHoldNs < event.head.time_ns)
        give_out(connection, batch);
    connection.is_crowded |= (event.flags & WG_DATA_CROWDED) != 0;
    if (!connection.is_crowded || connection.is_muted || !connection.session) return false;
    if (connection.is_resumed[event.direction]) return false;
    return is_blocked(connection, event) && (!connection.held.empty() || holding_.size() < kMaxHolding);
}

void Tracker::hold(Connection& connection, const wg_data_event& event, std::string_view bytes,
                   spans::SpanBatch& batch) {
    if (connection.held.empty()) holding_.push_back(connection.info.id);
    connection.held.push_back({event, std::string(bytes)});
    connection.held_bytes += bytes.size();
    if (connection.held.size() > kMaxHeld || connection.held_bytes > kMaxHeldBytes) give_out(connection, batch);
}

void Tracker::take_held(Connection& connection, std::size_t index, spans::SpanBatch& batch) {
    const HeldEvent held = std::move(connection.held[index]);
    connection.held.erase(connection.held.begin() + static_cast<std::ptrdiff_t>(index));
    connection.held_bytes -= held.bytes.size();
    if (connection.held.empty()) std::erase(holding_, connection.info.id);
    take(connection, held.event, held.bytes, batch);
}

// What some of them waited for may have come.
void Tracker::release(Connection& connection, spans::SpanBatch& batch) {
    while (!connection.held.empty()) {
        const auto free = std::ranges::find_if(
            connection.held, [&](const HeldEvent& held) { return !is_blocked(connection, held.event); });
        if (free == connection.held.end()) return;
        take_held(connection, static_cast<std::size_t>(free - connection.held.begin()), batch);
    }
}

// What was waited for is lost. The others stand in order all the same.
void Tracker::give_out(Connection& connection, spans::SpanBatch& batch) {
    while (!connection.held.empty()) {
        std::size_t least = 0;
        for (std::size_t i = 1; i < connection.held.size(); ++i)
            if (connection.held[i].event.direction == connection.held[0].event.direction &&
                connection.held[i].event.position < connection.held[least].event.position)
                least = i;
        take_held(connection, least, batch);
        release(connection, batch);
    }
}

void Tracker::give_out_late(std::uint64_t now_ns, spans::SpanBatch& batch) {
    for (const std::uint64_t id : std::vector(holding_)) {
        Connection* connection = find(id);
        if (connection && !connection->held.empty() && connection->held.front().event.head.time_ns + kHoldNs <= now_ns)
            give_out(*connection, batch);
    }
}

}  // namespace waggle::protocols
