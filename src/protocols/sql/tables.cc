// SPDX-License-Identifier: Apache-2.0
#include "protocols/sql/tables.h"

#include <algorithm>

#include "base/strings.h"
#include "protocols/sql/statement.h"

namespace waggle::protocols::sql {
namespace {

constexpr std::size_t kMaxKeyword = 24;
constexpr std::size_t kMaxName = 128;

// The word in capitals; longer ones are no keywords.
std::string_view capitals(std::string_view word, std::array<char, kMaxKeyword>& buffer) {
    if (word.size() > buffer.size()) return {};
    std::ranges::transform(word, buffer.begin(), [](char c) { return c >= 'a' && c <= 'z' ? char(c - 32) : c; });
    return {buffer.data(), word.size()};
}

template <std::size_t kSize>
bool is_one_of(std::string_view word, const std::array<std::string_view, kSize>& words) {
    return std::ranges::find(words, word) != words.end();
}

// Stand between a keyword and the name it leads to.
constexpr std::array<std::string_view, 19> kModifiers = {
    "INTO",    "ONLY",   "LATERAL",      "TABLE",         "TABLES",  "IF",    "NOT",
    "EXISTS",  "IGNORE", "LOW_PRIORITY", "HIGH_PRIORITY", "DELAYED", "QUICK", "CONCURRENTLY",
    "VERBOSE", "FREEZE", "FULL",         "BINARY",        "LOCAL"};
constexpr std::array<std::string_view, 14> kDdlModifiers = {
    "OR",    "REPLACE",      "TEMP",      "TEMPORARY",    "UNIQUE",   "UNLOGGED", "GLOBAL",
    "LOCAL", "MATERIALIZED", "RECURSIVE", "CONCURRENTLY", "FULLTEXT", "SPATIAL",  "FOREIGN"};
// Never a table's name without quotes.
constexpr std::array<std::string_view, 26> kReserved = {
    "SELECT", "WHERE", "SET",  "VALUES",  "ON",     "USING",     "GROUP", "ORDER",     "LIMIT",
    "HAVING", "JOIN",  "FROM", "UNION",   "EXCEPT", "INTERSECT", "AS",    "RETURNING", "WINDOW",
    "OFFSET", "FETCH", "FOR",  "DEFAULT", "INNER",  "LEFT",      "RIGHT", "CROSS"};
constexpr std::array<std::string_view, 14> kEndsList = {"WHERE",  "GROUP",  "ORDER",     "HAVING", "LIMIT",
                                                        "OFFSET", "FETCH",  "FOR",       "WINDOW", "RETURNING",
                                                        "UNION",  "EXCEPT", "INTERSECT", "SET"};
constexpr std::array<std::string_view, 5> kVerbs = {"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE"};

}  // namespace

void StatementReader::start() {
    operation_.clear();
    summary_.clear();
    collection_.clear();
    name_.clear();
    common_table_count_ = 0;
    frames_[0] = {};
    depth_ = 0;
    expect_ = name_is_ = Expect::Nothing;
    has_dot_ = has_several_ = is_with_ = is_ddl_ = is_index_ = is_summary_full_ = is_after_distinct_ = false;
}

void StatementReader::end() { commit_name(); }

void StatementReader::read(const Token& token) {
    switch (token.kind) {
        case TokenKind::Word:
            read_word(token);
            break;
        case TokenKind::QuotedName:
            if (has_dot_ && !name_.empty()) {
                add_part(token.text);
                break;
            }
            commit_name();
            if (is_with_ && depth_ == 0) {
                read_with({}, token);
            } else if (expect_ != Expect::Nothing && expect_ != Expect::DdlKind) {
                name_is_ = expect_;
                expect_ = Expect::Nothing;
                add_part(token.text);
            }
            break;
        case TokenKind::Symbol:
            read_symbol(token.text[0]);
            break;
        default:
            commit_name();
            expect_ = Expect::Nothing;
            break;
    }
}

void StatementReader::read_symbol(char symbol) {
    if (symbol == '.' && !name_.empty()) {
        has_dot_ = true;
        return;
    }
    // A function that is selected from is no table.
    if (symbol == '(' && name_is_ == Expect::Source) name_.clear();
    commit_name();
    if (symbol == '(') {
        ++depth_;
        frame() = {};
        expect_ = Expect::Nothing;
    } else if (symbol == ')') {
        if (depth_ > 0) --depth_;
        expect_ = Expect::Nothing;
    } else if (symbol == ',') {
        expect_ = frame().is_list ? Expect::Source : Expect::Nothing;
    } else if (symbol != '*') {
        expect_ = Expect::Nothing;
    }
}

void StatementReader::read_word(const Token& token) {
    if (has_dot_ && !name_.empty()) return add_part(token.text);
    commit_name();
    std::array<char, kMaxKeyword> buffer;
    const std::string_view upper = capitals(token.text, buffer);
    const bool was_distinct = is_after_distinct_;
    is_after_distinct_ = upper == "DISTINCT";
    if (is_with_ && depth_ == 0 && read_with(upper, token)) return;
    if (operation_.empty() && depth_ == 0)
        return begin_statement(upper.empty() ? token.text.substr(0, kMaxKeyword) : upper);
    if (expect_ == Expect::DdlKind) return read_ddl_kind(upper);
    if (expect_ != Expect::Nothing) {
        if (is_one_of(upper, kModifiers)) return;
        const bool is_name = !is_one_of(upper, kReserved);
        name_is_ = expect_;
        expect_ = Expect::Nothing;
        if (is_name) return add_part(token.text);
    }
    if (upper == "FROM" && was_distinct) return;  // IS DISTINCT FROM
    if (upper == "SELECT" || (!frame().is_begun && depth_ > 0 && is_one_of(upper, kVerbs)) ||
        (operation_ == "EXPLAIN" && !frame().is_begun && is_one_of(upper, kVerbs))) {
        add_operation(upper);
        return begin_part(upper);
    }
    if (operation_.empty() && !is_with_) {  // "(SELECT …": parentheses around all of it
        frame().is_begun = true;
        return;
    }
    read_clause(upper);
    if (operation_ != "EXPLAIN") frame().is_begun = true;
}

// Names of common table expressions up to the statement proper. False when that begins.
bool StatementReader::read_with(std::string_view upper, const Token& token) {
    if (is_one_of(upper, kVerbs) || upper == "VALUES" || upper == "TABLE" || upper == "REPLACE") {
        is_with_ = false;
        return false;
    }
    if (upper == "RECURSIVE" || upper == "AS" || upper == "NOT" || upper == "MATERIALIZED") return true;
    if (common_table_count_ < kMaxNames) common_tables_[common_table_count_++] = token.text;
    return true;
}

void StatementReader::begin_statement(std::string_view upper) {
    if (upper == "WITH") {
        is_with_ = true;
        return;
    }
    operation_.assign(upper.substr(0, kMaxOperation));
    add_summary(upper);
    begin_part(upper);
    if (upper == "CREATE" || upper == "ALTER" || upper == "DROP") {
        is_ddl_ = true;
        expect_ = Expect::DdlKind;
    } else if (upper == "TRUNCATE" || upper == "LOCK") {
        expect_ = Expect::Table;
        frame().is_list = true;
    } else if (upper == "COPY" || upper == "TABLE") {
        expect_ = Expect::Table;
    } else if (upper == "CALL" || upper == "EXECUTE") {
        expect_ = Expect::Target;
    } else if (upper == "EXPLAIN") {
        frame().is_begun = false;
    }
}

// A verb: the statement's own, or one inside it.
void StatementReader::begin_part(std::string_view upper) {
    frame().is_begun = true;
    frame().is_list = false;
    frame().awaits_from = upper == "SELECT" || upper == "DELETE" || upper == "UPDATE";
    if (upper == "INSERT" || upper == "UPDATE" || upper == "REPLACE" || upper == "MERGE") expect_ = Expect::Table;
}

void StatementReader::add_operation(std::string_view upper) {
    if (operation_.empty() && !is_with_) operation_.assign(upper);
    add_summary(upper);
}

void StatementReader::read_ddl_kind(std::string_view upper) {
    if (is_one_of(upper, kDdlModifiers)) return;
    expect_ = Expect::Nothing;
    if (upper.empty()) return;
    add_summary(upper);
    is_index_ = upper == "INDEX";
    if (upper == "TABLE" || upper == "VIEW") {
        expect_ = Expect::Table;
        frame().is_list = operation_ == "DROP";
    }
}

void StatementReader::read_clause(std::string_view upper) {
    if (upper == "FROM") {
        if (!frame().awaits_from) return;
        frame().awaits_from = false;
        frame().is_list = true;
        expect_ = Expect::Source;
    } else if (upper == "JOIN" || upper == "STRAIGHT_JOIN") {
        expect_ = Expect::Source;
    } else if (upper == "USING") {
        if (operation_ == "DELETE" || operation_ == "MERGE") expect_ = Expect::Source;
    } else if (upper == "ON") {
        if (is_ddl_ && is_index_) expect_ = Expect::Table;
    } else if (is_one_of(upper, kEndsList)) {
        frame().is_list = false;
    }
}

void StatementReader::add_part(std::string_view part) {
    has_dot_ = false;
    if (name_.size() + part.size() + 1 > kMaxName) return;
    if (!name_.empty()) name_ += '.';
    name_.append(part);
}

void StatementReader::commit_name() {
    has_dot_ = false;
    if (name_.empty()) return;
    const bool is_table = name_is_ == Expect::Table || name_is_ == Expect::Source;
    if (!is_common_table(name_)) {
        add_summary(name_);
        if (is_table && collection_.empty())
            collection_ = name_;
        else if (is_table && collection_ != name_)
            has_several_ = true;
    }
    name_.clear();
}

bool StatementReader::is_common_table(std::string_view name) const {
    return std::any_of(common_tables_.begin(),
                       common_tables_.begin() + static_cast<std::ptrdiff_t>(common_table_count_),
                       [&](std::string_view known) { return equals_ignoring_case(known, name); });
}

// Never a part of a word.
void StatementReader::add_summary(std::string_view word) {
    is_summary_full_ |= summary_.size() + word.size() + 1 > kMaxSummary;
    if (is_summary_full_) return;
    if (!summary_.empty()) summary_ += ' ';
    summary_.append(word);
}

}  // namespace waggle::protocols::sql
