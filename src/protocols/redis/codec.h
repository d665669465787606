// SPDX-License-Identifier: Apache-2.0
// What one Redis connection has under way: commands in order, each with one reply; subscriptions, whose
// confirmations and messages come in between; and the database that was selected.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "protocols/database_span.h"
#include "protocols/framed.h"
#include "protocols/redis/resp.h"

namespace waggle::protocols::redis {

class Codec {
  public:
    static constexpr std::int64_t kNoDatabase = -1;
    struct Request {
        bool is_silent = false;
        std::string name;                     // in capitals
        std::string text;                     // the name with ? for each argument
        std::int64_t database = kNoDatabase;  // that SELECT asks for
    };
    struct Response {
        bool is_begun = false;  // what kind of reply it is, is known
        std::string error;      // its prefix
        void clear() { is_begun = false, error.clear(); }
    };
    using Open = OpenExchanges<Codec>;

    Parsed<Unit> parse(Side side, std::string_view bytes, bool is_final) const;
    RequestEffect on_request(std::string_view front, const Unit& unit, Request& request, const Options& options);
    RequestEffect on_hole(Request& request);
    ResponseEffect on_response(std::string_view front, const Unit& unit, Open& open);
    static bool may_end(std::uint64_t tail) { return tail >> 48 == 0x0a0d; }
    static bool ends_by(std::uint64_t, const Due&, const Open&) { return false; }
    void restart(Side side);

    std::size_t expected() const { return queue_.size() - first_; }
    std::uint64_t pushed() const { return pushed_; }
    void forget(std::size_t count);
    bool is_dialogue() const { return false; }

    // On a link of a replica, that is older than the agent.
    static bool is_unasked(std::string_view bytes) { return sniff(bytes, Side::Response) == Sniff::Yes; }
    static bool is_wanted(const Exchange<Codec>&) { return false; }
    static bool is_answered(const Exchange<Codec>& exchange) { return exchange.response.is_begun; }
    void describe(const Exchange<Codec>& exchange, const ConnectionInfo& info, const Options& options,
                  spans::SpanBatch& batch, spans::Span& span) const;

  private:
    static constexpr std::size_t kMaxShown = 8;  // arguments in the text
    static constexpr std::size_t kMaxWord = 32;  // of a command's name

    // Confirmations that a command awaits; 0: an ordinary reply.
    using Confirmations = std::uint32_t;
    enum class Push : std::uint8_t { None, Message, Confirmation };

    RequestEffect on_argument(std::string_view word, Request& request);
    RequestEffect on_inline(std::string_view line, Request& request);
    RequestEffect open(Request& request);
    bool may_greet();
    bool begin(std::string_view word);
    ResponseEffect on_reply(Open& open);
    void on_well_answered(const Request& request);
    void select(std::int64_t database);
    ResponseEffect on_confirmation(Open& open);
    void pop();

    std::vector<Confirmations> queue_;  // from first_ on
    std::size_t first_ = 0;
    std::uint64_t pushed_ = 0;
    std::uint64_t last_selection_ = 0;  // the number of the last that may change the database
    bool has_selects_ = false;          // since the last transaction

    // The command that is read.
    std::uint64_t arguments_ = 0;
    std::uint64_t arguments_left_ = 0;
    std::string name_;
    std::string second_;  // a container's second word, or the number of SELECT
    bool is_container_ = false;

    // The reply that is read.
    Nesting nesting_;
    char type_ = 0;
    bool is_queued_ = false;   // the command is done with its transaction
    bool has_errors_ = false;  // one of its elements is an error
    std::string error_;
    Push push_ = Push::None;
    bool ends_subscription_ = false;
    std::uint64_t element_ = 0;  // of the outermost aggregate

    std::int64_t database_ = 0;
    std::int64_t queued_database_ = kNoDatabase;  // that the transaction selects
    bool is_database_known_ = true;               // unless something was missed
    bool has_selected_ = false;                   // it was seen being selected
    bool is_subscribed_ = false;                  // RESP2: messages are arrays
    bool is_monitoring_ = false;
    enum class Greeting : std::uint8_t { None, Ping, Over };
    Greeting greeting_ = Greeting::None;  // what was asked before anything else
};

}  // namespace waggle::protocols::redis
