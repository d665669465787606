// SPDX-License-Identifier: Apache-2.0
// Lexer: SQL text to tokens, for PostgreSQL's and MySQL's dialects. One pass, linear, no allocation. Text
// may be cut off anywhere: what is not closed at the end is a token of its kind, so that the rest of a
// literal is never taken for a word.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace waggle::protocols::sql {

enum class Dialect : std::uint8_t { PostgreSql, MySql };

enum class TokenKind : std::uint8_t {
    End,
    Word,        // keyword or name
    QuotedName,  // "name" (PostgreSQL), `name` (MySQL); the text is without the quotes
    Literal,     // string or number, in every form
    Parameter,   // $1, ?, :name, @variable
    Symbol,      // one character
};

struct Token {
    TokenKind kind = TokenKind::End;
    std::string_view text;
    bool has_space_before = false;  // blanks or comments
    std::size_t begin = 0;          // in the text, quotes included
    std::size_t end = 0;
};

class Lexer {
  public:
    // has_backslashes: plain strings have escapes (MySQL's default, PostgreSQL's before 9.1).
    Lexer(std::string_view text, Dialect dialect, bool has_backslashes)
        : text_(text), dialect_(dialect), has_backslashes_(has_backslashes) {}

    Token next();

  private:
    bool is_mysql() const { return dialect_ == Dialect::MySql; }
    char at(std::size_t index) const { return index < text_.size() ? text_[index] : '\0'; }
    bool skip_blanks();
    bool skip_comment();
    Token quoted_name(std::size_t from, char quote);
    Token word(std::size_t from);
    Token token(TokenKind kind, std::size_t from) const;
    void pass_string(char quote, bool has_backslashes);
    void pass_number();
    bool pass_dollar_quote();

    std::string_view text_;
    Dialect dialect_;
    bool has_backslashes_;
    std::size_t at_ = 0;
    bool is_executable_ = false;  // within a comment that MySQL reads as text
};

}  // namespace waggle::protocols::sql
