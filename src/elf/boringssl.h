// SPDX-License-Identifier: Apache-2.0
// BoringSSL's functions in a program without symbols. They report errors by file and reason, not by their names: which
// reasons a function may give, and which others it calls, tell it. SSL_read takes what SSL_peek shows, and else they
// are the same: they are told apart by what they write. As with elf/own_names.h, what is found are candidates.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "elf/image.h"
#include "elf/symbols.h"

namespace waggle::elf {

// SSL_read, SSL_write and, where it is found, SSL_new: those of them that are among the names. None where the library,
// whose source file's path ends so, is not there; an error where it is, but not one function each is the one.
Result<std::vector<Function>> find_in_boringssl(const Image& image, std::string_view file,
                                                std::span<const std::string_view> names);

}  // namespace waggle::elf
