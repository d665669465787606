// SPDX-License-Identifier: Apache-2.0
// What one MySQL connection has under way: statements by id, and which answer each command awaits. A
// query or the execution of a prepared statement is an exchange up to the end of its last result.
// Preparing, pings and the like are told only when they fail.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "protocols/database_span.h"
#include "protocols/framed.h"
#include "protocols/mysql/messages.h"
#include "protocols/sql/statement.h"

namespace waggle::protocols::mysql {

class Codec {
  public:
    struct Request {
        bool is_silent = false;
        bool is_known = false;       // what is executed
        bool has_text = false;       // known or not
        std::string_view operation;  // of a command without text
        sql::Facts facts;
    };
    struct Response {
        std::uint16_t code = 0;  // the server's error number
        bool is_failed = false;
        std::int64_t returned_rows = -1;
        void clear() { *this = {}; }
    };
    using Open = OpenExchanges<Codec>;
    // The server's greeting, which comes in the clear.
    struct Greeted : Prelude {
        std::optional<std::uint32_t> capabilities;
        bool is_mariadb = false;
    };

    Codec() = default;
    explicit Codec(const Greeted& greeted)
        : server_capabilities_(greeted.capabilities), is_mariadb_(greeted.is_mariadb) {}
    std::unique_ptr<Prelude> prelude() const;

    Parsed<Unit> parse(Side side, std::string_view bytes, bool is_final) const;
    RequestEffect on_request(std::string_view front, const Unit& unit, Request& request, const Options& options);
    RequestEffect on_hole(Request&) { return {.kind = RequestEffect::Kind::Drops}; }
    bool passes_hole();
    ResponseEffect on_response(std::string_view front, const Unit& unit, Open& open);
    // The server speaks first.
    static bool is_unasked(std::string_view bytes) { return sniff(bytes, Side::Response) == Sniff::Yes; }
    static bool may_end(std::uint64_t tail);
    bool ends_by(std::uint64_t tail, const Due& due, const Open& open) const;

    std::size_t expected() const { return queue_.size() - first_; }
    std::uint64_t pushed() const { return pushed_; }
    void forget(std::size_t count);
    bool is_dialogue() const { return awaits(Awaits::Login) || answer_.state == State::Infile; }

    void restart(Side side);
    static bool is_answered(const Exchange<Codec>& exchange) { return exchange.response.is_failed; }
    static bool is_wanted(const Exchange<Codec>& exchange) { return exchange.response.is_failed; }
    void describe(const Exchange<Codec>& exchange, const ConnectionInfo& info, const Options& options,
                  spans::SpanBatch& batch, spans::Span& span) const;

  private:
    static constexpr std::size_t kMaxExpected = 65536;
    static constexpr std::size_t kMaxStatements = 4096;
    static constexpr std::size_t kMaxDatabase = 128;

    // Nothing: no answer; stands there to tell that the client has gone on.
    enum class Awaits : std::uint8_t { Nothing, Login, Results, Rows, Prepared, Text, Ok };
    struct Statement {
        bool is_known = false;
        sql::Facts facts;
    };
    using StatementPtr = std::shared_ptr<const Statement>;
    struct Expected {
        Awaits what;
        bool ends_exchange = false;
        bool is_ordered = true;       // sequence is known
        std::uint8_t sequence = 0;    // of the request's last packet
        StatementPtr statement;       // that is prepared
        std::string database;         // the session's, once it went well
        bool hides_database = false;  // one of several statements may have changed it
    };
    // How far the answer that is awaited next has come.
    enum class State : std::uint8_t { First, Columns, Rows, Infile, Definitions };
    struct Answer {
        State state = State::First;
        bool is_begun = false;
        bool awaits_eof = false;
        std::uint8_t sequence = 0;
        std::uint32_t results = 0;
        std::uint64_t columns = 0;     // still to be defined
        std::uint64_t parameters = 0;  // likewise
        std::int64_t rows = 0;
    };

    const Expected& front() const { return queue_[first_]; }
    Expected& front() { return queue_[first_]; }
    bool awaits(Awaits what) const { return expected() > 0 && front().what == what; }
    Expected& push(Awaits what, bool ends_exchange);
    void push_nothing();
    void pop();

    RequestEffect on_login(const Packet& packet);
    RequestEffect on_command(const Packet& packet, const Unit& unit, Request& request, const Options& options);
    std::optional<RequestEffect> greet(std::string_view text);
    RequestEffect query(std::string_view body, bool is_cut, Request& request, const Options& options);
    RequestEffect prepare(std::string_view text, bool is_cut, Request& request, const Options& options);
    RequestEffect execute(std::string_view body, Request& request);
    RequestEffect fetch(Request& request);
    RequestEffect silent(Awaits what, Request& request, std::string_view operation);
    RequestEffect change_user(std::string_view body);
    sql::Reading reading(const Options& options, bool is_cut) const;

    bool follows(const Packet& packet);
    bool is_late_eof(const Packet& packet);
    ResponseEffect on_unasked(const Packet& packet);
    ResponseEffect on_login_answer(const Packet& packet);
    ResponseEffect on_first(const Packet& packet, Open& open);
    ResponseEffect on_column(const Packet& packet, Open& open);
    ResponseEffect on_row(const Packet& packet, Open& open);
    ResponseEffect on_prepared(const Packet& packet, Open& open);
    ResponseEffect on_definition(const Packet& packet);
    ResponseEffect begin_result(const Packet& packet);
    ResponseEffect end_result(std::uint16_t status, bool has_rows, Open& open);
    ResponseEffect on_ok(const Packet& packet, Open& open);
    ResponseEffect on_error(const Packet& packet, Open& open);
    ResponseEffect end_answer();
    ResponseEffect part() const;
    void keep(std::uint32_t id, StatementPtr statement);
    bool has(std::uint32_t capability) const { return capabilities_.value_or(0) & capability; }

    std::vector<Expected> queue_;  // from first_ on
    std::size_t first_ = 0;
    std::uint64_t pushed_ = 0;
    Answer answer_;
    std::unordered_map<std::uint32_t, StatementPtr> statements_;
    StatementPtr last_prepared_;
    std::string database_;
    std::optional<std::uint32_t> server_capabilities_;
    std::optional<std::uint32_t> capabilities_;  // of both; unknown when the login was not seen
    std::optional<bool> has_ok_ends_;            // rows end with OK, not with EOF
    bool is_mariadb_ = false;
    bool has_backslashes_ = true;
    bool has_commands_ = false;          // the login is over
    std::uint8_t greeted_ = 0;           // so many commands were what a replica begins with
    bool may_be_replica_ = false;        // no other was
    bool is_request_continued_ = false;  // in the next packet
    bool is_response_continued_ = false;
    bool is_sending_file_ = false;
    bool may_have_late_eof_ = false;  // an answer was whole, but for an EOF if there are any
    std::uint8_t late_sequence_ = 0;
};

}  // namespace waggle::protocols::mysql
