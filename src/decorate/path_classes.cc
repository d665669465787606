// SPDX-License-Identifier: Apache-2.0
#include "decorate/path_classes.h"

#include "decorate/gibberish.h"

namespace waggle::decorate {
namespace {

constexpr size_t kMaxName = 64;

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// Names are letters, '-' and '_', and may have one other character in the second place: v1,
// k6-runs.
bool is_id(std::string_view segment) {
    if (segment.size() > kMaxName) return true;
    bool has_other = false;
    for (size_t i = 0; i < segment.size(); ++i) {
        const char c = segment[i];
        if (is_letter(c) || c == '-' || c == '_') continue;
        if (i != 1) return true;
        has_other = true;
    }
    return !has_other && is_gibberish(segment);
}

}  // namespace

void classify_path(std::string_view path, std::vector<PathPart>& parts) {
    parts.clear();
    for (size_t separators = 0;; ++separators) {
        const size_t slash = path.find('/');
        const std::string_view segment = path.substr(0, slash);
        parts.push_back({.text = segment, .is_id = is_id(segment)});
        if (slash == std::string_view::npos || separators == kMaxSeparators) return;
        path.remove_prefix(slash + 1);
    }
}

}  // namespace waggle::decorate
