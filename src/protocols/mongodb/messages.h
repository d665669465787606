// SPDX-License-Identifier: Apache-2.0
// MongoDB's messages: heads, the sections of OP_MSG, what a command and a reply say. Pure.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>

#include "protocols/framed.h"

namespace waggle::protocols::mongodb {

template <typename T>
using Parsed = std::expected<T, Stop>;

inline constexpr std::int32_t kReply = 1, kQuery = 2004, kCompressed = 2012, kMessage = 2013;
inline constexpr std::size_t kHeader = 16;
inline constexpr std::uint32_t kMaxMessage = 48'000'000;

struct Header {
    std::uint64_t size = 0;
    std::int32_t id = 0;
    std::int32_t answers = 0;  // whose answer it is
    std::int32_t opcode = 0;
};

// Nothing when these sixteen bytes are no head.
std::optional<Header> read_header(std::string_view bytes);

// The message under bytes, up to the end of its body's document (of an insert its documents stand behind that), or to
// as many bytes as are wanted.
Parsed<Unit> parse_message(std::string_view bytes, std::size_t wanted, bool is_final);

// What stands in the front of a message.
struct Message {
    Header header;
    bool has_more = false;            // of a request: nobody answers; of an answer: another one follows
    std::string_view namespace_name;  // OP_QUERY
    std::string_view body;            // a document, as far as it is here
};
std::optional<Message> read_message(std::string_view front);

struct Command {
    std::string_view name;  // empty: it, or its collection, is not whole
    std::string_view collection;
    std::string_view database;
    bool is_whole = true;  // false: more would be known of it if there were more of it
};
std::optional<Command> read_command(const Message& message);

struct Reply {
    bool is_known = false;  // how it went
    bool is_error = false;
    std::int64_t code = 0;
};
Reply read_reply(std::string_view body);
// Does it begin with what only an answer without an error brings?
bool brings_something(std::string_view body);

Sniff sniff(std::string_view bytes, Side side);

}  // namespace waggle::protocols::mongodb
