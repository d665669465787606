// SPDX-License-Identifier: Apache-2.0
// What the tracker keeps of one connection; for tracker.cc and tracker_sweep.cc only.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "protocols/tls_records.h"
#include "protocols/tracker.h"

namespace waggle::protocols {

inline constexpr int kTries = 4;  // turns that nobody recognises before a connection is muted
// An event that has not come this long after its bytes was lost.
inline constexpr std::uint64_t kLateNs = 100'000'000;
inline constexpr std::uint64_t kFirstRetryNs = 30'000'000'000;
inline constexpr std::uint64_t kMaxRetryNs = 600'000'000'000;
inline constexpr Direction kDirections[2] = {Direction::Send, Direction::Receive};

// Which way requests go at the end of that role.
inline std::optional<Direction> requests_of(Role role) {
    if (role == Role::Unknown) return {};
    return role == Role::Server ? Direction::Receive : Direction::Send;
}

struct HeldEvent {
    wg_data_event event;
    std::string bytes;
};

struct Tracker::Connection {
    ConnectionInfo info;
    Streams streams;
    std::unique_ptr<Session> session;
    std::size_t protocol = 0;  // index in all()
    int tries = 0;
    bool is_muted = false;
    bool has_rules = false;         // were written for it
    bool is_whole = false;          // captured call by call
    std::uint32_t contexts_of = 0;  // the process that threads_are_contexts was learnt of
    bool is_waiting = false;        // stands in waiting_list_
    bool is_peer = false;           // Traces knows it as a watched client's
    bool is_crowded = false;        // several threads send at once
    bool is_resumed[2] = {};        // by direction: bytes went by before another capture rule held
    // A socket that speaks TLS, and the plaintext connection that stands above one: tracker_tls.cc.
    bool is_tls = false;
    bool is_plain = false;
    bool is_go = false;                    // … of a Go program, whose calls go from thread to thread
    bool is_found = false;                 // … at functions that were found by their code
    std::uint64_t claimed = 0;             // … and the socket that was used meanwhile
    std::uint64_t proven_by[2] = {};       // … by direction: the socket whose records are as long as what went this way
    bool is_tunnel = false;                // the next bytes tell whether it speaks TLS
    std::array<std::uint64_t, 2> begin{};  // by direction: where its first byte stands
    bool is_asked = false;                 // its process was looked at since
    bool is_encrypted_counted = false;
    std::uint64_t above = 0;    // the plaintext connection, 0: none is known
    std::uint64_t beneath = 0;  // … and its socket's
    std::uint64_t tls_since_ns = 0;
    TlsRecords records[2];
    std::shared_ptr<TlsHandshake> handshake;  // of a socket that speaks TLS
    std::unique_ptr<Prelude> prelude;         // … after a session in the clear
    bool is_closed = false;                   // its close has told
    std::uint64_t closed_bytes[2] = {};
    std::uint64_t closed_ns = 0;
    std::vector<HeldEvent> unbound;  // wait for their socket to be known
    std::size_t unbound_bytes = 0;
    std::vector<HeldEvent> held;  // as they came: they stand after bytes that nobody reported yet
    std::size_t held_bytes = 0;
    std::size_t waiting_at = 0;  // where
    bool has_tail[2] = {};
    std::uint32_t tail_turn[2] = {};
    std::uint64_t retry_ns = 0;  // muted until
    std::uint64_t retry_after_ns = kFirstRetryNs;
    std::uint64_t last_ns = 0;
    std::size_t weight = 0;  // bytes that it holds, as last weighed

    // A UNIX socket's other end has told: of what is left nothing was said.
    bool is_ended_by_peer() const { return closed_ns && !is_closed; }

    std::size_t memory() const {
        return streams.by_direction[0].memory() + streams.by_direction[1].memory() + held_bytes + unbound_bytes +
               (session ? session->memory() : 0);
    }
};

}  // namespace waggle::protocols
