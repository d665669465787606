// SPDX-License-Identifier: Apache-2.0
// PostgreSQL's frontend/backend protocol 3: where messages begin, what their fronts say, and whether bytes
// can be one (https://www.postgresql.org/docs/current/protocol-message-formats.html). Pure.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>

#include "protocols/framed.h"

namespace waggle::protocols::postgres {

// Of a portal and a statement, which servers keep 63 bytes of each of: as much of a Bind is read, and copied.
inline constexpr std::size_t kMaxNames = 256;

template <typename T>
using Parsed = std::expected<T, Stop>;

// What a message without a type byte asks for.
enum class Opening : std::uint8_t { Startup, Ssl, Gss, Cancel };

std::uint32_t read_u32(std::string_view bytes, std::size_t at);
std::uint16_t read_u16(std::string_view bytes, std::size_t at);
// Text up to a NUL, which is passed; all that is left when the NUL was cut off.
std::string_view take_text(std::string_view& bytes);

Parsed<Unit> parse_frontend(std::string_view bytes, bool is_final);
Parsed<Unit> parse_backend(std::string_view bytes, bool is_final);
// Of a message whose first byte is zero.
std::optional<Opening> opening_of(std::string_view bytes);

// Fields of an ErrorResponse or NoticeResponse, after its header.
struct ErrorFields {
    std::string_view code;  // SQLSTATE
    bool is_fatal = false;
};
ErrorFields read_error(std::string_view body);

// "SELECT 5", "INSERT 0 1": the command, and the rows it returned, -1 when it says nothing of them.
struct CommandTag {
    std::string_view command;
    std::int64_t returned_rows = -1;
};
CommandTag read_tag(std::string_view tag);

Sniff sniff(std::string_view bytes, Side side);

}  // namespace waggle::protocols::postgres
