// SPDX-License-Identifier: Apache-2.0
#include "config/diagnostics.h"

#include <algorithm>
#include <numeric>

namespace waggle::config {
namespace {

size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), size_t{0});
    for (size_t i = 1; i <= a.size(); ++i) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.size(); ++j) {
            const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
        }
    }
    return row[b.size()];
}

}  // namespace

std::string Diagnostic::text() const {
    std::string all = where;
    for (const std::string* part : {&key, &message}) {
        if (part->empty()) continue;
        if (!all.empty()) all += ": ";
        all += *part;
    }
    return all;
}

std::string join(std::span<const Diagnostic> diagnostics) {
    std::string all;
    for (const Diagnostic& diagnostic : diagnostics) {
        if (!all.empty()) all += '\n';
        all += diagnostic.text();
    }
    return all;
}

std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates) {
    constexpr size_t kLongest = 64;  // nobody misspells longer words than this into a known one
    if (word.size() > kLongest) return {};
    std::string_view best;
    size_t best_distance = std::max<size_t>(2, word.size() / 3) + 1;
    for (const std::string_view candidate : candidates) {
        const size_t distance = edit_distance(word, candidate);
        if (distance < best_distance && distance < candidate.size()) {
            best = candidate;
            best_distance = distance;
        }
    }
    return best;
}

}  // namespace waggle::config
