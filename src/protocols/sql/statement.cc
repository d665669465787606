// SPDX-License-Identifier: Apache-2.0
#include "protocols/sql/statement.h"

#include "base/strings.h"
#include "protocols/sql/tables.h"

namespace waggle::protocols::sql {
namespace {

// The text as it is told: one blank between tokens, no comments, ? for literals, and lists of IN as one.
class TextWriter {
  public:
    explicit TextWriter(std::string& out) : out_(out) {}

    bool is_full() const { return is_full_; }

    void write(const Token& token) {
        if (is_full_) return;
        follow_list(token);
        if (token.kind == TokenKind::Symbol && token.text == ";") {
            has_semicolon_ = true;  // told only before more
            return;
        }
        if (has_semicolon_) put(";");
        const bool is_first = out_.empty();
        if ((token.has_space_before || has_semicolon_) && !is_first) put(" ");
        has_semicolon_ = false;
        if (token.kind == TokenKind::Literal)
            put("?");
        else
            put_token(token);
        if (list_ == List::Opened) {
            list_ = List::Plain;
            list_begin_ = out_.size();
        }
    }

    void end() {
        if (list_ == List::Plain) collapse();
    }

  private:
    enum class List : std::uint8_t { None, In, Opened, Plain };

    void put(std::string_view text) {
        is_full_ |= out_.size() + text.size() > kMaxText;
        if (!is_full_) out_.append(text);
    }
    void put_token(const Token& token) {
        if (token.kind == TokenKind::QuotedName)
            put(source_.substr(token.begin, token.end - token.begin));
        else
            put(token.text);
    }

    // IN ( literal or parameter, … )
    void follow_list(const Token& token) {
        const char symbol = token.kind == TokenKind::Symbol ? token.text[0] : '\0';
        if (token.kind == TokenKind::Word && equals_ignoring_case(token.text, "in")) {
            list_ = List::In;
        } else if (list_ == List::In) {
            list_ = symbol == '(' ? List::Opened : List::None;
        } else if (list_ == List::Plain) {
            if (symbol == ')') collapse();
            const bool is_element = token.kind == TokenKind::Literal || token.kind == TokenKind::Parameter ||
                                    symbol == ',' || symbol == '-' || symbol == '+';
            if (!is_element) list_ = List::None;
        }
    }

    void collapse() {
        if (out_.size() <= list_begin_) return;
        out_.resize(list_begin_);
        out_ += '?';
    }

  public:
    void set_source(std::string_view source) { source_ = source; }

  private:
    std::string& out_;
    std::string_view source_;
    List list_ = List::None;
    std::size_t list_begin_ = 0;
    bool has_semicolon_ = false;
    bool is_full_ = false;
};

// What several statements in one text have in common (semantic conventions: batches).
struct Batch {
    bool is_same_operation = true;
    bool is_same_summary = true;
    bool is_same_collection = true;
    bool is_same_text = true;
    std::size_t first_text_size = 0;
};

void end_statement(StatementReader& reader, std::string_view text, Facts& facts, Batch& batch) {
    reader.end();
    facts.selects_database |= reader.operation() == "USE";
    if (++facts.statements == 1) {
        facts.operation = reader.operation();
        facts.summary = reader.summary();
        facts.collection.assign(reader.collection());
        batch.first_text_size = text.size();
        return;
    }
    batch.is_same_operation &= facts.operation == reader.operation();
    batch.is_same_summary &= facts.summary == reader.summary();
    batch.is_same_collection &= facts.collection == reader.collection();
    batch.is_same_text &= std::string_view(facts.text).substr(0, batch.first_text_size) == text;
}

void join_batch(const Batch& batch, bool is_sanitized, Facts& facts) {
    if (facts.statements < 2) return;
    const auto prefixed = [](bool is_same, std::string& text, std::size_t limit) {
        if (is_same && !text.empty() && text.size() + 6 <= limit)
            text.insert(0, "BATCH ");
        else
            text = "BATCH";
    };
    prefixed(batch.is_same_operation, facts.operation, kMaxOperation);
    prefixed(batch.is_same_summary, facts.summary, kMaxSummary);
    if (!batch.is_same_collection) facts.collection.clear();
    if (batch.is_same_text && is_sanitized && !facts.is_cut) facts.text.resize(batch.first_text_size);
}

}  // namespace

void Facts::clear() {
    text.clear();
    operation.clear();
    collection.clear();
    summary.clear();
    statements = 0;
    selects_database = is_cut = false;
}

void read_statement(std::string_view text, const Reading& reading, Facts& facts) {
    facts.clear();
    facts.is_cut = reading.is_cut || text.size() > kMaxInput;
    text = text.substr(0, kMaxInput);
    Lexer lexer(text, reading.dialect, reading.has_backslashes);
    TextWriter writer(facts.text);
    writer.set_source(text);
    StatementReader reader;
    reader.start();
    Batch batch;
    bool is_begun = false;
    std::size_t begin = 0;
    for (Token token = lexer.next(); token.kind != TokenKind::End; token = lexer.next()) {
        const bool is_end = token.kind == TokenKind::Symbol && token.text == ";";
        if (!is_begun && !is_end) {
            is_begun = true;
            begin = facts.text.empty() ? 0 : facts.text.size() + 2;  // after "; "
        }
        if (reading.is_sanitized) writer.write(token);
        // A name that is cut off is another one.
        const bool is_name = token.kind == TokenKind::Word || token.kind == TokenKind::QuotedName;
        if (facts.is_cut && is_name && token.end == text.size()) continue;
        if (!is_end) {
            reader.read(token);
        } else if (is_begun) {
            const std::size_t from = std::min(begin, facts.text.size());
            end_statement(reader, std::string_view(facts.text).substr(from), facts, batch);
            reader.start();
            is_begun = false;
        }
    }
    writer.end();
    const std::size_t from = std::min(begin, facts.text.size());
    if (is_begun) end_statement(reader, std::string_view(facts.text).substr(from), facts, batch);
    facts.is_cut |= writer.is_full();
    if (!reading.is_sanitized) {
        facts.is_cut |= text.size() > kMaxText;
        facts.text.assign(trim(text.substr(0, kMaxText)));
    }
    join_batch(batch, reading.is_sanitized, facts);
}

}  // namespace waggle::protocols::sql
