// SPDX-License-Identifier: Apache-2.0
// Memcached's framing: lines with data blocks (text and meta commands), and the binary protocol's headers.
// Pure.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>

#include "protocols/framed.h"

namespace waggle::protocols::memcached {

template <typename T>
using Parsed = std::expected<T, Stop>;

inline constexpr char kRequestMagic = static_cast<char>(0x80);
inline constexpr char kResponseMagic = static_cast<char>(0x81);

// How a command is answered.
enum class Answer : std::uint8_t {
    None,    // noreply, quit
    Line,    // one line
    Values,  // VALUE … up to END
    Stats,   // STAT … up to END, or a line
    Meta,    // one line, with a data block after VA
    NoOp,    // MN: ends what was quiet
    Binary,  // a header with the same opcode and opaque
    Stream,  // the rest of the connection
};

struct Command {
    std::string_view name;  // static text, quiet forms have their plain name
    Answer answer = Answer::Line;
    bool is_quiet = false;     // answered only when it says something
    std::string_view opaque;   // meta: the O flag
    std::uint8_t opcode = 0;   // binary
    std::uint32_t number = 0;  // binary: its opaque
    std::uint64_t data = 0;    // length of the block after the line, without its line end
    bool has_data = false;
};

// Of a line without its end.
std::optional<Command> read_command(std::string_view line);
std::optional<Command> read_binary(std::string_view header);

Parsed<Unit> parse_request(std::string_view bytes);
Parsed<Unit> parse_response(std::string_view bytes);

// Words of a line, from the first on.
std::string_view take_word(std::string_view& line);

Sniff sniff(std::string_view bytes, Side side);

}  // namespace waggle::protocols::memcached
