// SPDX-License-Identifier: Apache-2.0
#include "http/retry_after.h"

#include <curl/curl.h>

#include <algorithm>
#include <string>

#include "base/strings.h"

namespace waggle::http {

std::optional<std::chrono::milliseconds> parse_retry_after(std::string_view text, std::int64_t now) {
    constexpr std::int64_t kDay = 24 * 3600;
    text = trim(text);
    if (text.empty()) return std::nullopt;
    if (const auto seconds = parse_int<std::uint64_t>(text))
        return std::chrono::seconds(std::min<std::uint64_t>(*seconds, kDay));
    const std::int64_t date = ::curl_getdate(std::string(text).c_str(), nullptr);
    if (date < 0) return std::nullopt;
    return std::chrono::seconds(std::clamp<std::int64_t>(date - now, 0, kDay));
}

}  // namespace waggle::http
