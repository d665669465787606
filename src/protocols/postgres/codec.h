// SPDX-License-Identifier: Apache-2.0
// What one PostgreSQL connection has under way: statements and portals by name, and which answer each
// message awaits. A Query is an exchange up to ReadyForQuery, an Execute with the messages before it is
// one up to its CommandComplete (and the Sync that follows at once). Preparing without executing is told
// only when it fails.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "protocols/database_span.h"
#include "protocols/framed.h"
#include "protocols/postgres/messages.h"
#include "protocols/sql/statement.h"

namespace waggle::protocols::postgres {

class Codec {
    struct Statement;
    using StatementPtr = std::shared_ptr<Statement>;

  public:
    struct Request {
        bool is_silent = false;
        bool has_facts = false;  // it says itself what is executed
        bool has_text = true;    // known or not
        sql::Facts facts;
        StatementPtr statement;  // … or that was prepared before
    };
    struct Response {
        std::array<char, 5> code{};  // SQLSTATE
        bool has_code = false;
        bool is_failed = false;
        bool is_aborted = false;  // an earlier one of its pipeline failed
        std::string command;      // of the tag
        std::int64_t returned_rows = -1;
        void clear();
    };
    using Open = OpenExchanges<Codec>;

    Parsed<Unit> parse(Side side, std::string_view bytes, bool is_final) const;
    RequestEffect on_request(std::string_view front, const Unit& unit, Request& request, const Options& options);
    RequestEffect on_hole(Request& request);
    ResponseEffect on_response(std::string_view front, const Unit& unit, Open& open);
    static bool may_end(std::uint64_t tail);
    bool ends_by(std::uint64_t tail, const Due& due, Open& open) const;

    std::size_t expected() const { return queue_.size() - first_; }
    std::uint64_t pushed() const { return pushed_; }
    void forget(std::size_t count);
    void forget_names();
    bool is_dialogue() const { return is_copying_; }

    void restart(Side) { has_parts_ = false; }
    static bool is_answered(const Exchange<Codec>& exchange) { return exchange.response.is_failed; }
    static bool is_wanted(const Exchange<Codec>& exchange) { return exchange.response.is_failed; }
    void describe(const Exchange<Codec>& exchange, const ConnectionInfo& info, const Options& options,
                  spans::SpanBatch& batch, spans::Span& span) const;

  private:
    static constexpr std::size_t kMaxExpected = 65536;
    static constexpr std::size_t kMaxStatements = 1024;

    enum class Awaits : std::uint8_t { Startup, Ssl, Gss, Query, Parse, Bind, Describe, Close, Execute, Sync };
    struct Statement {
        sql::Facts facts;
        bool is_undone = false;  // was refused, or nobody knows: its name stands for
        StatementPtr instead;    // … this one, or an unknown one
    };
    struct Expected {
        Awaits what;
        bool ends_exchange;
        StatementPtr parsed;    // believed until it is refused, or lost
        StatementPtr replaced;  // what its name stood for before
    };
    using ByName = std::unordered_map<std::string, StatementPtr>;

    const Expected& front() const { return queue_[first_]; }
    bool awaits(Awaits what) const { return expected() > 0 && front().what == what; }
    Expected& push(Awaits what, bool ends_exchange = false);
    Expected pop();
    RequestEffect part(Awaits what, StatementPtr parsed = {}, StatementPtr replaced = {});
    RequestEffect end_parts(bool is_sync, Request& request);
    RequestEffect open_message(std::string_view front);
    RequestEffect start_up(std::string_view body);
    RequestEffect parse_statement(std::string_view body, bool is_cut, const Options& options);
    void bind(std::string_view body);
    bool is_parsed_here(const StatementPtr& statement) const;
    void set_request(const StatementPtr& statement, Request& request) const;
    static const sql::Facts* facts_of(const Request& request);
    static const StatementPtr& now(const StatementPtr& statement);
    StatementPtr find(const ByName& names, std::string_view name) const;
    void keep(ByName& names, std::string_view name, StatementPtr statement);
    void undo(const Expected& step, const StatementPtr& instead);
    sql::Reading reading(const Options& options, bool is_cut) const;

    ResponseEffect on_error(std::string_view body, Open& open);
    ResponseEffect on_complete(std::string_view tag, Open& open);
    ResponseEffect on_ready(Open& open);
    ResponseEffect on_step(Awaits what);
    bool has_owner() const;

    std::vector<Expected> queue_;  // from first_ on
    std::size_t first_ = 0;
    std::uint64_t pushed_ = 0;
    ByName statements_;
    ByName portals_;
    StatementPtr last_;   // of the parts that open no exchange yet
    StatementPtr spare_;  // of no name any more
    std::string database_;
    std::string lookup_;  // scratch
    bool has_parts_ = false;
    bool is_bound_ = false;      // the last of them is a Bind
    bool is_skipping_ = false;   // after an error, until Sync
    bool is_finishing_ = false;  // the first exchange is complete but for its Sync
    bool is_copying_ = false;
    bool has_both_copies_ = false;
    bool has_backslashes_ = false;
};

}  // namespace waggle::protocols::postgres
