// SPDX-License-Identifier: Apache-2.0
#include "base/glob.h"

#include <algorithm>
#include <bitset>
#include <cstdint>
#include <vector>

namespace waggle {
namespace {

// The pattern as a Thompson automaton, walked with a set of states: no backtracking.
struct State {
    enum class Kind : std::uint8_t { Set, Any, Split, Jump, Match } kind = Kind::Match;
    std::uint32_t next = 0;   // Set, Any, Jump, Split
    std::uint32_t other = 0;  // Split
    std::bitset<256> set;     // Set
};

constexpr size_t kMaxPattern = 4096;
constexpr int kMaxDepth = 16;

class Compiler {
  public:
    explicit Compiler(std::string_view pattern) : pattern_(pattern) {}

    std::vector<State> compile() {
        sequence(0);
        states_.push_back({.kind = State::Kind::Match});
        return std::move(states_);
    }

  private:
    std::uint32_t here() const { return static_cast<std::uint32_t>(states_.size()); }

    void single(std::bitset<256> set) { states_.push_back({.kind = State::Kind::Set, .next = here() + 1, .set = set}); }

    void literal(char c) {
        std::bitset<256> set;
        set.set(static_cast<unsigned char>(c));
        single(set);
    }

    // Up to the end of the pattern, or to the ',' or '}' that ends an alternative.
    void sequence(int depth) {
        while (at_ < pattern_.size()) {
            const char c = pattern_[at_];
            if (depth > 0 && (c == ',' || c == '}')) return;
            ++at_;
            if (c == '*') {
                star();
            } else if (c == '?') {
                states_.push_back({.kind = State::Kind::Any, .next = here() + 1});
            } else if (c == '[') {
                set();
            } else if (c == '{' && depth < kMaxDepth && closes()) {
                alternatives(depth + 1);
            } else if (c == '\\' && at_ < pattern_.size()) {
                literal(pattern_[at_++]);
            } else {
                literal(c);
            }
        }
    }

    void star() {
        while (at_ < pattern_.size() && pattern_[at_] == '*') ++at_;
        const std::uint32_t split = here();
        states_.push_back({.kind = State::Kind::Split, .next = split + 1, .other = split + 2});
        states_.push_back({.kind = State::Kind::Any, .next = split});
    }

    // After '['. Without a closing ']' it is a plain '['.
    void set() {
        size_t at = at_;
        const bool is_negated = at < pattern_.size() && (pattern_[at] == '!' || pattern_[at] == '^');
        if (is_negated) ++at;
        std::bitset<256> set;
        for (bool is_first = true; at < pattern_.size(); is_first = false) {
            if (pattern_[at] == ']' && !is_first) {
                at_ = at + 1;
                single(is_negated ? ~set : set);
                return;
            }
            const unsigned from = static_cast<unsigned char>(pattern_[at++]);
            unsigned to = from;
            if (at + 1 < pattern_.size() && pattern_[at] == '-' && pattern_[at + 1] != ']') {
                to = static_cast<unsigned char>(pattern_[at + 1]);
                at += 2;
            }
            for (unsigned c = from; c <= to; ++c) set.set(c);
        }
        literal('[');
    }

    // After '{': is there the '}' that ends it? Each failed search is the last one, so this stays
    // linear.
    bool closes() {
        if (at_ < unclosed_from_) return find_close();
        return false;
    }

    bool find_close() {
        int open = 1;
        for (size_t i = at_; i < pattern_.size(); ++i) {
            if (pattern_[i] == '\\')
                ++i;
            else if (pattern_[i] == '{')
                ++open;
            else if (pattern_[i] == '}' && --open == 0)
                return true;
        }
        unclosed_from_ = at_;
        return false;
    }

    void alternatives(int depth) {
        std::vector<std::uint32_t> ends;
        for (;;) {
            const std::uint32_t split = here();
            states_.push_back({.kind = State::Kind::Split, .next = split + 1});
            sequence(depth);
            ends.push_back(here());
            states_.push_back({.kind = State::Kind::Jump});
            const bool is_last = at_ >= pattern_.size() || pattern_[at_] == '}';
            ++at_;
            states_[split].other = is_last ? split + 1 : here();
            if (is_last) break;
        }
        for (const std::uint32_t end : ends) states_[end].next = here();
    }

    std::string_view pattern_;
    size_t at_ = 0;
    size_t unclosed_from_ = SIZE_MAX;
    std::vector<State> states_;
};

class Walker {
  public:
    explicit Walker(const std::vector<State>& states) : states_(states), seen_(states.size(), 0) {}

    bool matches(std::string_view text) {
        enter(0);
        for (const char c : text) {
            std::swap(now_, before_);
            now_.clear();
            ++step_;
            for (const std::uint32_t at : before_) {
                const State& state = states_[at];
                const bool takes = state.kind == State::Kind::Any ||
                                   (state.kind == State::Kind::Set && state.set.test(static_cast<unsigned char>(c)));
                if (takes) enter(state.next);
            }
            if (now_.empty()) return false;
        }
        return std::ranges::any_of(now_, [&](std::uint32_t at) { return states_[at].kind == State::Kind::Match; });
    }

  private:
    void enter(std::uint32_t first) {
        stack_.push_back(first);
        while (!stack_.empty()) {
            const std::uint32_t at = stack_.back();
            stack_.pop_back();
            if (seen_[at] == step_) continue;
            seen_[at] = step_;
            const State& state = states_[at];
            if (state.kind == State::Kind::Jump || state.kind == State::Kind::Split) stack_.push_back(state.next);
            if (state.kind == State::Kind::Split) stack_.push_back(state.other);
            if (state.kind != State::Kind::Jump && state.kind != State::Kind::Split) now_.push_back(at);
        }
    }

    const std::vector<State>& states_;
    std::vector<size_t> seen_;
    size_t step_ = 1;
    std::vector<std::uint32_t> now_;
    std::vector<std::uint32_t> before_;
    std::vector<std::uint32_t> stack_;
};

}  // namespace

bool is_glob(std::string_view pattern) { return pattern.find_first_of("*?[{\\") != std::string_view::npos; }

bool glob_match(std::string_view pattern, std::string_view text) {
    if (!is_glob(pattern)) return pattern == text;
    if (pattern == "*") return true;
    if (pattern.size() > kMaxPattern) return false;
    const std::vector<State> states = Compiler(pattern).compile();
    return Walker(states).matches(text);
}

}  // namespace waggle
