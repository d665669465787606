// SPDX-License-Identifier: Apache-2.0
#include "metrics/select.h"

#include <algorithm>
#include <array>
#include <optional>

namespace waggle::metrics {
namespace {

std::string replaced(std::string_view text, char from, char to) {
    std::string out(text);
    std::replace(out.begin(), out.end(), from, to);
    return out;
}

template <std::size_t N>
void strip_one(std::string& text, const std::array<std::string_view, N>& suffixes) {
    for (const std::string_view suffix : suffixes)
        if (text.ends_with(suffix)) {
            text.resize(text.size() - suffix.size());
            return;
        }
}

// A class such as [a-z] at the start of pattern: whether c is in it, and its length; nothing if
// malformed.
struct ClassMatch {
    bool is_in = false;
    std::size_t length = 0;
};
std::optional<ClassMatch> match_class(std::string_view pattern, char c) {
    std::size_t at = 1;
    const bool is_negated = at < pattern.size() && pattern[at] == '^';
    if (is_negated) ++at;
    bool is_in = false;
    for (bool is_first = true;; is_first = false) {
        if (at >= pattern.size()) return std::nullopt;
        if (pattern[at] == ']' && !is_first) break;
        const char low = pattern[at++];
        char high = low;
        if (at + 1 < pattern.size() && pattern[at] == '-' && pattern[at + 1] != ']') {
            high = pattern[at + 1];
            at += 2;
        }
        is_in = is_in || (low <= c && c <= high);
    }
    return ClassMatch{is_in != is_negated, at + 1};
}

// How many bytes of pattern match the one character c, 0 when it does not.
std::size_t match_one(std::string_view pattern, char c) {
    switch (pattern[0]) {
        case '?':
            return c != '/' ? 1 : 0;
        case '[': {
            const auto match = match_class(pattern, c);
            return match && match->is_in && c != '/' ? match->length : 0;
        }
        case '\\':
            return pattern.size() > 1 && pattern[1] == c ? 2 : 0;
        default:
            return pattern[0] == c ? 1 : 0;
    }
}

bool contains_glob(const std::vector<std::string>& globs, std::string_view attribute) {
    const std::string name = replaced(attribute, '.', '_');
    return std::any_of(globs.begin(), globs.end(),
                       [&](const std::string& glob) { return glob_matches(replaced(glob, '.', '_'), name); });
}

}  // namespace

std::string normal_metric_key(std::string_view key) {
    std::string text = replaced(key, '_', '.');
    strip_one(text, std::to_array<std::string_view>({".ratio", ".bucket", ".sum", ".count", ".total"}));
    strip_one(text, std::to_array<std::string_view>({".bytes", ".seconds"}));
    return text;
}

bool glob_matches(std::string_view pattern, std::string_view text) {
    // The last star decides: on a mismatch it takes one more character.
    std::optional<std::string_view> star_pattern;
    std::string_view star_text;
    while (!text.empty() || !pattern.empty()) {
        if (!pattern.empty() && pattern[0] == '*') {
            pattern.remove_prefix(1);
            star_pattern = pattern;
            star_text = text;
            continue;
        }
        const std::size_t used = pattern.empty() || text.empty() ? 0 : match_one(pattern, text[0]);
        if (used > 0) {
            pattern.remove_prefix(used);
            text.remove_prefix(1);
            continue;
        }
        if (!star_pattern || star_text.empty() || star_text[0] == '/') return false;
        star_text.remove_prefix(1);
        text = star_text;
        pattern = *star_pattern;
    }
    return true;
}

std::vector<AttributeRow> selected(const Selection& selection, std::string_view metric, AttributeRows rows) {
    const std::string name = normal_metric_key(metric);
    std::map<std::string, const SelectEntry*> entries;  // broad before narrow, by their text
    for (const auto& [key, entry] : selection)
        if (glob_matches(normal_metric_key(key), name)) entries[normal_metric_key(key)] = &entry;

    std::vector<bool> is_chosen(rows.size());
    const bool has_defaults = entries.empty() || entries.begin()->second->include.empty();
    for (std::size_t i = 0; i < rows.size(); ++i) is_chosen[i] = has_defaults && rows[i].shown == Shown::Default;
    for (const auto& [key, entry] : entries)
        for (std::size_t i = 0; i < rows.size(); ++i) {
            if (contains_glob(entry->include, rows[i].name)) is_chosen[i] = true;
            if (contains_glob(entry->exclude, rows[i].name)) is_chosen[i] = false;
        }

    std::vector<AttributeRow> out;
    for (std::size_t i = 0; i < rows.size(); ++i)
        if (is_chosen[i]) out.push_back(rows[i]);
    std::sort(out.begin(), out.end(), [](const AttributeRow& a, const AttributeRow& b) { return a.name < b.name; });
    return out;
}

}  // namespace waggle::metrics
