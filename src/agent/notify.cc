// SPDX-License-Identifier: Apache-2.0
#include "agent/notify.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "base/fd.h"

namespace waggle::agent {
namespace {

void notify(std::string_view text) {
    const char* path = std::getenv("NOTIFY_SOCKET");
    if (!path || (path[0] != '/' && path[0] != '@')) return;
    sockaddr_un address{};
    const std::size_t size = std::strlen(path);
    if (size >= sizeof(address.sun_path)) return;
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path, size);
    if (path[0] == '@') address.sun_path[0] = 0;  // an abstract name
    const Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ::sendto(socket.get(), text.data(), text.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address),
             static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + size));
}

}  // namespace

void notify_ready() { notify("READY=1\nSTATUS=attached\n"); }
void notify_stopping() { notify("STOPPING=1\n"); }

}  // namespace waggle::agent
