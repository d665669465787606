// SPDX-License-Identifier: Apache-2.0
// What telemetry says of an SQL text (OpenTelemetry database conventions): operation, tables, summary,
// and the text itself with its literals replaced. Bounded work and memory; the strings of Facts are reused.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "protocols/sql/lexer.h"

namespace waggle::protocols::sql {

inline constexpr std::size_t kMaxInput = 8192;   // of a text is read
inline constexpr std::size_t kMaxText = 2048;    // of it is told
inline constexpr std::size_t kMaxSummary = 255;  // semantic conventions
inline constexpr std::size_t kMaxOperation = 64;

struct Facts {
    std::string text;
    std::string operation;   // upper case: SELECT, BATCH INSERT; empty: unknown
    std::string collection;  // the table, when there is one
    std::string summary;     // SELECT users orders
    std::uint32_t statements = 0;
    bool selects_database = false;  // one of them is USE
    bool is_cut = false;            // text or input went on

    void clear();
};

struct Reading {
    Dialect dialect = Dialect::PostgreSql;
    bool has_backslashes = false;
    bool is_cut = false;       // the text goes on beyond what is here
    bool is_sanitized = true;  // literals become ?
};

void read_statement(std::string_view text, const Reading& reading, Facts& facts);

}  // namespace waggle::protocols::sql
