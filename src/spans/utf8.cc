// SPDX-License-Identifier: Apache-2.0
#include "spans/utf8.h"

#include <cstdint>
#include <cstring>

namespace waggle::spans {
namespace {

// The length of the well-formed sequence at the start of text, 0 when there is none (RFC 3629 §4).
std::size_t sequence_length(std::string_view text) {
    const auto byte = [&](std::size_t i) {
        return i < text.size() ? static_cast<std::uint8_t>(text[i]) : std::uint8_t{0};
    };
    const auto is_tail = [&](std::size_t i) { return (byte(i) & 0xc0) == 0x80; };
    const std::uint8_t first = byte(0);
    const std::uint8_t second = byte(1);
    if (first < 0x80) return 1;
    if (first >= 0xc2 && first <= 0xdf) return is_tail(1) ? 2 : 0;
    if (first >= 0xe0 && first <= 0xef) {
        if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f)) return 0;
        return is_tail(1) && is_tail(2) ? 3 : 0;
    }
    if (first >= 0xf0 && first <= 0xf4) {
        if ((first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f)) return 0;
        return is_tail(1) && is_tail(2) && is_tail(3) ? 4 : 0;
    }
    return 0;
}

}  // namespace

std::size_t valid_utf8_prefix(std::string_view text) {
    std::size_t at = 0;
    while (at < text.size()) {
        std::uint64_t word = 0;  // nearly all text is ASCII: eight bytes at a time
        if (at + 8 <= text.size()) {
            std::memcpy(&word, text.data() + at, 8);
            if ((word & 0x8080808080808080u) == 0) {
                at += 8;
                continue;
            }
        }
        const std::size_t length = sequence_length(text.substr(at));
        if (length == 0) return at;
        at += length;
    }
    return at;
}

std::string_view valid_utf8(std::string_view text, std::string& storage) {
    std::size_t valid = valid_utf8_prefix(text);
    if (valid == text.size()) return text;
    storage.clear();
    while (!text.empty()) {
        storage += text.substr(0, valid);
        text.remove_prefix(valid);
        if (text.empty()) break;
        storage += "\xef\xbf\xbd";
        text.remove_prefix(1);
        valid = valid_utf8_prefix(text);
    }
    return storage;
}

}  // namespace waggle::spans
