// SPDX-License-Identifier: Apache-2.0
// Messages of UDP: each goes to the protocols that know datagrams. Sockets and peers are not followed: busy name
// servers hear from a new port with every question.
#include <algorithm>
#include <array>

#include "protocols/addresses.h"
#include "protocols/tracker_connection.h"

namespace waggle::protocols {
namespace {

// Bound to no address: each message has its own.
bool is_wildcard(const std::uint8_t* address) {
    constexpr std::array<std::uint8_t, 16> kAny{};
    constexpr std::array<std::uint8_t, 16> kAnyIpv4 = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0};
    return std::equal(kAny.begin(), kAny.end(), address) || std::equal(kAnyIpv4.begin(), kAnyIpv4.end(), address);
}

}  // namespace

void Tracker::fill_datagram_info(const wg_datagram_event& event) {
    ConnectionInfo& info = datagram_info_;
    info.id = event.socket;
    info.role = Role::Unknown;
    info.kind = WG_UDP;
    info.tuple = event.tuple;
    if (info.process.pid != event.pid || !info.threads_are_contexts)
        info.threads_are_contexts =
            config_.threads_are_contexts && config_.threads_are_contexts(event.pid).value_or(false);
    info.process = {event.pid, event.process_start_ns};
    info.local_address.clear();
    info.remote_address.clear();
    if (!is_wildcard(event.tuple.local_address)) info.local_address = address_text(event.tuple.local_address);
    if (event.flags & WG_DATAGRAM_PEER) info.remote_address = address_text(event.tuple.remote_address);
}

Context Tracker::datagram_context(std::size_t index, std::uint64_t now_ns, spans::SpanBatch& batch) {
    now_ns_ = std::max(now_ns_, now_ns);
    const auto row = std::ranges::find(all(), datagram_protocols()[index]->protocol) - all().begin();
    return {.options = config_.options,
            .batch = batch,
            .waiting = waiting_,
            .counts = counts_[static_cast<std::size_t>(row)],
            .traces = traces_,
            .names = names_,
            .now_ns = now_ns};
}

void Tracker::on_datagram(const wg_datagram_event& event, std::string_view bytes, spans::SpanBatch& batch) {
    fill_datagram_info(event);
    const Datagram datagram{.socket = event.socket,
                            .direction = static_cast<Direction>(event.direction),
                            .is_peer_known = (event.flags & WG_DATAGRAM_PEER) != 0,
                            .error = -event.error,
                            .bytes = bytes,
                            .size = event.size,
                            .time_ns = event.head.time_ns,
                            .thread = event.context,
                            .info = datagram_info_};
    for (std::size_t i = 0; i < datagrams_.size(); ++i) {
        Context with = datagram_context(i, event.head.time_ns, batch);
        if (datagrams_[i]->on_datagram(datagram, with)) return;
    }
    if (!event.error) counts_[0].add(Cause::UnknownProtocol);
}

void Tracker::tick_datagrams(std::uint64_t now_ns, spans::SpanBatch& batch) {
    for (std::size_t i = 0; i < datagrams_.size(); ++i) {
        Context with = datagram_context(i, now_ns, batch);
        datagrams_[i]->on_tick(with);
    }
}

void Tracker::finish_datagrams(spans::Incomplete reason, std::uint64_t now_ns, spans::SpanBatch& batch) {
    for (std::size_t i = 0; i < datagrams_.size(); ++i) {
        Context with = datagram_context(i, now_ns, batch);
        datagrams_[i]->on_end(reason, with);
    }
}

}  // namespace waggle::protocols
