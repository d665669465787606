// SPDX-License-Identifier: Apache-2.0
#include "protocols/peers.h"

#include "spans/attribute_names.h"

namespace waggle::protocols {

void describe_peers(const ConnectionInfo& info, spans::SpanBatch& batch, spans::Attributes& attributes) {
    if (info.kind == WG_UNIX) {
        attributes.add(attr::network_transport, std::string_view("unix"));
        if (!info.unix_path.empty()) attributes.add(attr::server_address, batch.text(info.unix_path));
        return;
    }
    const bool is_client = info.role == Role::Client;
    const std::string_view local = batch.text(info.local_address);
    const std::string_view remote = batch.text(info.remote_address);
    if (is_client || info.role == Role::Server) {
        const std::uint16_t port = is_client ? info.tuple.remote_port : info.tuple.local_port;
        const std::string_view server = is_client ? remote : local;
        if (!server.empty()) attributes.add(attr::server_address, server);
        if (!server.empty() || !is_client) attributes.add(attr::server_port, std::int64_t{port});
        if (!is_client && !remote.empty()) attributes.add(attr::client_address, remote);
    }
    if (remote.empty()) return;  // of a datagram that does not say it
    attributes.add(attr::network_peer_address, remote);
    attributes.add(attr::network_peer_port, std::int64_t{info.tuple.remote_port});
}

}  // namespace waggle::protocols
