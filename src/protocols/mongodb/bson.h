// SPDX-License-Identifier: Apache-2.0
// Document: the elements of a BSON document, one after the other, from bytes that may end anywhere. Nested ones
// are passed over by their lengths. Pure; no allocation.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace waggle::protocols::mongodb {

inline constexpr std::uint8_t kDouble = 0x01, kString = 0x02, kEmbedded = 0x03, kArray = 0x04, kBool = 0x08,
                              kInt32 = 0x10, kInt64 = 0x12;

// Little endian.
std::uint64_t read_fixed(std::string_view bytes, std::size_t at, std::size_t size);
inline std::int32_t read_int32(std::string_view bytes, std::size_t at) {
    return static_cast<std::int32_t>(read_fixed(bytes, at, 4));
}

struct Element {
    std::uint8_t type = 0;
    std::string_view name;
    std::string_view value;  // as far as it is here

    // Of a string, empty for all else.
    std::string_view text() const;
    // Of a number or boolean.
    std::optional<std::int64_t> number() const;
};

class Document {
  public:
    enum class State : std::uint8_t { Good, End, Short, Bad };

    // From its length on.
    explicit Document(std::string_view bytes);
    // Nothing at its end, where the bytes end, or when they are none: state() tells.
    std::optional<Element> next();
    State state() const { return state_; }

  private:
    std::optional<Element> stop(State state);
    std::optional<std::uint64_t> value_size(std::uint8_t type) const;
    std::optional<std::size_t> text_end(std::size_t from) const;

    std::string_view bytes_;
    std::uint64_t size_ = 0;  // all of it
    std::size_t at_ = 4;
    State state_ = State::Good;
};

}  // namespace waggle::protocols::mongodb
