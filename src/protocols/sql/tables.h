// SPDX-License-Identifier: Apache-2.0
// StatementReader: follows the tokens of one SQL statement and learns its operation and the tables it
// names, in the order of the text. It knows clauses, not grammar: what it does not know it passes over.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "protocols/sql/lexer.h"

namespace waggle::protocols::sql {

class StatementReader {
  public:
    void start();
    void read(const Token& token);
    void end();

    const std::string& operation() const { return operation_; }
    const std::string& summary() const { return summary_; }
    // The only table, empty when there are none or several.
    std::string_view collection() const { return has_several_ ? std::string_view{} : std::string_view(collection_); }

  private:
    static constexpr std::size_t kMaxDepth = 32;
    static constexpr std::size_t kMaxNames = 8;  // of common table expressions
    enum class Expect : std::uint8_t { Nothing, Table, Source, Target, DdlKind };
    struct Frame {
        bool awaits_from = false;  // SELECT, DELETE or UPDATE came, its FROM has not
        bool is_list = false;      // a comma separates tables
        bool is_begun = false;
    };

    Frame& frame() { return frames_[depth_ < kMaxDepth ? depth_ : kMaxDepth]; }
    void read_word(const Token& token);
    void read_symbol(char symbol);
    bool read_expected(std::string_view upper);
    bool read_with(std::string_view upper, const Token& token);
    void begin_statement(std::string_view upper);
    void begin_part(std::string_view upper);
    void read_clause(std::string_view upper);
    void read_ddl_kind(std::string_view upper);
    void add_operation(std::string_view upper);
    void add_summary(std::string_view word);
    void add_part(std::string_view part);
    void commit_name();
    bool is_common_table(std::string_view name) const;

    std::string operation_;
    std::string summary_;
    std::string collection_;
    std::string name_;
    std::array<std::string_view, kMaxNames> common_tables_;
    std::size_t common_table_count_ = 0;
    std::array<Frame, kMaxDepth + 1> frames_;
    std::size_t depth_ = 0;
    Expect expect_ = Expect::Nothing;
    Expect name_is_ = Expect::Nothing;  // what the name that is collected is for
    bool has_dot_ = false;
    bool has_several_ = false;
    bool is_with_ = false;
    bool is_ddl_ = false;
    bool is_index_ = false;
    bool is_summary_full_ = false;
    bool is_after_distinct_ = false;
};

}  // namespace waggle::protocols::sql
