// SPDX-License-Identifier: Apache-2.0
#include "base/base64.h"

namespace waggle {
namespace {

constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

std::string base64(std::string_view bytes) {
    std::string text;
    for (size_t i = 0; i < bytes.size(); i += 3) {
        std::uint32_t group = 0;
        for (size_t j = 0; j < 3; ++j)
            group = group << 8 | (i + j < bytes.size() ? static_cast<std::uint8_t>(bytes[i + j]) : 0);
        for (size_t j = 0; j < 4; ++j) text += i + j <= bytes.size() ? kDigits[group >> (18 - 6 * j) & 63] : '=';
    }
    return text;
}

bool Base64Decoder::add(std::string_view text, std::string& out) {
    for (const char c : text) {
        if (c == '=') {
            if (digits_ < 2) return false;
            is_padded_ = true;
        } else {
            const std::size_t digit = kDigits.find(c);
            if (digit == std::string_view::npos || is_padded_) return false;
            bits_ = bits_ << 6 | static_cast<std::uint32_t>(digit);
            if (digits_) out += static_cast<char>(bits_ >> (6 - 2 * digits_) & 0xff);
        }
        digits_ = (digits_ + 1) % 4;
        is_padded_ &= digits_ != 0;
    }
    return true;
}

}  // namespace waggle
