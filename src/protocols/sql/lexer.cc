// SPDX-License-Identifier: Apache-2.0
#include "protocols/sql/lexer.h"

#include "base/strings.h"

namespace waggle::protocols::sql {
namespace {

bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80) != 0; }
bool is_name(char c) { return is_name_start(c) || is_digit(c) || c == '$'; }

}  // namespace

Token Lexer::token(TokenKind kind, std::size_t from) const {
    return {.kind = kind, .text = text_.substr(from, at_ - from), .begin = from, .end = at_};
}

bool Lexer::skip_comment() {
    const char c = at(at_);
    const char next = at(at_ + 1);
    // In MySQL two dashes need a blank after them.
    const bool is_dashes = c == '-' && next == '-' && (!is_mysql() || at_ + 2 >= text_.size() || is_blank(at(at_ + 2)));
    if (is_dashes || (c == '#' && is_mysql())) {
        const std::size_t end = text_.find_first_of("\r\n", at_);
        at_ = end == std::string_view::npos ? text_.size() : end;
        return true;
    }
    if (is_executable_ && c == '*' && next == '/') {
        at_ += 2;
        is_executable_ = false;
        return true;
    }
    if (c != '/' || next != '*') return false;
    // Read by MySQL as text, from a version on maybe: /*! … */, by MariaDB also /*M! … */.
    const std::size_t mark = at(at_ + 2) == 'M' ? at_ + 3 : at_ + 2;
    if (is_mysql() && at(mark) == '!') {
        for (at_ = mark + 1; is_digit(at(at_));) ++at_;
        is_executable_ = true;
        return true;
    }
    std::size_t depth = 1;
    for (at_ += 2; at_ < text_.size() && depth > 0;) {
        if (text_[at_] == '*' && at(at_ + 1) == '/') {
            --depth;
            at_ += 2;
        } else if (text_[at_] == '/' && at(at_ + 1) == '*' && !is_mysql()) {
            ++depth;
            at_ += 2;
        } else {
            ++at_;
        }
    }
    return true;
}

bool Lexer::skip_blanks() {
    const std::size_t from = at_;
    while (at_ < text_.size())
        if (is_blank(text_[at_]))
            ++at_;
        else if (!skip_comment())
            break;
    return at_ > from;
}

// From the quote to the one that closes it; a doubled one stands for itself.
void Lexer::pass_string(char quote, bool has_backslashes) {
    for (++at_; at_ < text_.size(); ++at_) {
        if (text_[at_] == '\\' && has_backslashes) {
            ++at_;
        } else if (text_[at_] == quote) {
            if (at(at_ + 1) != quote) {
                ++at_;
                return;
            }
            ++at_;
        }
    }
    at_ = text_.size();
}

// $$ … $$ and $tag$ … $tag$
bool Lexer::pass_dollar_quote() {
    std::size_t end = at_ + 1;
    if (is_digit(at(end))) return false;
    while (end < text_.size() && is_name(text_[end]) && text_[end] != '$') ++end;
    if (at(end) != '$') {
        // A tag that was cut off has nothing after it.
        return false;
    }
    const std::string_view tag = text_.substr(at_, end + 1 - at_);
    const std::size_t close = text_.find(tag, end + 1);
    at_ = close == std::string_view::npos ? text_.size() : close + tag.size();
    return true;
}

void Lexer::pass_number() {
    while (at_ < text_.size()) {
        const char c = text_[at_];
        const bool is_exponent_sign =
            (c == '+' || c == '-') && (text_[at_ - 1] == 'e' || text_[at_ - 1] == 'E') && is_digit(at(at_ + 1));
        if ((!is_name(c) && c != '.' && !is_exponent_sign) || c == '$') return;
        ++at_;
    }
}

Token Lexer::quoted_name(std::size_t from, char quote) {
    const std::size_t begin = at_ + 1;
    pass_string(quote, false);
    const bool is_closed = at_ > begin && text_[at_ - 1] == quote;
    Token result = token(TokenKind::QuotedName, from);
    result.text = text_.substr(begin, (is_closed ? at_ - 1 : at_) - begin);
    return result;
}

// A name, or the prefix of a literal: E'…', X'…', N'…', U&'…', _utf8'…'.
Token Lexer::word(std::size_t from) {
    while (at_ < text_.size() && is_name(text_[at_])) ++at_;
    const std::string_view name = text_.substr(from, at_ - from);
    const char first = to_lower(name.front());
    if (at(at_) == '\'') {
        const bool is_escape = name.size() == 1 && first == 'e' && !is_mysql();
        const bool is_prefix = name.size() == 1 && (first == 'b' || first == 'x' || first == 'n');
        if (is_escape || is_prefix || (is_mysql() && first == '_')) {
            pass_string('\'', is_escape || has_backslashes_);
            return token(TokenKind::Literal, from);
        }
    }
    if (is_mysql() && first == '_' && at(at_) == '"') {
        pass_string('"', has_backslashes_);
        return token(TokenKind::Literal, from);
    }
    if (name.size() == 1 && first == 'u' && at(at_) == '&' && !is_mysql()) {
        if (at(at_ + 1) == '\'') {
            ++at_;
            pass_string('\'', has_backslashes_);
            return token(TokenKind::Literal, from);
        }
        if (at(at_ + 1) == '"') {
            ++at_;
            return quoted_name(from, '"');
        }
    }
    return token(TokenKind::Word, from);
}

Token Lexer::next() {
    const bool has_space = skip_blanks();
    const std::size_t from = at_;
    Token result;
    const char c = at(at_);
    if (at_ >= text_.size()) {
        result = token(TokenKind::End, from);
    } else if (is_name_start(c)) {
        result = word(from);
    } else if (is_digit(c) || (c == '.' && is_digit(at(at_ + 1)) && (from == 0 || !is_name(text_[from - 1])))) {
        pass_number();
        result = token(TokenKind::Literal, from);
    } else if (c == '\'' || (c == '"' && is_mysql())) {
        pass_string(c, has_backslashes_);
        result = token(TokenKind::Literal, from);
    } else if (c == '"' || (c == '`' && is_mysql())) {
        result = quoted_name(from, c);
    } else if (c == '$' && !is_mysql() && pass_dollar_quote()) {
        result = token(TokenKind::Literal, from);
    } else if (c == '?' || ((c == '$' || c == '@') && is_name(at(at_ + 1))) ||
               (c == ':' && is_name_start(at(at_ + 1)) && (from == 0 || text_[from - 1] != ':'))) {
        for (++at_; c != '?' && at_ < text_.size() && is_name(text_[at_]);) ++at_;
        result = token(TokenKind::Parameter, from);
    } else {
        ++at_;
        result = token(TokenKind::Symbol, from);
    }
    result.has_space_before = has_space;
    return result;
}

}  // namespace waggle::protocols::sql
