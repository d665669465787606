// SPDX-License-Identifier: Apache-2.0
#include "decorate/gibberish.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

#include "base/strings.h"
#include "decorate/gibberish_words.h"

namespace waggle::decorate {
namespace {

constexpr size_t kLetters = 27;  // a to z, and the end of a word
constexpr size_t kEdge = 26;

constexpr size_t index_of(char c) { return c == ' ' ? kEdge : static_cast<size_t>(to_lower(c) - 'a'); }

// Per pair of letters: what meeting it says for (above 0) or against the word being a name. The
// logarithm of how often the pair is in the word list, less for rare ones.
using Scores = std::array<std::array<std::int8_t, kLetters>, kLetters>;

constexpr Scores make_scores() {
    std::array<std::array<std::uint16_t, kLetters>, kLetters> counts{};
    size_t before = kEdge;
    for (const char c : kWords) {
        const size_t letter = index_of(c);
        ++counts[before][letter];
        before = letter;
    }
    Scores scores{};
    for (size_t i = 0; i < kLetters; ++i)
        for (size_t j = 0; j < kLetters; ++j)
            scores[i][j] =
                static_cast<std::int8_t>(counts[i][j] == 0 ? -6 : static_cast<int>(std::bit_width(counts[i][j])) - 2);
    return scores;
}

constexpr Scores kScores = make_scores();

constexpr bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }

// Fewer letters say nothing: api, html, xyz.
constexpr size_t kMinLetters = 5;
constexpr size_t kMaxLetters = 40;
// Fewer points than this per letter are gibberish. Chosen so that 1 in 100 English or technical
// words is, and of random words 8 in 10 with six letters, 9 in 10 with ten: a name lost is worse
// than an id kept, since RouteTree bounds those.
constexpr double kPointsPerLetter = 1.75;
// getUserById has such parts too, but dQwXgXcQ has nothing else.
constexpr size_t kMinPart = 3;
constexpr int kShortPart = 6;

bool is_hex(std::string_view word) {
    if (word.size() < 8) return false;
    for (const char c : word)
        if (to_lower(c) > 'f') return false;
    return true;
}

// One word without blanks. Its parts begin at the capitals.
bool is_random(std::string_view word) {
    if (word.size() < kMinLetters) return false;
    if (word.size() > kMaxLetters || is_hex(word)) return true;
    int score = 0;
    size_t before = kEdge;
    size_t part = 0;
    for (size_t i = 0; i < word.size(); ++i) {
        const size_t letter = index_of(word[i]);
        if (i > 0 && is_upper(word[i]) && !is_upper(word[i - 1])) {
            score += kScores[before][kEdge];
            if (i < part + kMinPart) score -= kShortPart;
            before = kEdge;
            part = i;
        }
        score += kScores[before][letter];
        before = letter;
    }
    score += kScores[before][kEdge];
    return score < kPointsPerLetter * static_cast<double>(word.size());
}

}  // namespace

bool is_gibberish(std::string_view text) {
    for (size_t at = 0; at < text.size();) {
        const size_t end = std::min(text.find_first_of("-_", at), text.size());
        if (is_random(text.substr(at, end - at))) return true;
        at = end + 1;
    }
    return false;
}

}  // namespace waggle::decorate
