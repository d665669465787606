// SPDX-License-Identifier: Apache-2.0
// FramedSession: for protocols whose messages tell their length and whose answers come in order, several
// to a request maybe (PostgreSQL, MySQL, Redis, Memcached). Payloads are passed over by length; where a
// hole hides where messages begin, the answers under way end by the last bytes (tail) or where the next
// request's answer begins, proven by position. A connection that pipelines over turns and loses bytes is
// passed over until it pauses, as with InOrderSession.
//
// A Codec has the protocol's state of one connection:
//   Request, Response: what an exchange keeps
//   parse(side, bytes, is_final) → Parsed<Unit>: the next piece of framing and how long it is
//   on_request(front, unit, request, options) → RequestEffect
//   on_hole(request) → RequestEffect: an exchange whose rest certainly stands in a hole
//   on_response(front, unit, open) → ResponseEffect; open: the exchanges, first is the next to be answered
//   expected() / forget(): answers that are awaited, and no longer; expectations are numbered by pushed()
//   restart(side): framing was lost, what comes next is a message's beginning
//   forget_names(), if it has it: requests were not seen that may have given names another meaning
//   is_answered(exchange): enough of its answer was seen to say how it went
//   take_unanswered(), if it has it: exchanges at the front that nothing answers
//   prelude(), if it has it: for the session over TLS that follows (protocol.h)
//   passes_hole(), if it has it: is the rest of this turn's requests of one that is open already?
//   is_unasked(bytes), if it has it: do these begin what a server says before it is asked?
//   may_end(tail): can answers end with these last eight bytes?
//   ends_by(tail, due, open): do just these certainly end with the last bytes of what went by uncopied?
//   is_dialogue(): the request that is being answered goes on (COPY, authentication)
//   is_wanted(exchange), open_attributes(request), describe(exchange, info, options, batch, span)
#pragma once

#include <algorithm>
#include <memory>
#include <optional>

#include "protocols/exchange_span.h"
#include "protocols/protocol.h"

namespace waggle::protocols {

// A piece of framing at the head of a stream.
struct Unit {
    std::uint64_t size = 0;  // all of it, payload included; may go beyond what is here
    std::size_t front = 0;   // bytes of it that are handed on
    bool is_cut = false;     // more was wanted than was captured
};

struct RequestEffect {
    enum class Kind : std::uint8_t {
        Nothing,
        Part,    // belongs to an exchange that a later unit opens
        Opens,   // an exchange, from its first part on
        Silent,  // likewise, told only when it fails
        Held,    // likewise, told unless what follows says that it was no call
        Drops,   // what began with parts opens none
        Over,    // the rest of the connection is another's
        Invalid,
    };
    Kind kind = Kind::Nothing;
    bool is_expecting = false;      // pushed an expectation
    std::optional<Cause> why = {};  // it is over
    Next next = Next::Nothing;      // then
    bool drops_held = false;        // no call was what is held either
};

struct ResponseEffect {
    enum class Kind : std::uint8_t {
        Async,    // answers nothing
        Part,     // of the answer to the first open exchange
        Other,    // of an answer that has no exchange
        Invalid,  // cannot stand here
        Over,
    };
    Kind kind = Kind::Async;
    std::size_t finished = 0;       // exchanges that end here
    std::optional<Cause> why = {};  // it is over
    Next next = Next::Nothing;      // then
};

// The first ones that are awaited: answers, and the exchanges that end with them.
struct Due {
    std::size_t expectations;
    std::size_t exchanges;
};

template <typename Codec>
class FramedSession final : public Session {
  public:
    static constexpr std::size_t kMaxOpen = 4096;
    // After this long the event that began an answer may have been lost: its tail tells.
    // Who asked several at once is believed to wait for the answers after so many turns.
    static constexpr std::uint64_t kTrustedTurns = 16;
    static constexpr std::uint64_t kSlowNs = 100'000'000;

    // An answer of which nothing came for so long is whole.
    static constexpr std::uint64_t kRestNs = 1'000'000'000;
    // After so long nothing follows that says what is held to be no call.
    static constexpr std::uint64_t kHoldNs = 1'000'000'000;

    FramedSession(const ConnectionInfo& info, Streams& streams, Direction requests, Codec codec = Codec())
        : codec_(std::move(codec)),
          info_(info),
          requests_(streams.of(requests)),
          responses_(streams.of(opposite(requests))),
          is_received_(requests == Direction::Receive),
          request_direction_(requests) {}

    void on_bytes(Direction direction, Context& context) override {
        if (is_over_) return skip_all();
        if (is_astray_ && !is_found_again(direction, context)) return;
        if (direction == request_direction_) read_requests(context);
        read_responses(context);
        last_ns_ = std::max(requests_.end_ns(), responses_.end_ns());
    }

    void on_tick(Context& context) override {
        if (is_over_) return;
        if (place_in_responses_ != Alignment::Aligned && !is_astray_) read_responses(context);
        if (place_in_responses_ == Alignment::Lost && responses_.end_ns() + kRestNs < context.now_ns)
            finish_rested(context);
        is_slow_ = open_.size() > 0 && open_.front().start_ns + kSlowNs < context.now_ns;
        if (held_since_ns_ && held_since_ns_ + kHoldNs < context.now_ns) decide_held(true, context);
        check_ages(context);
    }

    void on_close(spans::Incomplete reason, Context& context) override {
        if (!is_over_ && !is_astray_) {
            read_requests(context);
            read_responses(context);
            if (place_in_responses_ == Alignment::Lost) finish_rested(context);
            // What their answers lack has gone by unseen.
            if (place_in_responses_ == Alignment::Lost && reason == spans::Incomplete::Closed)
                finish_lost(open_.size(), last_time(context), context);
        }
        decide_held(true, context);
        while (open_.size() > 0) {
            set_incomplete(open_.front(), reason);
            finish(context, last_time(context));
        }
    }

    std::size_t open_exchanges() const override { return unreported() + (held_since_ns_ ? 1 : 0); }
    std::size_t unreported() const override {
        std::size_t count = 0;
        for (std::size_t i = 0; i < open_.size(); ++i)
            count += !open_.at(i).request.is_silent && !open_.at(i).is_reported;
        return count;
    }
    void visit_open(const OpenVisitor&) const override {}
    // Bytes that are not copied may go on with a message, or tell the end of an answer.
    bool wants_tails() const override {
        return place_.is_set || (open_.size() > 0 && open_.front().first_byte_ns != 0) || is_slow_;
    }
    bool is_over() const override { return is_over_; }
    Next next() const override { return next_; }
    std::unique_ptr<Prelude> take_prelude() override {
        if constexpr (requires { codec_.prelude(); })
            return codec_.prelude();
        else
            return nullptr;
    }
    void set_thread(std::uint64_t thread) override { context_ = thread; }
    bool is_pipelined() const override { return is_pipelined_; }

  private:
    using Open = Exchange<Codec>;
    // What responses_' head is: where a message begins; before the place where the first answer to a turn
    // begins; somewhere in an answer whose framing was lost.
    enum class Alignment : std::uint8_t { Aligned, Seeking, Lost };
    // A turn of requests that began with something to be answered.
    struct Turn {
        bool is_known = false;
        std::uint32_t number = 0;
        std::uint64_t position = 0;
        std::uint64_t order = 0;
        std::uint64_t expectations = 0;  // pushed before it
        std::uint64_t exchanges = 0;     // opened before it
    };
    // Where an exchange that is still to be opened began.
    struct Place {
        bool is_set = false;
        std::uint64_t position = 0;
        std::uint64_t order = 0;
        std::uint64_t start_ns = 0;
        std::uint32_t queue_us = 0;
    };

    void skip_all() {
        requests_.skip_to(requests_.end());
        responses_.skip_to(responses_.end());
    }

    void be_over(std::optional<Cause> why, Next next, Context& context) {
        if (why) context.counts.add(*why);
        is_over_ = true;
        next_ = next;
        if (next == Next::Nothing) skip_all();
    }

    static void set_incomplete(Open& exchange, spans::Incomplete reason) {
        if (exchange.incomplete == spans::Incomplete::No) exchange.incomplete = reason;
    }

    void forget_names() {
        if constexpr (requires { codec_.forget_names(); }) codec_.forget_names();
    }

    // The request side and the life of exchanges: below; the response side: framed_responses.h.
    void read_requests(Context& context);
    static bool pass_payload(streams::Stream& stream, std::uint64_t end);
    bool read_request(Context& context);
    void begin_turn(std::uint64_t pushed, std::uint64_t expected);
    void begin_place();
    bool open_exchange(RequestEffect::Kind kind, Context& context);
    void decide_held(bool is_told, Context& context);
    void go_astray(Context& context);
    bool is_found_again(Direction direction, Context& context);

    void read_responses(Context& context);
    bool read_response(Context& context);
    void finish_ended(Context& context);
    std::optional<std::uint64_t> start_of(const Turn& turn) const;
    std::optional<std::uint64_t> next_turn_start() const;
    std::uint64_t known_end() const;
    bool is_newer_awaited() const { return turn_.expectations > codec_.pushed() - codec_.expected(); }
    bool waits_for_answers() const { return !has_pipelined_ && (!is_pipelined_ || waited_turns_ >= kTrustedTurns); }
    bool seek(Context& context);
    bool pass_lost(Context& context);
    bool end_by_tail(Context& context);
    void end_before(std::uint64_t limit, Context& context);
    void finish_rested(Context& context);
    void lose_responses(Context& context);
    void drop_unmatched(std::uint64_t to, Context& context);
    void finish_lost(std::size_t count, std::uint64_t end_ns, Context& context);

    // What nothing answers ends with its request, once it is its turn.
    void finish_unanswered(Context& context) {
        if constexpr (requires { codec_.take_unanswered(); })
            for (std::size_t count = codec_.take_unanswered(); count > 0 && open_.size() > 0; --count)
                finish(context, open_.front().request_end_ns);
    }

    void finish(Context& context, std::uint64_t end_ns) {
        Open& exchange = open_.front();
        exchange.end_ns = std::max(end_ns, exchange.start_ns);
        if (exchange.is_held) {
            close_traces(exchange, info_, context);  // what comes now is not on its behalf
            std::swap(held_.push(), exchange);
        } else if (!exchange.request.is_silent) {
            report(exchange, context);
        } else if (Codec::is_wanted(exchange)) {
            ++context.counts.seen;
            open_traces(exchange, context);
            report(exchange, context);
        }
        open_.pop();
    }

    void report(Open& exchange, Context& context) {
        if (exchange.is_reported) return;
        exchange.is_reported = true;
        spans::SpanBatch& batch = settle_traces(exchange, info_, context);
        spans::Span& span = batch.add();
        fill_span(exchange, info_, span);
        codec_.describe(exchange, info_, context.options, batch, span);
        if (info_.tls && context.options.wants_details) describe_tls(*info_.tls, batch, span);
        ++context.counts.exported;
    }

    void open_traces(Open& exchange, Context& context) {
        if (!context.options.wants_traces) return;
        const Traces::Call call = call_of(exchange, info_, context.now_ns);
        if (info_.role == Role::Server)
            context.traces.open_server(call, exchange.ids);
        else
            context.traces.open_client(call, exchange.ids);
    }

    void check_ages(Context& context) {
        for (std::size_t i = 0; i < open_.size(); ++i) {
            Open& exchange = open_.at(i);
            if (exchange.is_reported || exchange.request.is_silent) continue;
            if (exchange.start_ns + context.options.max_exchange_age_ns >= context.now_ns) continue;
            exchange.incomplete = spans::Incomplete::MaxAge;
            exchange.end_ns = exchange.start_ns + context.options.max_exchange_age_ns;
            report(exchange, context);
        }
    }

    std::uint64_t last_time(const Context& context) const {
        const std::uint64_t last = std::max(requests_.end_ns(), responses_.end_ns());
        return last ? last : context.now_ns;
    }

    Codec codec_;
    const ConnectionInfo& info_;
    streams::Stream& requests_;
    streams::Stream& responses_;
    const bool is_received_;
    const Direction request_direction_;
    OpenExchanges<Codec> open_;
    OpenExchanges<Codec> held_;  // that are answered already
    typename Codec::Request scratch_;
    Turn turn_;  // the newest
    Turn sought_;
    Place place_;
    std::uint64_t opened_ = 0;           // exchanges, all told
    std::uint64_t request_payload_ = 0;  // where the payload that is passed over ends
    std::uint64_t response_payload_ = 0;
    std::uint64_t waited_turns_ = 0;         // that came when everything was answered
    std::optional<std::uint64_t> greeting_;  // where the server spoke before it was asked
    std::size_t finishing_ = 0;              // exchanges that end with that payload
    std::uint64_t context_ = 0;
    std::uint64_t held_since_ns_ = 0;  // the first that is held was sent; 0: none is
    std::uint64_t last_ns_ = 0;        // of the bytes read so far
    bool needs_turn_ = true;           // requests_' head may be anywhere in a message
    bool has_request_gap_ = false;     // since the newest turn requests were lost
    bool is_unproven_ = false;         // Lost: not even that these are bytes of what is awaited is known
    Alignment place_in_responses_ = Alignment::Seeking;
    bool is_pipelined_ = false;   // enough to capture more
    bool has_pipelined_ = false;  // over turns, proven by positions
    bool is_astray_ = false;
    bool is_slow_ = false;
    bool is_over_ = false;
    Next next_ = Next::Nothing;
};

}  // namespace waggle::protocols

#include "protocols/framed_requests.h"
#include "protocols/framed_responses.h"
