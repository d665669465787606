// SPDX-License-Identifier: Apache-2.0
// Functions that name themselves: what a library reports errors by (OpenSSL 3: file, line and the function's name; 1.1:
// file, line and the function's number) stays in a program that it was linked into, when its symbols are gone. What is
// found are candidates: their code is theirs, as far as can be told from outside, and whoever puts probes there has to
// have it proven by what goes by.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "elf/image.h"
#include "elf/symbols.h"

namespace waggle::elf {

struct OwnNames {
    std::string_view file;  // ends the path of the source, which the same functions refer to
    // A > before a name: not that function but the one that calls it and reports no errors itself. A # before the rest:
    // a number, which is the second argument (%esi) of what takes errors.
    std::span<const std::string_view> names;
};

// Each once; a name that several functions have is left out. Reads read-only data once, and code only where that has
// the strings.
std::vector<Function> find_own_named(const Image& image, const OwnNames& wanted);

}  // namespace waggle::elf
