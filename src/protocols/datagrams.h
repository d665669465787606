// SPDX-License-Identifier: Apache-2.0
// DatagramSession: what a protocol does with messages that come one by one (UDP). There are no connections to keep: one
// session reads all messages that a tracker sees, of every socket, and knows itself what belongs together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "bpf/abi/datagrams.h"
#include "protocols/protocol.h"

namespace waggle::protocols {

struct Datagram {
    std::uint64_t socket = 0;
    Direction direction = Direction::Send;
    bool is_peer_known = false;  // else info says nothing of the other end
    int error = 0;               // errno of a call that says what became of earlier messages; then there are no bytes
    std::string_view bytes;      // the first ones of `size`
    std::uint64_t size = 0;
    std::uint64_t time_ns = 0;
    std::uint64_t thread = 0;
    const ConnectionInfo& info;  // the socket and its process; of no role, since messages tell it
};

class DatagramSession {
  public:
    virtual ~DatagramSession() = default;
    // False when it is no message of this protocol.
    virtual bool on_datagram(const Datagram& datagram, Context& context) = 0;
    // Ten times a second.
    virtual void on_tick(Context& context) = 0;
    // Nothing more will come.
    virtual void on_end(spans::Incomplete reason, Context& context) = 0;
    virtual std::size_t open_exchanges() const = 0;
};

// A protocol's line in the table of those whose messages go by UDP.
struct DatagramProtocol {
    const Protocol* protocol;  // in all()
    std::unique_ptr<DatagramSession> (*open)();
};

std::span<const DatagramProtocol* const> datagram_protocols();

}  // namespace waggle::protocols
