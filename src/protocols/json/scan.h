// SPDX-License-Identifier: Apache-2.0
// JSON that may be cut anywhere: where a value ends, and an object's members. nlohmann-json is not used for this: it
// gives nothing of a text that is cut, not even which document ends where, it builds what it reads, and this reads
// foreign bytes on the way of every event. Nothing is allocated, nothing is recursive, the depth is bounded. Pure.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "protocols/protocol.h"

namespace waggle::protocols::json {

inline constexpr unsigned kMaxDepth = 64;

// The size of the value at the front of bytes, blanks before it included. A number at the end of bytes may go on.
std::expected<std::size_t, Stop> value_size(std::string_view bytes);

struct Member {
    std::string_view key;    // as written, without quotes
    std::string_view value;  // as written; of a text without quotes
    bool is_text = false;
    bool is_cut = false;  // it goes on beyond what is here
};

// The members of the object at the front of a text, one after the other.
class Members {
  public:
    explicit Members(std::string_view text);
    std::optional<Member> next();
    // The object's end was reached.
    bool is_whole() const { return is_whole_; }

  private:
    std::string_view rest_;
    bool is_first_ = true;
    bool is_over_ = false;
    bool is_whole_ = false;
};

// What a text says, its escapes resolved, up to so many characters. (What ASCII has no character for is "?".)
std::string text_of(std::string_view written, std::size_t most);

std::string_view skip_blanks(std::string_view text);

}  // namespace waggle::protocols::json
