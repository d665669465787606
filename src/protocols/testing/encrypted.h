// SPDX-License-Identifier: Apache-2.0
// Connections over TLS for property tests: a socket that says so, and the plaintext above it. The kernel side has bound
// that to its socket, or (memory BIOs) knows of none: then the records that the socket moves tell.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "protocols/testing/host.h"
#include "protocols/testing/random.h"
#include "protocols/testing/tls_hello.h"

namespace waggle::protocols::testing {

inline constexpr std::size_t kMostRead = 16384;  // bytes of one record

// Who says which socket a plaintext goes through.
enum class Binding { Kernel, Records };

// The plaintext, to move bytes on by report_call; the socket has the id that was asked for, and is what closes.
inline Socket& add_encrypted(Host& host, const SocketOptions& options, Binding binding, std::uint64_t now_ns,
                             std::uint64_t thread = 0) {
    Socket& beneath = host.add(options);
    const bool is_server = options.role == WG_ROLE_SERVER;
    const auto say = [&](bool is_client, const std::string& bytes) {
        host.report(beneath, beneath.moved(is_client == is_server ? WG_RECEIVE : WG_SEND, bytes, now_ns, thread));
    };
    say(true, tls_record(22, client_hello({})));
    say(false, tls_record(22, server_hello({})) + tls_record(23, std::string(1500, 'c')));
    say(true, tls_record(23, std::string(53, 'f')));
    return host.add({.id = options.id | WG_PLAIN_ID,
                     .role = WG_ROLE_UNKNOWN,
                     .is_plain = true,
                     .beneath = binding == Binding::Kernel ? options.id : 0});
}

// One in five is encrypted, half of these with memory BIOs.
inline Socket& add_some_encrypted(Host& host, const SocketOptions& options, Random& random, std::uint64_t now_ns) {
    if (!random.chance(0.2)) return host.add(options);
    return add_encrypted(host, options, random.chance(0.5) ? Binding::Kernel : Binding::Records, now_ns);
}

// The socket of either.
inline Socket& beneath(Host& host, const Socket& socket) { return host.socket(socket.id() & ~WG_PLAIN_ID); }

// A call on either. Above TLS a read is one record's at most, and the socket's calls are reported, too: of these
// reports so many are lost, and what depends on one has to wait for a later one.
inline void report_call(Host& host, Random& random, Socket& socket, const Move& move, double loss = 0.3) {
    if (!socket.options().is_plain) return host.report(socket, move);
    Socket& under = beneath(host, socket);
    const bool is_lost = random.chance(loss);
    const auto carry = [&](const std::string& ciphertext) {
        Move call = under.moved(move.direction, ciphertext, move.time_ns, move.thread);
        call.is_lost = is_lost;
        host.report(under, call);
    };
    std::string records;
    const bool has_memory = !socket.options().beneath;
    const bool is_header_alone = random.chance(0.3);
    if (move.direction == WG_SEND && has_memory) host.report(socket, move);
    for (std::size_t at = 0; at < move.bytes.size(); at += kMostRead) {
        Move part = move;
        part.bytes = move.bytes.substr(at, kMostRead);
        const std::string record = tls_record(23, std::string(part.bytes.size() + 17, 'x'));
        if (move.direction == WG_SEND) {
            records += record;
            continue;
        }
        if (is_header_alone) carry(record.substr(0, 5));
        carry(record.substr(is_header_alone ? 5 : 0));
        host.report(socket, part);
    }
    if (move.direction == WG_RECEIVE) return;
    carry(records);
    if (!has_memory) host.report(socket, move);
}

}  // namespace waggle::protocols::testing
