// SPDX-License-Identifier: Apache-2.0
// Reader: Kafka's primitive types, one after the other, from bytes that may end anywhere. After the first
// value that is short or cannot be, everything reads as nothing; the caller asks once, at the end. Pure.
#pragma once

#include <cstdint>
#include <string_view>

namespace waggle::protocols::kafka {

class Reader {
  public:
    enum class State : std::uint8_t { Good, Short, Bad };

    // Flexible versions have compact lengths and tagged fields.
    Reader(std::string_view bytes, bool is_flexible) : bytes_(bytes), is_flexible_(is_flexible) {}

    State state() const { return state_; }
    bool is_good() const { return state_ == State::Good; }
    std::size_t position() const { return at_; }
    void fail() { stop(State::Bad); }

    std::int64_t fixed(unsigned size) {
        const std::string_view text = take(size);
        if (text.empty()) return 0;
        std::uint64_t value = 0;
        for (const char c : text) value = value << 8 | static_cast<unsigned char>(c);
        const unsigned unused = 64 - 8 * size;
        return static_cast<std::int64_t>(value << unused) >> unused;
    }
    std::int8_t i8() { return static_cast<std::int8_t>(fixed(1)); }
    std::int16_t i16() { return static_cast<std::int16_t>(fixed(2)); }
    std::int32_t i32() { return static_cast<std::int32_t>(fixed(4)); }
    std::int64_t i64() { return fixed(8); }

    std::uint64_t unsigned_varint() {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 64; shift += 7) {
            const auto byte = static_cast<std::uint8_t>(i8());
            value |= std::uint64_t{byte & 0x7fu} << shift;
            if (!(byte & 0x80)) return value;
        }
        stop(State::Bad);
        return 0;
    }
    std::int64_t varint() {
        const std::uint64_t value = unsigned_varint();
        return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
    }

    // -1: null.
    std::int64_t compact_length() { return static_cast<std::int64_t>(unsigned_varint()) - 1; }
    std::int64_t array() { return checked(is_flexible_ ? compact_length() : i32()); }
    std::int64_t bytes_length() { return checked(is_flexible_ ? compact_length() : i32()); }

    // Empty for null, too.
    std::string_view string() {
        const std::int64_t length = is_flexible_ ? compact_length() : i16();
        if (length < -1 || length > 32767) stop(State::Bad);
        return length > 0 ? take(static_cast<std::size_t>(length)) : std::string_view{};
    }
    std::string_view uuid() { return take(16); }
    std::string_view take(std::uint64_t size) {
        if (state_ != State::Good) return {};
        if (size > bytes_.size() - at_) {
            stop(State::Short);
            return {};
        }
        const std::string_view text = bytes_.substr(at_, size);
        at_ += size;
        return text;
    }
    void skip(std::uint64_t size) { take(size); }
    // Arrays of things of one size.
    void skip_array(unsigned size) {
        const std::int64_t count = array();
        if (count > 0) skip(static_cast<std::uint64_t>(count) * size);
    }

    void tags() {
        if (!is_flexible_) return;
        std::uint64_t count = unsigned_varint();
        if (count > 1024) stop(State::Bad);
        for (; count > 0 && is_good(); --count) {
            unsigned_varint();
            skip(unsigned_varint());
        }
    }

  private:
    std::int64_t checked(std::int64_t length) {
        if (length < -1 || length > 0x7fffffff) stop(State::Bad);
        return is_good() ? length : 0;
    }
    void stop(State state) {
        if (state_ == State::Good) state_ = state;
    }

    std::string_view bytes_;
    std::size_t at_ = 0;
    bool is_flexible_;
    State state_ = State::Good;
};

}  // namespace waggle::protocols::kafka
