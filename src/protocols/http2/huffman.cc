// SPDX-License-Identifier: Apache-2.0
#include "protocols/http2/huffman.h"

#include <array>

namespace waggle::protocols::http2 {
namespace {

constexpr unsigned kShortest = 5;
constexpr unsigned kLongest = 30;

// Length in bits of each byte's code.
constexpr std::array<std::uint8_t, 256> kLengths = {
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
    28, 28, 28, 6,  10, 10, 12, 13, 6,  8,  11, 10, 10, 8,  11, 8,  6,  6,  6,  5,  5,  5,  6,  6,  6,  6,  6,  6,  6,
    7,  8,  15, 6,  12, 10, 13, 6,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,
    7,  8,  7,  8,  13, 19, 13, 14, 6,  15, 5,  6,  5,  6,  5,  6,  6,  6,  5,  7,  7,  6,  6,  6,  5,  6,  7,  6,  5,
    5,  6,  7,  7,  7,  7,  7,  15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24,
    24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22,
    23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26,
    27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23,
    22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26};

struct Code {
    std::array<std::uint8_t, 256> bytes{};                  // by code
    std::array<std::uint32_t, 256> codes{};                 // by byte
    std::array<std::uint32_t, kLongest + 2> first{};        // code of each length
    std::array<std::uint16_t, kLongest + 2> first_index{};  // in bytes
    std::array<std::uint16_t, 256> fast{};                  // by the next eight bits: length << 8 | byte, 0: longer
};

constexpr Code make_code() {
    Code code;
    std::uint32_t next = 0;
    std::uint16_t index = 0;
    for (unsigned length = kShortest; length <= kLongest; ++length) {
        next <<= 1;
        code.first[length] = next;
        code.first_index[length] = index;
        for (unsigned byte = 0; byte < 256; ++byte) {
            if (kLengths[byte] != length) continue;
            if (length <= 8)
                for (std::uint32_t rest = 0; rest < 1u << (8 - length); ++rest)
                    code.fast[(next << (8 - length)) + rest] = static_cast<std::uint16_t>(length << 8 | byte);
            code.codes[byte] = next++;
            code.bytes[index++] = static_cast<std::uint8_t>(byte);
        }
    }
    code.first_index[kLongest + 1] = index;
    return code;
}

constexpr Code kCode = make_code();

}  // namespace

bool decode_huffman(std::string_view coded, std::size_t keep, std::string& text, std::size_t& size) {
    std::uint64_t bits = 0;  // the next ones, the first in the highest place
    unsigned count = 0;
    std::size_t at = 0;
    text.clear();
    size = 0;
    const auto put = [&](std::uint8_t byte, unsigned length) {
        if (size++ < keep) text += static_cast<char>(byte);
        bits <<= length;
        count -= length;
    };
    for (;;) {
        while (count <= 56 && at < coded.size()) {
            bits |= std::uint64_t{static_cast<std::uint8_t>(coded[at++])} << (56 - count);
            count += 8;
        }
        if (const std::uint16_t found = kCode.fast[bits >> 56]; found && unsigned{found} >> 8 <= count) {
            put(static_cast<std::uint8_t>(found), found >> 8);
            continue;
        }
        bool is_found = false;
        for (unsigned length = 9; length <= kLongest && length <= count; ++length) {
            const auto code = static_cast<std::uint32_t>(bits >> (64 - length));
            const unsigned known = kCode.first_index[length + 1] - kCode.first_index[length];
            if (code < kCode.first[length] || code - kCode.first[length] >= known) continue;
            put(kCode.bytes[kCode.first_index[length] + code - kCode.first[length]], length);
            is_found = true;
            break;
        }
        if (is_found) continue;
        // Less than a byte of ones fills the last byte.
        return count < 8 && (count == 0 || bits >> (64 - count) == (1u << count) - 1);
    }
}

std::string encode_huffman(std::string_view text) {
    std::string coded;
    std::uint64_t bits = 0;
    unsigned count = 0;
    for (const char c : text) {
        const auto byte = static_cast<std::uint8_t>(c);
        bits = bits << kLengths[byte] | kCode.codes[byte];
        count += kLengths[byte];
        for (; count >= 8; count -= 8) coded += static_cast<char>(bits >> (count - 8));
    }
    if (count) coded += static_cast<char>(bits << (8 - count) | (0xffu >> count));
    return coded;
}

}  // namespace waggle::protocols::http2
