// SPDX-License-Identifier: Apache-2.0
// Reads one HTTP/1 request for Server: small, bounded, and strict where leniency is how requests
// are smuggled (line ends, lengths, no chunked bodies).
#pragma once

#include <cstddef>
#include <string_view>

#include "http/server.h"

namespace waggle::http {

struct ParsedRequest {
    enum class State { NeedMore, Ready, Invalid } state = State::NeedMore;
    std::size_t length = 0;  // Ready: bytes used
    int error_status = 400;  // Invalid: what to answer
    bool keeps_alive = true;
    Request request;
};

ParsedRequest parse_request(std::string_view bytes, std::size_t max_bytes);

// Status line and headers; keeps_alive decides Connection.
std::string write_response_head(const Response& response, bool keeps_alive);

}  // namespace waggle::http
