// SPDX-License-Identifier: Apache-2.0
// The listening sockets of a network namespace, by socket inode: /proc/<pid>/net/{tcp,tcp6,unix}.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

#include "proc/procfs.h"

namespace waggle::proc {

struct ListeningSocket {
    std::uint16_t port = 0;  // TCP
    std::string path;        // UNIX; '@' begins an abstract name
    friend bool operator==(const ListeningSocket&, const ListeningSocket&) = default;
};

using ListeningSockets = std::unordered_map<std::uint64_t, ListeningSocket>;

// The kernel looks through all TCP connections to list those that listen: some milliseconds.
struct ListeningKinds {
    bool tcp = true;
    bool unix_sockets = true;
};

// As the process's network namespace has them, at most 65536. Nothing when the process is gone.
std::optional<ListeningSockets> read_listening(const ProcFs& procfs, std::uint32_t pid, ListeningKinds kinds);

}  // namespace waggle::proc
