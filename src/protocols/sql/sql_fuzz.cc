// SPDX-License-Identifier: Apache-2.0
// Any text as SQL of either dialect: bounded, within its bytes, and no literal is left, also when what was
// sanitized is read again.
#include <cstdlib>
#include <string>
#include <vector>

#include "protocols/sql/statement.h"

namespace {

using namespace waggle::protocols::sql;

void require(bool is_true) {
    if (!is_true) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0) return 0;
    const std::vector<char> text(data + 1, data + size);
    Reading reading{.dialect = data[0] & 1 ? Dialect::MySql : Dialect::PostgreSql,
                    .has_backslashes = (data[0] & 2) != 0};
    Facts facts;
    read_statement({text.data(), text.size()}, reading, facts);
    require(facts.text.size() <= kMaxText && facts.summary.size() <= kMaxSummary &&
            facts.operation.size() <= kMaxOperation);
    // In MySQL two dashes begin a comment only before a blank, which stands there now maybe.
    if (reading.dialect == Dialect::MySql && facts.text.find("--") != std::string::npos) return 0;
    // No string is left outside of quoted names.
    Lexer lexer(facts.text, reading.dialect, reading.has_backslashes);
    for (Token token = lexer.next(); token.kind != TokenKind::End; token = lexer.next())
        require(token.kind != TokenKind::Literal);
    if (facts.is_cut || facts.statements > 1) return 0;
    Facts again;
    read_statement(facts.text, reading, again);
    require(again.text.size() <= facts.text.size());
    return 0;
}
