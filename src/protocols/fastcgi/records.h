// SPDX-License-Identifier: Apache-2.0
// FastCGI's records, the parameters of a request, and the head of what a program answers (CGI, RFC 3875 §6). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "protocols/protocol.h"

namespace waggle::protocols::fastcgi {

inline constexpr std::size_t kHeader = 8;
inline constexpr std::size_t kBody = 8;  // of BEGIN_REQUEST and END_REQUEST

enum class Type : std::uint8_t {
    Begin = 1,
    Abort,
    End,
    Params,
    Stdin,
    Stdout,
    Stderr,
    Data,
    GetValues,
    GetValuesResult,
    Unknown,
};

struct Record {
    Type type = Type::Unknown;
    std::uint16_t id = 0;
    std::uint16_t content = 0;
    std::uint8_t padding = 0;
    std::uint64_t size() const { return kHeader + std::uint64_t{content} + padding; }
};

// Nothing when these eight bytes are none of this side.
std::optional<Record> read_record(std::string_view bytes, Side side);

// What is told of a request's parameters. Texts keep their memory.
struct Params {
    std::string method;
    std::string target;
    std::string scheme;
    std::string user_agent;
    std::string traceparent;
    std::string tracestate;
    std::optional<std::uint64_t> length;  // of the body

    void clear();
};
// From as much of the stream of parameters as is here.
void read_params(std::string_view bytes, Params& params);

// The status in the head of an answer: 200 when none is given.
struct Head {
    std::size_t size = 0;      // with its empty line; 0: it is not whole
    std::uint16_t status = 0;  // 0: not known yet
};
Head read_head(std::string_view bytes);

Sniff sniff(std::string_view bytes, Side side);

}  // namespace waggle::protocols::fastcgi
