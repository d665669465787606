// SPDX-License-Identifier: Apache-2.0
#include "proc/listening.h"

#include "base/strings.h"
#include "proc/file.h"

namespace waggle::proc {
namespace {

constexpr size_t kMaxSockets = 65536;
constexpr size_t kMaxTable = 16u << 20;
// The kernel lists all listening TCP sockets before the others, of which there may be very many:
// after so many others there is none to come.
constexpr int kOthersBeforeEnd = 256;

// Takes the next blank-separated word off the text.
std::string_view next_word(std::string_view& text) {
    const size_t from = text.find_first_not_of(' ');
    if (from == std::string_view::npos) return text = {};
    text.remove_prefix(from);
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(word.size());
    return word;
}

//   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
bool read_tcp(const std::string& path, ListeningSockets& sockets) {
    int others = 0;
    return each_line(path, kMaxTable, [&](std::string_view line) {
        next_word(line);
        const std::string_view local = next_word(line);
        next_word(line);
        if (next_word(line) != "0A") return ++others < kOthersBeforeEnd;
        for (int skipped = 0; skipped < 5; ++skipped) next_word(line);
        const auto port = parse_int<std::uint16_t>(local.substr(local.rfind(':') + 1), 16);
        const auto inode = parse_int<std::uint64_t>(next_word(line));
        if (port && inode && *inode != 0) sockets[*inode] = {.port = *port};
        return sockets.size() < kMaxSockets;
    });
}

// Num       RefCount Protocol Flags    Type St Inode Path
bool read_unix(const std::string& path, ListeningSockets& sockets) {
    constexpr std::uint32_t kAcceptsConnections = 0x10000;  // __SO_ACCEPTCON
    return each_line(path, kMaxTable, [&](std::string_view line) {
        for (int skipped = 0; skipped < 3; ++skipped) next_word(line);
        const auto flags = parse_int<std::uint32_t>(next_word(line), 16);
        if (!flags || (*flags & kAcceptsConnections) == 0) return true;
        next_word(line);
        next_word(line);
        const auto inode = parse_int<std::uint64_t>(next_word(line));
        if (inode && *inode != 0) sockets[*inode] = {.path = std::string(trim(line, " "))};
        return sockets.size() < kMaxSockets;
    });
}

}  // namespace

std::optional<ListeningSockets> read_listening(const ProcFs& procfs, std::uint32_t pid, ListeningKinds kinds) {
    ListeningSockets sockets;
    if (kinds.tcp) {
        if (!read_tcp(procfs.path(pid, "net/tcp"), sockets)) return std::nullopt;
        // Absent where there is no IPv6.
        read_tcp(procfs.path(pid, "net/tcp6"), sockets);
    }
    if (kinds.unix_sockets && !read_unix(procfs.path(pid, "net/unix"), sockets) && !kinds.tcp) return std::nullopt;
    return sockets;
}

}  // namespace waggle::proc
