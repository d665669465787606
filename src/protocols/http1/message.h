// SPDX-License-Identifier: Apache-2.0
// HTTP/1 message heads (RFC 9112), read tolerantly: what the endpoints accepted is not for us to
// refuse. Heads are followed up to kMaxHead; beyond that facts are unknown. Pure, no allocation once
// the strings have grown.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "protocols/protocol.h"

namespace waggle::protocols::http1 {

inline constexpr std::size_t kMaxHead = 16 * 1024;

// A part of Head::text.
struct Slice {
    std::uint32_t offset = 0;
    std::uint32_t size = 0;
    bool is_empty() const { return size == 0; }
};

struct Head {
    std::string text;        // the head as far as it was captured
    bool is_cut = false;     // it went on beyond that
    std::uint8_t minor = 1;  // HTTP/1.minor
    bool has_length = false;
    bool is_chunked = false;
    bool closes = false;       // Connection: close
    bool keeps_alive = false;  // Connection: keep-alive
    bool upgrades = false;     // Connection: upgrade with an Upgrade field
    std::uint64_t length = 0;  // Content-Length
    Slice content_type;

    bool is_encoded = false;     // Content-Encoding
    bool wants_content = false;  // the first bytes of what follows are looked at
    std::string content;         // those, as they were sent, chunks' sizes included

    std::string_view at(Slice slice) const { return std::string_view(text).substr(slice.offset, slice.size); }
};

struct RequestHead : Head {
    Slice method;
    Slice target;
    Slice host;
    Slice user_agent;
    Slice traceparent;
    Slice tracestate;
    bool expects = false;  // Expect: 100-continue
};

struct ResponseHead : Head {
    std::uint16_t status = 0;
    Slice upgrade;
    Slice product;  // X-Elastic-Product
    Slice grpc_status;
};

template <typename T>
using Parsed = std::expected<T, Stop>;

// The size of the head at the front of bytes. is_final: no byte will follow (a hole, or the end).
Parsed<std::size_t> parse_request(std::string_view bytes, bool is_final, RequestHead& head);
Parsed<std::size_t> parse_response(std::string_view bytes, bool is_final, ResponseHead& head);

// Empty lines before a request are ignored (RFC 9112 §2.2).
std::size_t leading_newlines(std::string_view bytes);

Sniff sniff(std::string_view bytes, Side side);

// A chunk's size line "1a;ext\r\n": the data's length; consumed tells the line's size.
Parsed<std::uint64_t> parse_chunk_size(std::string_view bytes, std::size_t& consumed);

}  // namespace waggle::protocols::http1
