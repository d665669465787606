// SPDX-License-Identifier: Apache-2.0
#include "discover/listeners.h"

#include <algorithm>

namespace waggle::discover {

void Listeners::begin_scan(bool with_tcp) {
    with_tcp_ = with_tcp;
    for (auto& [inode, space] : namespaces_) space.is_fresh = false;
}

void Listeners::end_scan() {
    std::erase_if(namespaces_, [](const auto& space) { return !space.second.is_fresh; });
}

Listeners::Namespace& Listeners::refresh(const Process& process) {
    const bool is_known = namespaces_.contains(process.netns);
    if (!is_known && namespaces_.size() >= kMaxNamespaces) return overflow_;
    Namespace& space = namespaces_[process.netns];
    if (space.is_fresh) return space;
    const bool with_tcp = with_tcp_ || !is_known;
    if (!with_tcp && !with_unix_) {
        space.has_new = false;
        space.is_fresh = true;
        return space;
    }
    auto sockets = proc::read_listening(procfs_, process.pid, {.tcp = with_tcp, .unix_sockets = with_unix_});
    // The process has ended: another one of the namespace will show the table.
    if (!sockets) {
        space.has_new = false;
        return space;
    }
    if (!with_tcp)
        for (const auto& socket : space.sockets)
            if (socket.second.port != 0) sockets->insert(socket);
    space.has_new =
        std::ranges::any_of(*sockets, [&](const auto& socket) { return !space.sockets.contains(socket.first); });
    space.sockets = std::move(*sockets);
    space.is_fresh = true;
    return space;
}

bool Listeners::has_new(const Process& process) { return refresh(process).has_new; }

std::vector<Listen> Listeners::of(const Process& process) {
    std::vector<Listen> listens;
    const Namespace& space = refresh(process);
    if (space.sockets.empty()) return listens;
    for (const std::uint64_t inode : procfs_.socket_inodes(process.pid)) {
        const auto socket = space.sockets.find(inode);
        if (socket == space.sockets.end()) continue;
        const Listen listen{.port = socket->second.port, .path = socket->second.path};
        if (std::ranges::find(listens, listen) == listens.end()) listens.push_back(listen);
    }
    return listens;
}

}  // namespace waggle::discover
