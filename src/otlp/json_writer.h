// SPDX-License-Identifier: Apache-2.0
// JsonWriter: appends JSON to a string, commas and escapes done. The caller keeps begin and end
// paired.
#pragma once

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>

#include "spans/utf8.h"

namespace waggle::otlp {

class JsonWriter {
  public:
    // indent: spaces per level; 0: everything on one line.
    explicit JsonWriter(std::string& out, int indent = 0) : out_(out), indent_(indent) {}

    void begin_object() { begin('{'); }
    void end_object() { end('}'); }
    void begin_array() { begin('['); }
    void end_array() { end(']'); }

    JsonWriter& key(std::string_view name) {
        separate();
        quoted(name);
        out_ += indent_ > 0 ? ": " : ":";
        is_after_key_ = true;
        return *this;
    }
    void text(std::string_view value) {
        separate();
        quoted(value);
    }
    void integer(std::int64_t value) {
        separate();
        fmt::format_to(std::back_inserter(out_), "{}", value);
    }
    // 64-bit numbers are strings in protobuf's JSON.
    void long_integer(std::int64_t value) {
        separate();
        fmt::format_to(std::back_inserter(out_), "\"{}\"", value);
    }
    void long_unsigned(std::uint64_t value) {
        separate();
        fmt::format_to(std::back_inserter(out_), "\"{}\"", value);
    }
    void number(double value) {
        separate();
        if (std::isnan(value))
            out_ += "\"NaN\"";
        else if (std::isinf(value))
            out_ += value > 0 ? "\"Infinity\"" : "\"-Infinity\"";
        else
            fmt::format_to(std::back_inserter(out_), "{}", value);
    }
    void boolean(bool value) {
        separate();
        out_ += value ? "true" : "false";
    }

  private:
    void begin(char bracket) {
        separate();
        out_ += bracket;
        ++depth_;
        is_first_ = true;
    }
    void end(char bracket) {
        --depth_;
        if (!is_first_) line();
        out_ += bracket;
        is_first_ = false;
    }
    void separate() {
        if (is_after_key_) {
            is_after_key_ = false;
            return;
        }
        if (!is_first_) out_ += ',';
        if (depth_ > 0) line();
        is_first_ = false;
    }
    void line() {
        if (indent_ == 0) return;
        out_ += '\n';
        out_.append(static_cast<std::size_t>(depth_ * indent_), ' ');
    }
    void quoted(std::string_view text) {
        out_ += '"';
        for (const char c : spans::valid_utf8(text, storage_)) {
            if (c == '"' || c == '\\')
                out_.append(1, '\\').append(1, c);
            else if (c == '\n')
                out_ += "\\n";
            else if (static_cast<unsigned char>(c) < 0x20)
                fmt::format_to(std::back_inserter(out_), "\\u{:04x}", static_cast<unsigned>(c));
            else
                out_ += c;
        }
        out_ += '"';
    }

    std::string& out_;
    std::string storage_;
    int indent_;
    int depth_ = 0;
    bool is_first_ = true;
    bool is_after_key_ = false;
};

}  // namespace waggle::otlp
