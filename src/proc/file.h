// SPDX-License-Identifier: Apache-2.0
// Reading files whose size is not known before (the kernel makes their text while it is read).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace waggle::proc {

// At most limit bytes from the beginning.
std::optional<std::string> read_file(const std::string& path, size_t limit);

// At most limit bytes of an open file.
std::string read_fd(int fd, size_t limit);

// Calls visit with each line, without its newline, until it says false or limit bytes were read.
// Lines over 16 KiB are left out. False: the file cannot be opened.
bool each_line(const std::string& path, size_t limit, const std::function<bool(std::string_view)>& visit);

// The target of a symbolic link; empty when there is none.
std::string read_link(const std::string& path);

}  // namespace waggle::proc
