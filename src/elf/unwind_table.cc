// SPDX-License-Identifier: Apache-2.0
#include "elf/unwind_table.h"

#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace waggle::elf {
namespace {

constexpr std::uint64_t kMaxTable = 16u << 20;
constexpr std::uint8_t kRelative4 = 0x1b;  // DW_EH_PE_pcrel | DW_EH_PE_sdata4
constexpr std::uint8_t kFormat = 0x0f;
constexpr std::size_t kMaxLeb = 10;

template <typename Number>
std::optional<Number> number_at(std::string_view bytes, std::size_t at) {
    if (at > bytes.size() || bytes.size() - at < sizeof(Number)) return std::nullopt;
    Number number;
    std::memcpy(&number, bytes.data() + at, sizeof(number));
    return number;
}

// Past a LEB128 number.
std::size_t after_leb(std::string_view bytes, std::size_t at) {
    for (std::size_t i = 0; i < kMaxLeb && at < bytes.size(); ++i)
        if (!(static_cast<std::uint8_t>(bytes[at++]) & 0x80)) return at;
    return bytes.size();
}

std::size_t size_of_pointer(std::uint8_t encoding) {
    switch (encoding & kFormat) {
        case 0x0:
        case 0x4:
        case 0xc:
            return 8;
        case 0x3:
        case 0xb:
            return 4;
        case 0x2:
        case 0xa:
            return 2;
        default:
            return 0;
    }
}

// How the entries that refer to this one (a CIE, from behind its id on) write addresses; 0: cannot be told.
std::uint8_t encoding_of(std::string_view entry) {
    const std::size_t end = entry.find('\0', 1);
    if (entry.empty() || entry[0] != 1 || end == std::string_view::npos || end < 2 || entry[1] != 'z') return 0;
    const std::string_view letters = entry.substr(2, end - 2);
    std::size_t at = after_leb(entry, after_leb(entry, end + 1)) + 1;  // alignments, and the return address's register
    at = after_leb(entry, at);
    for (const char letter : letters) {
        const auto byte = number_at<std::uint8_t>(entry, at);
        if (letter == 'S' || letter == 'B') continue;
        if (!byte) return 0;
        ++at;
        if (letter == 'R') return *byte;
        if (letter != 'P' && letter != 'L') return 0;
        if (letter == 'L') continue;
        const std::size_t size = size_of_pointer(*byte);
        if (!size) return 0;
        at += size;
    }
    return 0;
}

}  // namespace

void each_unwound(const Image& image, const std::function<void(std::uint64_t address, std::uint64_t size)>& each) {
    const Section* section = image.section(".eh_frame");
    if (!section || section->size > kMaxTable) return;
    const auto table = image.read(section->offset, section->size);
    if (!table) return;
    std::map<std::size_t, std::uint8_t> encodings;  // by where the CIE stands
    for (std::size_t at = 0; at < table->size();) {
        const auto length = number_at<std::uint32_t>(*table, at);
        const auto id = number_at<std::uint32_t>(*table, at + 4);
        if (!length || !id || *length < 4 || *length > table->size() - at - 4) return;
        const std::size_t behind = at + 4 + *length;
        const std::string_view entry = std::string_view(*table).substr(at + 8, *length - 4);
        if (*id == 0) {
            encodings[at] = encoding_of(entry);
        } else if (const auto known = encodings.find(at + 4 - *id);
                   known != encodings.end() && known->second == kRelative4) {
            const auto begin = number_at<std::int32_t>(entry, 0);
            const auto size = number_at<std::uint32_t>(entry, 4);
            if (begin && size && *size)
                each(section->address + at + 8 + static_cast<std::uint64_t>(std::int64_t{*begin}), *size);
        }
        at = behind;
    }
}

}  // namespace waggle::elf
