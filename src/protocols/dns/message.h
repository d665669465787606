// SPDX-License-Identifier: Apache-2.0
// The head of a DNS message and its question. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "protocols/protocol.h"

namespace waggle::protocols::dns {

inline constexpr std::size_t kHeader = 12;
// A header, the longest name, type and class.
inline constexpr std::size_t kMaxFront = kHeader + 255 + 4;

// Of a host, lower case, without the last dot; "." is the root. It allocates nothing.
class HostName {
  public:
    bool is_empty() const { return size_ == 0; }
    std::string_view text() const { return {text_.data(), size_}; }
    void clear() { size_ = 0; }
    // Beyond what a name may be long nothing is added.
    void add(char c) {
        if (size_ < text_.size()) text_[size_++] = c;
    }

  private:
    std::array<char, 254> text_{};
    std::uint8_t size_ = 0;
};

struct Message {
    std::uint16_t id = 0;
    bool is_answer = false;
    std::uint8_t operation = 0;  // 0: a query
    std::uint8_t code = 0;       // of an answer
    bool is_truncated = false;   // … that did not fit
    std::uint16_t questions = 0;
    std::uint16_t type = 0;  // of the question
    std::uint16_t record_class = 0;
    HostName name;
    bool has_question = false;  // its question was read
};

// Nothing when these bytes, a message's first ones, are none. is_cut: it goes on beyond them.
std::optional<Message> read_message(std::string_view bytes);

// "A", "AAAA", …; empty for a type that has no name here.
std::string_view type_name(std::uint16_t type);
// "NXDOMAIN", …
std::string_view code_name(std::uint8_t code);

// Does a message of `size` bytes that begins with these ask, or answer, one question?
Sniff sniff_message(std::string_view bytes, std::size_t size, Side side);
// Over TCP: two bytes of length stand before each message.
Sniff sniff(std::string_view bytes, Side side);

}  // namespace waggle::protocols::dns
