// SPDX-License-Identifier: Apache-2.0
// Which segments of a path are names and which are ids, by their letters alone (Beyla's heuristic).
#pragma once

#include <string_view>
#include <vector>

namespace waggle::decorate {

// Empty parts are kept: "/a//b/" is "", "a", "", "b", "".
struct PathPart {
    std::string_view text;
    bool is_id = false;
};

// More separators than this are not followed, the rest of the path is left out.
inline constexpr size_t kMaxSeparators = 10;

// Replaces the content of parts.
void classify_path(std::string_view path, std::vector<PathPart>& parts);

}  // namespace waggle::decorate
