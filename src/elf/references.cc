// SPDX-License-Identifier: Apache-2.0
#include "elf/references.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <string>

namespace waggle::elf {
namespace {

constexpr std::uint64_t kChunk = 1u << 20;
constexpr std::uint64_t kMaxSection = 512u << 20;
constexpr std::size_t kOverlap = 512;  // longer than any string or instruction that is looked for
constexpr std::size_t kMaxReferences = 1 << 16;
constexpr std::size_t kLea = 3;  // bytes of the instruction before the address
constexpr std::size_t kMov = 1;

// How far before these four bytes the instruction begins that loads an address by them: lea with an offset from the
// next instruction, or mov of a number. 0: neither.
std::size_t address_begins(std::string_view code, std::size_t at) {
    const auto byte = [&](std::size_t back) { return static_cast<std::uint8_t>(code[at - back]); };
    if (at >= kLea && (byte(1) & 0xc7) == 0x05 && byte(2) == 0x8d && (byte(3) & 0xfb) == 0x48) return kLea;
    return at >= kMov && (byte(1) & 0xf8) == 0xb8 ? kMov : 0;
}

// Each once, though pieces overlap; in order.
std::vector<Reference> in_order(std::vector<Reference> found) {
    std::ranges::sort(found, {}, &Reference::at);
    const auto same = std::ranges::unique(found, {}, &Reference::at);
    found.erase(same.begin(), same.end());
    return found;
}

}  // namespace

void each_piece(const Image& image, const Section& section,
                const std::function<void(std::string_view, std::uint64_t)>& each) {
    const std::uint64_t size = std::min(section.size, kMaxSection);
    for (std::uint64_t at = 0; at < size;) {
        const std::uint64_t step = std::min(kChunk, size - at);
        const auto bytes = image.read(section.offset + at, step);
        if (!bytes) return;
        each(*bytes, section.address + at);
        if (step < kChunk) return;
        at += step - kOverlap;
    }
}

void add_paths(std::string_view bytes, std::uint64_t address, std::string_view end, std::set<std::uint64_t>& paths) {
    const auto is_text = [](char byte) { return static_cast<unsigned char>(byte) >= ' '; };
    each_occurrence(bytes, std::string(end) + '\0', [&](std::size_t at) {
        // What is before it need not be a string that ends, but may be numbers, too.
        std::size_t begin = at;
        while (begin && at - begin < kOverlap && is_text(bytes[begin - 1])) --begin;
        if (begin == 0) return;
        paths.insert(address + begin);
        paths.insert(address + at);
    });
}

std::vector<Reference> references_to(const Image& image, const Section& text, const std::set<std::uint64_t>& places) {
    constexpr char kMovToSecondArgument = '\xbe';
    const auto numbers = places.lower_bound(kNumbers);
    if (numbers == places.begin()) return {};
    const bool has_numbers = numbers != places.end();
    // The addresses are from here on, so many bytes.
    const std::uint64_t low = *places.begin();
    const std::uint64_t span = *std::prev(numbers) - low;
    std::vector<Reference> found;
    const auto add = [&](std::uint64_t at, std::uint64_t to) {
        if (found.size() < kMaxReferences) found.push_back({.at = at, .to = to});
    };
    each_piece(image, text, [&](std::string_view code, std::uint64_t address) {
        for (std::size_t at = 0; at + sizeof(std::uint32_t) <= code.size(); ++at) {
            std::uint32_t value;
            std::memcpy(&value, code.data() + at, sizeof(value));
            const std::uint64_t relative = address + at + sizeof(value) +
                                           static_cast<std::uint64_t>(std::int64_t{static_cast<std::int32_t>(value)});
            if (has_numbers && at && code[at - 1] == kMovToSecondArgument && places.contains(kNumbers + value))
                add(address + at - 1, kNumbers + value);
            if (relative - low > span && value - low > span) continue;
            const std::size_t before = address_begins(code, at);
            const std::uint64_t to = before == kLea ? relative : value;
            if (before && places.contains(to)) add(address + at - before, to);
        }
    });
    return in_order(std::move(found));
}

std::vector<Reference> calls_of(const Image& image, const Section& text, const std::set<std::uint64_t>& targets) {
    constexpr char kCall = '\xe8';
    constexpr std::size_t kSize = 5;
    std::vector<Reference> found;
    each_piece(image, text, [&](std::string_view code, std::uint64_t address) {
        for (std::size_t at = code.find(kCall); at != std::string_view::npos && at + kSize <= code.size();
             at = code.find(kCall, at + 1)) {
            std::int32_t distance;
            std::memcpy(&distance, code.data() + at + 1, sizeof(distance));
            const std::uint64_t to = address + at + kSize + static_cast<std::uint64_t>(std::int64_t{distance});
            if (targets.contains(to) && found.size() < kMaxReferences) found.push_back({.at = address + at, .to = to});
        }
    });
    return in_order(std::move(found));
}

}  // namespace waggle::elf
