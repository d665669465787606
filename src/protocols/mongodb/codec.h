// SPDX-License-Identifier: Apache-2.0
// What one MongoDB connection has under way: commands in order, each answered by one message, by several
// (exhaust), or by none (unacknowledged writes). Answers name the message that they answer.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "protocols/framed.h"
#include "protocols/mongodb/messages.h"

namespace waggle::protocols::mongodb {

class Codec {
  public:
    struct Request {
        bool is_silent = false;
        std::string name;
        std::string collection;
        std::string database;
        std::string title;    // name and collection
        bool is_cut = false;  // its database was not captured
    };
    struct Response {
        bool is_begun = false;
        bool is_known = false;  // how it went
        std::string error;
        void clear() { is_begun = is_known = false, error.clear(); }
    };
    using Open = OpenExchanges<Codec>;

    Parsed<Unit> parse(Side side, std::string_view bytes, bool is_final) const;
    RequestEffect on_request(std::string_view front, const Unit& unit, Request& request, const Options& options);
    RequestEffect on_hole(Request&) { return {.kind = RequestEffect::Kind::Drops}; }
    ResponseEffect on_response(std::string_view front, const Unit& unit, Open& open);
    static bool may_end(std::uint64_t) { return true; }
    static bool ends_by(std::uint64_t, const Due&, const Open&) { return false; }
    // Exchanges at the front that nothing answers.
    std::size_t take_unanswered();
    void restart(Side) {}

    std::size_t expected() const { return queue_.size() - first_; }
    std::uint64_t pushed() const { return pushed_; }
    void forget(std::size_t count);
    bool is_dialogue() const { return false; }

    static bool is_wanted(const Exchange<Codec>& exchange) { return !exchange.response.error.empty(); }
    static bool is_answered(const Exchange<Codec>& exchange) { return exchange.response.is_known; }
    void describe(const Exchange<Codec>& exchange, const ConnectionInfo& info, const Options& options,
                  spans::SpanBatch& batch, spans::Span& span) const;

  private:
    struct Expected {
        std::int32_t id;
        bool is_unanswered;
    };

    void pop();

    std::vector<Expected> queue_;  // from first_ on
    std::size_t first_ = 0;
    std::uint64_t pushed_ = 0;
    // FerretDB answers writes that ask for no answer: the newest of them.
    std::array<std::int32_t, 16> unanswered_{};
    std::size_t unanswered_count_ = 0;
};

}  // namespace waggle::protocols::mongodb
