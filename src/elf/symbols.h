// SPDX-License-Identifier: Apache-2.0
// Functions by name, from an image's symbol tables. Reads in pieces: a table of many megabytes costs no memory.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "elf/image.h"

namespace waggle::elf {

struct Function {
    std::size_t name = 0;  // index in what was asked for
    std::uint64_t address = 0;
    std::uint64_t size = 0;
};

// Those the image itself defines, each once; the dynamic table goes before the other. A name may be a pattern: parts of
// a mangled name of Rust, each after a *, of whatever version, crate or instance; a | stands between two. Of such all
// are found: the compiler makes several of one function.
bool matches_mangled(std::string_view name, std::string_view pattern);
std::vector<Function> find_functions(const Image& image, std::span<const std::string_view> names);

}  // namespace waggle::elf
