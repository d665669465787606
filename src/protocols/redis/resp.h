// SPDX-License-Identifier: Apache-2.0
// RESP: one element of framing at a time (https://redis.io/docs/latest/develop/reference/protocol-spec/),
// and how elements make up replies. Strings are passed over by their length. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <string_view>

#include "protocols/framed.h"

namespace waggle::protocols::redis {

template <typename T>
using Parsed = std::expected<T, Stop>;

inline constexpr std::size_t kMaxLine = 64 * 1024;

// An element's type, and what its line says after it.
struct Element {
    char type = 0;
    std::string_view line;     // without type and line end
    std::string_view payload;  // of a string, as far as it was captured and wanted
    std::int64_t count = 0;    // of a string or an aggregate; −1: null
};

// wanted: how much of a string is handed on.
Parsed<Unit> parse_element(std::string_view bytes, std::size_t wanted, bool is_final);
// Of the front that parse_element gave.
Element read_element(std::string_view front);
bool is_aggregate(char type);

// Counts elements up to the end of a reply.
class Nesting {
  public:
    // False when it is nested deeper than anything real.
    bool add(const Element& element);
    bool is_complete() const { return depth_ == 0 && is_begun_; }
    bool is_begun() const { return is_begun_; }
    std::size_t depth() const { return depth_; }
    std::uint64_t left() const { return depth_ > 0 ? frames_[depth_ - 1].left : 0; }
    void restart() { depth_ = 0, is_begun_ = false; }

  private:
    static constexpr std::size_t kMaxDepth = 16;
    struct Frame {
        std::uint64_t left;
        bool is_attribute;  // stands before a reply and is none
    };
    void complete();

    std::array<Frame, kMaxDepth> frames_{};
    std::size_t depth_ = 0;
    bool is_begun_ = false;
};

// "ERR unknown command": the word that says what kind of error it is.
std::string_view error_prefix(std::string_view text);

Sniff sniff(std::string_view bytes, Side side);

}  // namespace waggle::protocols::redis
