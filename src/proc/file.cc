// SPDX-License-Identifier: Apache-2.0
#include "proc/file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/fd.h"

namespace waggle::proc {
namespace {

constexpr size_t kChunk = 16 * 1024;

Fd open_for_reading(const std::string& path) {
    return Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
}

ssize_t read_some(int fd, char* to, size_t size) {
    for (;;) {
        const ssize_t got = ::read(fd, to, size);
        if (got >= 0 || errno != EINTR) return got;
    }
}

}  // namespace

std::string read_fd(int fd, size_t limit) {
    std::string text;
    std::array<char, kChunk> chunk;
    while (text.size() < limit) {
        const ssize_t got = read_some(fd, chunk.data(), std::min(kChunk, limit - text.size()));
        if (got <= 0) break;
        text.append(chunk.data(), static_cast<size_t>(got));
    }
    return text;
}

std::optional<std::string> read_file(const std::string& path, size_t limit) {
    const Fd fd = open_for_reading(path);
    if (!fd.is_open()) return std::nullopt;
    return read_fd(fd.get(), limit);
}

bool each_line(const std::string& path, size_t limit, const std::function<bool(std::string_view)>& visit) {
    const Fd fd = open_for_reading(path);
    if (!fd.is_open()) return false;
    std::string buffer(kChunk, '\0');
    size_t filled = 0;
    bool is_skipping = false;  // inside a line that did not fit
    for (size_t total = 0; total < limit;) {
        const ssize_t got = read_some(fd.get(), buffer.data() + filled, buffer.size() - filled);
        if (got <= 0) break;
        total += static_cast<size_t>(got);
        filled += static_cast<size_t>(got);
        const std::string_view text(buffer.data(), filled);
        size_t from = 0;
        for (size_t to; (to = text.find('\n', from)) != std::string_view::npos; from = to + 1) {
            if (!is_skipping && !visit(text.substr(from, to - from))) return true;
            is_skipping = false;
        }
        if (from == 0 && filled == buffer.size()) {
            is_skipping = true;
            from = filled;
        }
        filled -= from;
        std::copy_n(buffer.data() + from, filled, buffer.data());
    }
    if (filled > 0 && !is_skipping) visit({buffer.data(), filled});
    return true;
}

std::string read_link(const std::string& path) {
    std::array<char, 4096> target;
    const ssize_t size = ::readlink(path.c_str(), target.data(), target.size());
    return size > 0 ? std::string(target.data(), static_cast<size_t>(size)) : std::string();
}

}  // namespace waggle::proc
