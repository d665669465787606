// SPDX-License-Identifier: Apache-2.0
// Headers: HTTP header fields in order, as the client and the server pass them.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/strings.h"

namespace waggle::http {

using Headers = std::vector<std::pair<std::string, std::string>>;

// The value of the first field of that name (any case), or empty.
inline std::string_view find_header(const Headers& headers, std::string_view name) {
    for (const auto& [key, value] : headers)
        if (equals_ignoring_case(key, name)) return value;
    return {};
}

}  // namespace waggle::http
