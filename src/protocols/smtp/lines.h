// SPDX-License-Identifier: Apache-2.0
// SMTP's command and reply lines. Pure.
#pragma once

#include <cstdint>
#include <expected>
#include <string_view>

#include "protocols/protocol.h"

namespace waggle::protocols::smtp {

inline constexpr std::size_t kMaxLine = 4096;

enum class Verb : std::uint8_t { Other, Hello, LocalHello, Mail, Recipient, Data, Chunk, Reset, Quit, StartTls, Auth };

struct Command {
    Verb verb = Verb::Other;
    std::size_t length = 0;     // of the line with its end
    std::uint64_t content = 0;  // of a chunk, behind the line
    bool is_last = false;       // chunk
};
std::expected<Command, Stop> read_command(std::string_view bytes, bool is_final);

struct ReplyLine {
    std::uint16_t code = 0;
    std::size_t length = 0;
    bool is_last = false;
};
std::expected<ReplyLine, Stop> read_reply(std::string_view bytes, bool is_final);

// Where a message's content ends: behind a line that is a dot; 0 when it does not end here. is_start: these are its
// first bytes.
std::size_t content_end(std::string_view bytes, bool is_start);

Sniff sniff(std::string_view bytes, Side side);

}  // namespace waggle::protocols::smtp
