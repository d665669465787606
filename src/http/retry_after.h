// SPDX-License-Identifier: Apache-2.0
// Retry-After (RFC 9110 §10.2.3).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace waggle::http {

// Seconds, or an HTTP date seen from now (seconds since the Unix epoch). Nothing when malformed; at
// most one day.
std::optional<std::chrono::milliseconds> parse_retry_after(std::string_view text, std::int64_t now);

}  // namespace waggle::http
