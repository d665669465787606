// SPDX-License-Identifier: Apache-2.0
// What the console printers say about a span, in Beyla's words: types, peers, Go's durations.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "spans/span.h"

namespace waggle::exporters {

// Peer is the client, host the server, whichever of them the span is about.
struct Ends {
    std::string peer;  // IP address
    std::string host;
    std::int64_t peer_port = 0;
    std::int64_t host_port = 0;
    std::string_view peer_name;
    std::string_view host_name;
};
Ends ends_of(const spans::Span& span);

std::string_view type_name(const spans::Span& span);
std::string_view method_of(const spans::Span& span);
std::string_view path_of(const spans::Span& span);
std::int64_t status_of(const spans::Span& span);
std::string value_text(const spans::Value& value);

// As Go prints a time.Duration: 1.5s, 2m3.25s, 350µs.
std::string go_duration(std::uint64_t ns);

}  // namespace waggle::exporters
