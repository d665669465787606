// SPDX-License-Identifier: Apache-2.0
#include "protocols/mongodb/bson.h"

#include <algorithm>
#include <bit>

namespace waggle::protocols::mongodb {
namespace {

constexpr std::uint64_t kMaxDocument = 64u << 20;

}  // namespace

std::uint64_t read_fixed(std::string_view bytes, std::size_t at, std::size_t size) {
    std::uint64_t value = 0;
    for (std::size_t i = size; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
    return value;
}

std::string_view Element::text() const {
    if (type != kString || value.size() < 5) return {};
    const std::uint64_t size = read_fixed(value, 0, 4);
    if (size == 0 || size != value.size() - 4) return {};  // the end is missing
    return value.substr(4, size - 1);
}

std::optional<std::int64_t> Element::number() const {
    if (type == kBool && value.size() == 1) return value[0];
    if (type == kInt32 && value.size() == 4) return read_int32(value, 0);
    if (type == kInt64 && value.size() == 8) return static_cast<std::int64_t>(read_fixed(value, 0, 8));
    if (type != kDouble || value.size() != 8) return {};
    const auto real = std::bit_cast<double>(read_fixed(value, 0, 8));
    if (!(real > -1e15 && real < 1e15)) return {};
    return static_cast<std::int64_t>(real);
}

Document::Document(std::string_view bytes) : bytes_(bytes) {
    if (bytes.size() < 4) {
        state_ = State::Short;
        return;
    }
    size_ = read_fixed(bytes, 0, 4);
    if (size_ < 5 || size_ > kMaxDocument) state_ = State::Bad;
    bytes_ = bytes.substr(0, size_);
}

std::optional<Element> Document::stop(State state) {
    state_ = state;
    return {};
}

// Where the zero stands that ends a name.
std::optional<std::size_t> Document::text_end(std::size_t from) const {
    const std::size_t end = bytes_.find('\0', from);
    if (end == std::string_view::npos) return {};
    return end;
}

// Of the value at at_, when that can be told.
std::optional<std::uint64_t> Document::value_size(std::uint8_t type) const {
    const bool has_length = at_ + 4 <= bytes_.size();
    const auto length = [&] { return read_fixed(bytes_, at_, 4); };
    switch (type) {
        case 0x06:
        case 0x0a:
        case 0x7f:
        case 0xff:
            return 0;
        case kBool:
            return 1;
        case kInt32:
            return 4;
        case kDouble:
        case 0x09:
        case 0x11:
        case kInt64:
            return 8;
        case 0x07:
            return 12;
        case 0x13:
            return 16;
        case kString:
        case 0x0d:
        case 0x0e:
            return has_length ? std::optional(4 + length()) : std::nullopt;
        case 0x0c:
            return has_length ? std::optional(16 + length()) : std::nullopt;
        case 0x05:
            return has_length ? std::optional(5 + length()) : std::nullopt;
        case kEmbedded:
        case kArray:
        case 0x0f:
            return has_length ? std::optional(std::max<std::uint64_t>(4, length())) : std::nullopt;
        case 0x0b: {  // two texts
            const auto first = text_end(at_);
            const auto second = first ? text_end(*first + 1) : std::nullopt;
            return second ? std::optional<std::uint64_t>(*second + 1 - at_) : std::nullopt;
        }
        default:
            return {};
    }
}

std::optional<Element> Document::next() {
    if (state_ != State::Good) return {};
    if (at_ >= bytes_.size()) return stop(bytes_.size() < size_ ? State::Short : State::Bad);
    const auto type = static_cast<std::uint8_t>(bytes_[at_]);
    if (type == 0) return stop(at_ + 1 == size_ ? State::End : State::Bad);
    const bool is_type = type <= 0x13 || type == 0x7f || type == 0xff;
    if (!is_type) return stop(State::Bad);
    const auto end = text_end(at_ + 1);
    if (!end) return stop(bytes_.size() < size_ ? State::Short : State::Bad);
    Element element{.type = type, .name = bytes_.substr(at_ + 1, *end - at_ - 1)};
    at_ = *end + 1;
    const auto size = value_size(type);
    if (!size) return stop(bytes_.size() < size_ ? State::Short : State::Bad);
    if (*size >= size_ - at_) return stop(State::Bad);
    element.value = bytes_.substr(at_, *size);
    at_ += *size;  // may lie beyond what is here
    return element;
}

}  // namespace waggle::protocols::mongodb
