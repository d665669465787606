// SPDX-License-Identifier: Apache-2.0
// Reads Accept and Accept-Encoding: "a/b;version=1;q=0.5, c/d" (RFC 9110 §12.4.2).
#pragma once

#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/strings.h"

namespace waggle::http {

struct Weighted {
    std::string_view value;                    // without parameters
    std::vector<std::string_view> parameters;  // trimmed, without q
    double quality = 1;
};

// At most 64 items, in their order.
inline std::vector<Weighted> parse_weighted(std::string_view header) {
    std::vector<Weighted> items;
    for (const std::string_view part : split(header, ',')) {
        if (items.size() == 64) break;
        Weighted item;
        bool is_first = true;
        for (const std::string_view raw : split(part, ';')) {
            const std::string_view field = trim(raw);
            if (std::exchange(is_first, false))
                item.value = field;
            else if (field.starts_with("q=") || field.starts_with("Q="))
                item.quality = std::clamp(std::strtod(std::string(field.substr(2)).c_str(), nullptr), 0.0, 1.0);
            else
                item.parameters.push_back(field);
        }
        if (!item.value.empty()) items.push_back(std::move(item));
    }
    return items;
}

}  // namespace waggle::http
