// SPDX-License-Identifier: Apache-2.0
// Makes HTTP/2 for tests: frames, and header blocks by an HPACK encoder of its own that uses the forms it is told.
// A line of a talk is "@frame stream options fields":
//   @preface; @settings [id=value …]; @ack; @ping; @window 1 100; @goaway 5; @reset 1 8; @priority 3; @unknown 3
//   @headers 1 [end] [pad=7] [priority] [split=3] [plain] [never] [static] :method=GET …
//     split: into CONTINUATION frames of so many bytes; plain: no Huffman code; static: nothing is inserted
//   @promise 1 2 :method=GET …; @data 1 [end] [pad=7] text=hello | hex=00ff | size=5000; @table 100 (an update, in the
//   next block)
// In fields "+" is a blank, and x*5000 is x five thousand times.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/strings.h"
#include "protocols/http2/frames.h"
#include "protocols/http2/huffman.h"

namespace waggle::protocols::testing {

struct HeaderForm {
    bool is_plain = false;
    bool is_never_indexed = false;
    bool is_static = false;
};

using Header = std::pair<std::string, std::string>;

class HeaderEncoder {
  public:
    void set_limit(std::size_t limit) {
        limit_ = limit;
        evict();
        pending_ = integer(limit, 5, 0x20);
    }

    std::string encode(const std::vector<Header>& fields, const HeaderForm& form) {
        std::string block = std::exchange(pending_, {});
        for (const Header& field : fields) block += encode_field(field, form);
        return block;
    }

  private:
    // Static entries that tests use, by index.
    static constexpr std::pair<unsigned, std::pair<std::string_view, std::string_view>> kStatic[] = {
        {1, {":authority", ""}},  {2, {":method", "GET"}},   {3, {":method", "POST"}},     {4, {":path", "/"}},
        {6, {":scheme", "http"}}, {7, {":scheme", "https"}}, {8, {":status", "200"}},      {9, {":status", "204"}},
        {13, {":status", "404"}}, {14, {":status", "500"}},  {28, {"content-length", ""}}, {31, {"content-type", ""}},
        {32, {"cookie", ""}},     {38, {"host", ""}},        {58, {"user-agent", ""}}};

    std::string encode_field(const Header& field, const HeaderForm& form) {
        unsigned name = 0;
        for (const auto& [index, entry] : kStatic) {
            if (entry.first != field.first) continue;
            if (entry.second == field.second && !field.second.empty() && !form.is_never_indexed)
                return integer(index, 7, 0x80);
            if (!name) name = index;
        }
        for (std::size_t i = 0; i < table_.size() && !form.is_static; ++i) {
            if (table_[i] == field && !form.is_never_indexed) return integer(62 + i, 7, 0x80);
            if (!name && table_[i].first == field.first) name = static_cast<unsigned>(62 + i);
        }
        const bool is_inserted = !form.is_never_indexed && !form.is_static;
        std::string text = is_inserted ? integer(name, 6, 0x40) : integer(name, 4, form.is_never_indexed ? 0x10 : 0);
        if (!name) text += string(field.first, form);
        text += string(field.second, form);
        if (is_inserted) {
            table_.push_front(field);
            evict();
        }
        return text;
    }

    static std::string integer(std::uint64_t value, unsigned prefix, unsigned first) {
        const std::uint64_t mask = (1u << prefix) - 1;
        if (value < mask) return {static_cast<char>(first | value)};
        std::string text{static_cast<char>(first | mask)};
        for (value -= mask; value >= 128; value >>= 7) text += static_cast<char>(0x80 | (value & 0x7f));
        return text + static_cast<char>(value);
    }

    static std::string string(std::string_view text, const HeaderForm& form) {
        if (form.is_plain) return integer(text.size(), 7, 0).append(text);
        const std::string coded = http2::encode_huffman(text);
        return integer(coded.size(), 7, 0x80) + coded;
    }

    void evict() {
        const auto size = [&] {
            std::size_t sum = 0;
            for (const Header& entry : table_) sum += entry.first.size() + entry.second.size() + 32;
            return sum;
        };
        while (size() > limit_) table_.pop_back();
    }

    std::deque<Header> table_;
    std::size_t limit_ = 4096;
    std::string pending_;
};

inline std::string big_endian(std::uint64_t value, unsigned bytes) {
    std::string text;
    while (bytes--) text += static_cast<char>(value >> 8 * bytes);
    return text;
}

inline std::string frame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream, std::string_view payload) {
    return big_endian(payload.size(), 3) + big_endian(type, 1) + big_endian(flags, 1) + big_endian(stream, 4) +
           std::string(payload);
}

// Padding, and for HEADERS a priority.
inline std::string padded(std::string payload, std::size_t padding, bool has_priority, std::uint8_t& flags) {
    if (has_priority) {
        payload = big_endian(0, 4) + big_endian(16, 1) + payload;
        flags |= http2::kHasPriority;
    }
    if (padding) {
        payload = big_endian(padding, 1) + payload + std::string(padding, '\0');
        flags |= http2::kPadded;
    }
    return payload;
}

// HEADERS, the rest of the block in CONTINUATION frames where it is split.
inline std::string headers_frames(std::uint32_t stream, bool is_end, std::string block, std::size_t split = 0,
                                  std::size_t padding = 0, bool has_priority = false) {
    std::uint8_t flags = is_end ? http2::kEndStream : 0;
    std::string rest;
    if (split && block.size() > split) {
        rest = block.substr(split);
        block.resize(split);
    }
    if (rest.empty()) flags |= http2::kEndHeaders;
    const std::string payload = padded(block, padding, has_priority, flags);
    std::string text = frame(http2::kHeaders, flags, stream, payload);
    while (!rest.empty()) {
        const std::string piece = rest.substr(0, split);
        rest.erase(0, piece.size());
        text += frame(http2::kContinuation, rest.empty() ? http2::kEndHeaders : 0, stream, piece);
    }
    return text;
}

inline std::string data_frame(std::uint32_t stream, bool is_end, std::string text, std::size_t padding = 0) {
    std::uint8_t flags = is_end ? http2::kEndStream : 0;
    const std::string payload = padded(std::move(text), padding, false, flags);
    return frame(http2::kData, flags, stream, payload);
}

// One side of a connection, for talks.
class FrameWriter {
  public:
    std::string line(std::string_view text) {
        words_ = split(text, ' ');
        std::erase(words_, std::string_view{});
        const std::string_view what = words_[0];
        const std::uint32_t stream = number(1);
        if (what == "@preface") return std::string(http2::kPreface);
        if (what == "@settings") return frame(http2::kSettings, 0, 0, settings());
        if (what == "@ack") return frame(http2::kSettings, http2::kAck, 0, {});
        if (what == "@ping") return frame(http2::kPing, 0, 0, "12345678");
        if (what == "@window") return frame(http2::kWindowUpdate, 0, stream, big_endian(number(2), 4));
        if (what == "@goaway") return frame(http2::kGoAway, 0, 0, big_endian(stream, 4) + big_endian(0, 4) + "bye");
        if (what == "@reset") return frame(http2::kReset, 0, stream, big_endian(number(2), 4));
        if (what == "@priority") return frame(http2::kPriority, 0, stream, big_endian(0, 4) + big_endian(16, 1));
        if (what == "@unknown") return frame(0xfb, 0x5a, stream, "whatever");
        if (what == "@table") {
            encoder_.set_limit(stream);
            return {};
        }
        if (what == "@promise") {
            const std::string block = big_endian(number(2), 4) + encoder_.encode(fields(), form());
            return frame(http2::kPushPromise, http2::kEndHeaders, stream, block);
        }
        if (what == "@headers")
            return headers_frames(stream, has("end"), encoder_.encode(fields(), form()), option("split"), option("pad"),
                                  has("priority"));
        if (what == "@data") {
            std::string content(option("size"), 'x');
            for (const std::string_view word : words_) {
                if (word.starts_with("text=")) content = word.substr(5);
                for (std::size_t i = 4; word.starts_with("hex=") && i + 2 <= word.size(); i += 2)
                    content += static_cast<char>(parse_int<unsigned>(word.substr(i, 2), 16).value());
            }
            return data_frame(stream, has("end"), content, option("pad"));
        }
        return "no such line: " + std::string(text);
    }

  private:
    std::uint32_t number(std::size_t index) const {
        return index < words_.size() ? parse_int<std::uint32_t>(words_[index]).value_or(0) : 0;
    }
    bool has(std::string_view word) const { return std::ranges::find(words_, word) != words_.end(); }
    std::size_t option(std::string_view name) const {
        for (const std::string_view word : words_)
            if (word.starts_with(name) && word.size() > name.size() && word[name.size()] == '=')
                return parse_int<std::size_t>(word.substr(name.size() + 1)).value_or(0);
        return 0;
    }
    HeaderForm form() const { return {has("plain"), has("never"), has("static")}; }
    std::string settings() const {
        std::string text;
        for (const std::string_view word : words_)
            if (const std::size_t equals = word.find('='); equals != std::string_view::npos)
                text += big_endian(parse_int<unsigned>(word.substr(0, equals)).value_or(0), 2) +
                        big_endian(parse_int<unsigned>(word.substr(equals + 1)).value_or(0), 4);
        return text;
    }
    std::vector<Header> fields() const {
        std::vector<Header> fields;
        for (const std::string_view word : words_) {
            const std::size_t equals = word.find('=');
            if (equals == std::string_view::npos || word.starts_with("pad=") || word.starts_with("split=")) continue;
            std::string value(word.substr(equals + 1));
            std::ranges::replace(value, '+', ' ');
            // x*5000: five thousand times x.
            if (const std::size_t times = value.find('*'); times != std::string::npos)
                value = std::string(parse_int<std::size_t>(std::string_view(value).substr(times + 1)).value_or(0),
                                    value[0]);
            fields.emplace_back(word.substr(0, equals), value);
        }
        return fields;
    }

    HeaderEncoder encoder_;
    std::vector<std::string_view> words_;
};

}  // namespace waggle::protocols::testing
