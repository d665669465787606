// SPDX-License-Identifier: Apache-2.0
// Plaintext of functions that were found by their code: a process's are believed when on one connection both directions
// were as long as the records of its socket, and what came out is a protocol's.
#include <algorithm>

#include "protocols/tracker_connection.h"

namespace waggle::protocols {
namespace {

constexpr std::size_t kMaxProven = 65536;
constexpr std::size_t kEnough = 256;  // bytes by which every protocol is known

bool is_known(std::string_view bytes) {
    return std::ranges::any_of(all(), [&](const Protocol* protocol) {
        return protocol->sniff(bytes, Side::Request) == Sniff::Yes ||
               protocol->sniff(bytes, Side::Response) == Sniff::Yes;
    });
}

// Does a message of any protocol begin where one of the calls does that wait?
bool has_message(const std::vector<HeldEvent>& calls) {
    for (auto first = calls.begin(); first != calls.end(); ++first) {
        std::string bytes;
        for (auto call = first; call != calls.end() && bytes.size() < kEnough; ++call)
            if (call->event.direction == first->event.direction) bytes += call->bytes;
        if (is_known(bytes)) return true;
    }
    return false;
}

}  // namespace

// Whether what the kernel side says of a library is so.
bool Tracker::is_believed(const Connection& plain) const {
    if (!plain.is_found) return true;
    const auto proven = proven_pids_.find(plain.info.process.pid);
    return proven != proven_pids_.end() && proven->second == plain.info.process.start_ns;
}

// What went this way is as long as the socket's records say.
void Tracker::bind_proven(Connection& plain, Direction direction, std::uint64_t socket, spans::SpanBatch& batch) {
    plain.proven_by[static_cast<std::size_t>(direction)] = socket;
    if (!is_believed(plain)) {
        if (plain.proven_by[WG_SEND] != plain.proven_by[WG_RECEIVE] || !has_message(plain.unbound)) return;
        if (proven_pids_.size() >= kMaxProven) proven_pids_.clear();
        const auto [pid, start_ns] = plain.info.process;
        if (pid) proven_pids_[pid] = start_ns;
    }
    bind(plain, socket, batch);
}

// The library has sent the records itself, before its call returned.
void Tracker::prove_send(Connection& plain, const wg_data_event& event, spans::SpanBatch& batch) {
    const auto found = connections_.find(plain.claimed);
    if (found == connections_.end() || event.size == 0) return;
    const auto& records = found->second->records[WG_SEND].data();
    if (records.empty()) return;
    const std::uint64_t first = std::min<std::uint64_t>(event.size, kMaxTlsRecord);
    const std::uint64_t last = (event.size - 1) % kMaxTlsRecord + 1;
    if (can_hold(records.front(), first) || can_hold(records.back(), last))
        bind_proven(plain, Direction::Send, plain.claimed, batch);
}

}  // namespace waggle::protocols
