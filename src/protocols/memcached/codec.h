// SPDX-License-Identifier: Apache-2.0
// What one Memcached connection has under way. Quiet commands are answered only when they have something
// to say: they end with the first answer to what came after them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "protocols/database_span.h"
#include "protocols/framed.h"
#include "protocols/memcached/messages.h"

namespace waggle::protocols::memcached {

class Codec {
  public:
    struct Request {
        bool is_silent = false;
        bool ends_itself = false;  // nothing answers it
        std::string_view name;
    };
    struct Response {
        bool is_begun = false;
        std::string error;
        void clear() { is_begun = false, error.clear(); }
    };
    using Open = OpenExchanges<Codec>;

    Parsed<Unit> parse(Side side, std::string_view bytes, bool is_final) const;
    RequestEffect on_request(std::string_view front, const Unit& unit, Request& request, const Options& options);
    RequestEffect on_hole(Request&) { return {.kind = RequestEffect::Kind::Drops}; }
    ResponseEffect on_response(std::string_view front, const Unit& unit, Open& open);
    bool may_end(std::uint64_t tail) const { return tail >> 48 == 0x0a0d || at(0).answer == Answer::Binary; }
    bool ends_by(std::uint64_t tail, const Due& due, const Open& open) const;
    // Exchanges at the front that nothing answers.
    std::size_t take_unanswered();
    void restart(Side) {}

    std::size_t expected() const { return queue_.size() - first_; }
    std::uint64_t pushed() const { return pushed_; }
    void forget(std::size_t count);
    bool is_dialogue() const { return false; }

    static bool is_wanted(const Exchange<Codec>&) { return false; }
    static bool is_answered(const Exchange<Codec>& exchange) { return exchange.response.is_begun; }
    void describe(const Exchange<Codec>& exchange, const ConnectionInfo& info, const Options& options,
                  spans::SpanBatch& batch, spans::Span& span) const;

  private:
    struct Expected {
        Answer answer;
        bool is_quiet;
        std::uint8_t opcode;
        std::uint32_t number;
        std::string opaque;
    };

    const Expected& at(std::size_t index) const { return queue_[first_ + index]; }
    void pop();
    ResponseEffect end(std::size_t count);
    ResponseEffect on_line(std::string_view line, Open& open);
    ResponseEffect on_quiet_line(std::string_view word, std::string_view rest, Open& open);
    ResponseEffect on_binary(std::string_view header, Open& open);
    void fail(std::size_t index, std::string_view error, Open& open);

    std::vector<Expected> queue_;  // from first_ on
    std::size_t first_ = 0;
    std::uint64_t pushed_ = 0;
};

}  // namespace waggle::protocols::memcached
