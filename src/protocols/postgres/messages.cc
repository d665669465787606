// SPDX-License-Identifier: Apache-2.0
#include "protocols/postgres/messages.h"

#include "base/strings.h"
#include "protocols/sql/statement.h"

namespace waggle::protocols::postgres {
namespace {

constexpr std::size_t kHeader = 5;
constexpr std::uint32_t kMaxMessage = 1u << 30;
constexpr std::uint32_t kMaxOpening = 10000;
constexpr std::size_t kMaxError = 2048;
constexpr std::size_t kMaxTag = 128;

constexpr std::string_view kFrontend = "QPBDESHCFXdcfp";
constexpr std::string_view kBackend = "123ACDEGHIKNRSTVWZcdnstv";

std::size_t wanted_of_frontend(char type) {
    switch (type) {
        case 'Q':
            return kHeader + sql::kMaxInput + 1;
        case 'P':
            return kHeader + kMaxNames + sql::kMaxInput;
        case 'B':
        case 'D':
        case 'E':
        case 'C':
            return kHeader + kMaxNames;
        default:
            return kHeader;
    }
}

std::size_t wanted_of_backend(char type) {
    switch (type) {
        case 'E':
            return kMaxError;
        case 'C':
        case 'S':
            return kHeader + kMaxTag;
        default:
            return kHeader;
    }
}

Parsed<Unit> unit_of(std::string_view bytes, std::uint64_t size, std::size_t wanted, bool is_final) {
    wanted = std::min<std::uint64_t>(size, wanted);
    if (bytes.size() >= wanted) return Unit{.size = size, .front = wanted};
    if (!is_final) return std::unexpected(Stop::NeedMore);
    return Unit{.size = size, .front = bytes.size(), .is_cut = true};
}

Parsed<Unit> parse_typed(std::string_view bytes, std::string_view types, std::size_t (*wanted)(char), bool is_final) {
    if (bytes.empty()) return std::unexpected(Stop::NeedMore);
    if (types.find(bytes[0]) == std::string_view::npos) return std::unexpected(Stop::Invalid);
    if (bytes.size() < kHeader) return std::unexpected(Stop::NeedMore);
    const std::uint32_t length = read_u32(bytes, 1);
    if (length < 4 || length > kMaxMessage) return std::unexpected(Stop::Invalid);
    return unit_of(bytes, std::uint64_t{length} + 1, wanted(bytes[0]), is_final);
}

}  // namespace

std::uint32_t read_u32(std::string_view bytes, std::size_t at) {
    std::uint32_t value = 0;
    for (std::size_t i = at; i < at + 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
    return value;
}

std::uint16_t read_u16(std::string_view bytes, std::size_t at) {
    return static_cast<std::uint16_t>(static_cast<unsigned char>(bytes[at]) << 8 |
                                      static_cast<unsigned char>(bytes[at + 1]));
}

std::string_view take_text(std::string_view& bytes) {
    const std::size_t end = bytes.find('\0');
    const std::string_view text = bytes.substr(0, end);
    bytes.remove_prefix(end == std::string_view::npos ? bytes.size() : end + 1);
    return text;
}

std::optional<Opening> opening_of(std::string_view bytes) {
    const std::uint32_t length = read_u32(bytes, 0);
    const std::uint32_t code = read_u32(bytes, 4);
    if (code >> 16 == 3 && (code & 0xffff) <= 2 && length > 8 && length <= kMaxOpening) return Opening::Startup;
    if (code == 80877103 && length == 8) return Opening::Ssl;
    if (code == 80877104 && length == 8) return Opening::Gss;
    if (code == 80877102 && length >= 16 && length <= 268) return Opening::Cancel;
    return {};
}

Parsed<Unit> parse_frontend(std::string_view bytes, bool is_final) {
    if (bytes.empty() || bytes[0] != '\0') return parse_typed(bytes, kFrontend, wanted_of_frontend, is_final);
    if (bytes.size() < 8) return std::unexpected(Stop::NeedMore);
    if (!opening_of(bytes)) return std::unexpected(Stop::Invalid);
    return unit_of(bytes, read_u32(bytes, 0), kMaxOpening, is_final);
}

Parsed<Unit> parse_backend(std::string_view bytes, bool is_final) {
    return parse_typed(bytes, kBackend, wanted_of_backend, is_final);
}

ErrorFields read_error(std::string_view body) {
    ErrorFields fields;
    while (!body.empty() && body[0] != '\0') {
        const char field = body[0];
        body.remove_prefix(1);
        const bool is_whole = body.find('\0') != std::string_view::npos;
        const std::string_view text = take_text(body);
        if (!is_whole) break;
        if (field == 'C' && text.size() == 5) fields.code = text;
        // 'V' is never translated; servers before 9.6 have 'S' only.
        if (field == 'V' || field == 'S') fields.is_fatal |= text == "FATAL" || text == "PANIC";
    }
    return fields;
}

CommandTag read_tag(std::string_view tag) {
    CommandTag result{.command = tag.substr(0, tag.find(' '))};
    const std::size_t last = tag.rfind(' ');
    if (last != std::string_view::npos && (result.command == "SELECT" || result.command == "FETCH"))
        result.returned_rows = parse_int<std::int64_t>(tag.substr(last + 1)).value_or(-1);
    return result;
}

}  // namespace waggle::protocols::postgres
