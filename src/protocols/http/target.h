// SPDX-License-Identifier: Apache-2.0
// What is asked of whom in HTTP, whatever version carried it: methods, targets, authorities, secrets in
// queries. Pure; views into the text that was given.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/arena.h"

namespace waggle::protocols::http {

// The parts of a request target (RFC 9112 §3.2): origin, absolute, authority and asterisk form. User
// information is never part of it.
struct Target {
    std::string_view scheme;  // empty in origin form
    std::string_view host;    // of absolute and authority form
    std::string_view path;
    std::string_view query;
};
Target parse_target(std::string_view target, std::string_view method);

// Host and port of "host", "host:port", "[v6]:port". Empty when it is no plausible authority.
struct Authority {
    std::string_view host;
    std::uint16_t port = 0;
};
Authority parse_authority(std::string_view text);

// The query with the values of secret parameters replaced by REDACTED. Unchanged text is returned as
// it is, else a copy in the arena.
std::string_view redact_query(std::string_view query, const std::vector<std::string>& more_names, Arena& arena);

// One of the methods of RFC 9110 and RFC 5789, else "_OTHER".
std::string_view known_method(std::string_view method);

}  // namespace waggle::protocols::http
