// SPDX-License-Identifier: Apache-2.0
// References: which instructions of x86-64 code load the address of a place of read-only data, or call a function. What
// the searches for functions without symbols share. Sections are read a piece at a time, whatever their size.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string_view>
#include <vector>

#include "elf/image.h"

namespace waggle::elf {

constexpr std::uint64_t kMaxFunction = 4096;    // longer ones are not looked into
constexpr std::uint64_t kNumbers = 1ull << 63;  // above any address: a number stands for itself from here on

struct Reference {
    std::uint64_t at;  // the instruction
    std::uint64_t to;
};

// The section in pieces that overlap; each with the address of its begin.
void each_piece(const Image& image, const Section& section,
                const std::function<void(std::string_view, std::uint64_t)>& each);

template <typename Found>
void each_occurrence(std::string_view bytes, std::string_view text, Found found) {
    for (std::size_t at = bytes.find(text); at != std::string_view::npos; at = bytes.find(text, at + 1)) found(at);
}

// Adds where paths begin that end so: a path may be of any length, and what refers to it does so by its begin.
void add_paths(std::string_view bytes, std::uint64_t address, std::string_view end, std::set<std::uint64_t>& paths);

// What refers to these, by its address. Numbers, from kNumbers on, are those that are a call's second argument (%esi).
std::vector<Reference> references_to(const Image& image, const Section& text, const std::set<std::uint64_t>& places);

// Where the code calls one of these addresses, by its address.
std::vector<Reference> calls_of(const Image& image, const Section& text, const std::set<std::uint64_t>& targets);

}  // namespace waggle::elf
