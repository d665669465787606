// SPDX-License-Identifier: Apache-2.0
// A connection over TLS for property tests: a socket that says so, and the plaintext above it, which the kernel side
// has bound to it.
#pragma once

#include <cstdint>

#include "protocols/testing/host.h"
#include "protocols/testing/tls_hello.h"

namespace waggle::protocols::testing {

// The plaintext, to move bytes on; the socket has the id that was asked for, and is what closes.
inline Socket& add_encrypted(Host& host, const SocketOptions& options, std::uint64_t now_ns) {
    Socket& beneath = host.add(options);
    const wg_direction hello = options.role == WG_ROLE_SERVER ? WG_RECEIVE : WG_SEND;
    host.report(beneath, beneath.moved(hello, tls_record(22, client_hello({})), now_ns, options.id));
    return host.add({.id = options.id | WG_PLAIN_ID, .role = WG_ROLE_UNKNOWN, .is_plain = true, .beneath = options.id});
}

// The socket of either.
inline Socket& beneath(Host& host, const Socket& socket) { return host.socket(socket.id() & ~WG_PLAIN_ID); }

}  // namespace waggle::protocols::testing
