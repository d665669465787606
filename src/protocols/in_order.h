// SPDX-License-Identifier: Apache-2.0
// InOrderSession: pairs requests and responses of a protocol that answers in order (pipelining
// included). Pairs are proven by position, not by turn of arrival: a response cannot stand before the
// place where its request was read (server), nor in bytes received before it was sent (client).
//
// A Codec gives:  Request, Response, Body types;
//   parse_request / parse_response(bytes, is_final, head&) → Parsed<size>
//   begin_request(request, position, body&)
//   Reply begin_response(request, response, position, body&)
//   is_tunnel(request): what follows Reply::Switch is someone else's connection, through this one
//   switches_to(request, response) → the protocol that follows Reply::Switch, null for none of ours
//   describe(exchange, info, options, batch, span)
//   add_content(request, bytes), add_content(request, response, bytes), if it has them: what contents begin with
//   kLeastRequest: no request is shorter
//   open_attributes(request) → what the gauge of open exchanges says of it
//   may_withhold(request), goes_on(response), after_answer(bytes, is_final, body), if a body may wait for leave
#pragma once

#include <algorithm>
#include <memory>
#include <optional>

#include "protocols/exchange_span.h"
#include "protocols/protocol.h"

namespace waggle::protocols {

template <typename Codec>
class InOrderSession final : public Session {
  public:
    static constexpr std::size_t kMaxOpen = 4096;
    // Every capture rule lets more of a message through: what ends before was lost.
    static constexpr std::size_t kLeastCapture = 2048;
    // After this long the event that began an answer may have been lost: its tail tells.
    static constexpr std::uint64_t kSlowNs = 100'000'000;
    InOrderSession(const ConnectionInfo& info, Streams& streams, Direction requests)
        : info_(info),
          requests_(streams.of(requests)),
          responses_(streams.of(opposite(requests))),
          is_received_(requests == Direction::Receive),
          request_direction_(requests) {}

    void on_bytes(Direction direction, Context& context) override {
        if (is_over_) return handover_ ? void() : skip_all();
        if (is_astray_ && !is_found_again(direction, context)) return;
        if (direction == request_direction_ || withheld_ != Withheld::No) read_requests(context);
        read_responses(context);
        last_ns_ = std::max(requests_.end_ns(), responses_.end_ns());
    }

    void on_tick(Context& context) override {
        if (is_over_) return;
        if (responding_ || reading_body_) on_bytes(request_direction_, context);
        is_slow_ = open_.size() > 0 && open_.front().start_ns + kSlowNs < context.now_ns;
        check_ages(context);
    }

    void on_close(spans::Incomplete reason, Context& context) override {
        if (!is_over_ && !is_astray_) {
            read_requests(context);
            read_responses(context);
            if (open_.size() == 0) drop_unmatched(context, responses_.end());
        }
        while (open_.size() > 0) {
            set_incomplete(open_.front(), reason);
            finish(context, last_time(context));
        }
    }

    std::size_t open_exchanges() const override { return open_.size(); }
    std::size_t unreported() const override {
        std::size_t count = 0;
        for (std::size_t i = 0; i < open_.size(); ++i) count += !open_.at(i).is_reported;
        return count;
    }
    void visit_open(const OpenVisitor& visit) const override {
        for (std::size_t i = 0; i < open_.size(); ++i) visit(Codec::open_attributes(open_.at(i).request));
    }
    bool wants_tails() const override {
        return responding_ || (reading_body_ && withheld_ == Withheld::No) || is_slow_;
    }
    bool is_over() const override { return is_over_; }
    Next next() const override { return next_; }
    std::unique_ptr<Handover> take_handover() override { return std::move(handover_); }
    void set_thread(std::uint64_t thread) override { context_ = thread; }
    bool is_pipelined() const override { return is_pipelined_; }

  private:
    using Open = Exchange<Codec>;
    static constexpr bool kMayWithhold = requires(const Codec::Request& request) { Codec::may_withhold(request); };
    // Of the request that is being read, as far as is known: its body is there or on its way; waits for leave; was
    // answered while it waited, and the client may send it all the same.
    enum class Withheld : std::uint8_t { No, Waits, Answered };

    void skip_all() {
        requests_.skip_to(requests_.end());
        responses_.skip_to(responses_.end());
    }

    static void set_incomplete(Open& exchange, spans::Incomplete reason) {
        if (exchange.incomplete == spans::Incomplete::No) exchange.incomplete = reason;
    }

    static void note_hole(Open& exchange, Context& context) {
        context.counts.add(Cause::Hole);
        set_incomplete(exchange, spans::Incomplete::Hole);
    }

    // Bytes are missing where several exchanges are in flight: nobody can tell which answer is whose.
    void go_astray(Context& context) {
        context.counts.add(Cause::Hole, open_.size());
        while (open_.size() > 0) {
            set_incomplete(open_.front(), spans::Incomplete::Hole);
            finish(context, std::max(open_.front().end_ns, open_.front().request_end_ns));
        }
        reading_body_ = is_aligned_ = false;
        withheld_ = Withheld::No;
        needs_turn_ = true;
        is_astray_ = true;
        skip_all();
    }

    // After a pause nothing is in flight any more.
    bool is_found_again(Direction direction, Context& context) {
        constexpr std::uint64_t kPauseNs = 1'000'000'000;
        const bool is_request = direction == request_direction_ && !requests_.is_empty();
        if (is_request && requests_.is_at_turn_start() && requests_.first_ns() > last_ns_ + kPauseNs) {
            is_astray_ = false;
            return true;
        }
        if (is_request) context.counts.add(Cause::Hole);
        skip_all();
        last_ns_ = std::max(requests_.end_ns(), responses_.end_ns());
        return false;
    }

    void read_requests(Context& context) {
        for (;;) {
            if (is_over_ || is_astray_) return;
            if (withheld_ != Withheld::No && !settle_withheld(context)) return;
            if (reading_body_ && !read_request_body(context)) return;
            if (requests_.is_empty()) return;
            if (needs_turn_ && !requests_.is_at_turn_start() && !requests_.skip_to_next_turn()) return;
            needs_turn_ = false;
            if (requests_.hole()) {
                if (!pass_hole(context)) return;
                continue;
            }
            if (const std::size_t blank = Codec::blank_before_request(requests_.bytes())) {
                requests_.consume(blank);
                continue;
            }
            if (!read_request_head(context)) return;
        }
    }

    // A body that waits for leave, and the client's next bytes: they are it, or the request after it. False: nothing
    // can be read now.
    bool settle_withheld(Context& context) {
        if constexpr (kMayWithhold) {
            if (requests_.is_empty()) return false;
            // In a turn of its own it stands after something that the other side has said.
            if (withheld_ == Withheld::Waits && requests_.is_at_turn_start()) {
                read_responses(context);
                if (is_over_ || is_astray_) return false;
                if (withheld_ == Withheld::Waits) {
                    // Its event may come after this one's; else it is lost, or no more than a part of an answer.
                    if (is_received_ && responses_.end() < requests_.order()) return false;
                    withheld_ = Withheld::Answered;
                }
            }
            const bool is_gap = requests_.hole() && requests_.is_gap_at(requests_.head());
            Continuation next = Continuation::Body;
            if (withheld_ == Withheld::Answered && (is_gap || requests_.is_at_turn_start()))
                next = is_gap ? Continuation::Unsure
                              : Codec::after_answer(requests_.bytes(), requests_.is_cut() || requests_.is_closed(),
                                                    request_body_);
            if (next == Continuation::NeedMore) return false;
            withheld_ = Withheld::No;
            if (next == Continuation::Body) return true;
            using Kind = Codec::Body::Kind;
            request_body_.start(next == Continuation::Request ? Kind::None : Kind::Lost, requests_.head(), 0);
            end_request();
            if (next == Continuation::Request) return true;
            context.counts.add(Cause::Hole);
            needs_turn_ = true;
            return requests_.skip_to_next_turn();
        }
        return true;
    }

    // False when there is more of it to come, or nothing can be read after it.
    bool read_request_body(Context& context) {
        if constexpr (requires(Open& open) { Codec::add_content(open.request, std::string_view()); }) {
            if (open_.size() > 0) {
                auto& request = open_.at(open_.size() - 1).request;
                Codec::add_content(request, front_of(requests_, request_body_, request.content));
            }
        }
        const auto turn = requests_.turn_after(request_body_.start());
        const std::uint64_t next = requests_.is_at_turn_start() ? requests_.head() : turn.value_or(requests_.end());
        const bool is_ended = request_body_.advance(requests_, turn);
        if (requests_.head() > next) {
            // Something was answered in its midst: no turn need begin with the next head.
            is_early_ = true;
            is_pipelined_ |= open_.size() == 0 || open_.at(open_.size() - 1).has_response;
        }
        if (!is_ended) return false;
        end_request();
        if (!request_body_.is_end_guessed()) return true;
        // It may go on where the turn begins.
        context.counts.add(Cause::Hole);
        go_astray(context);
        return false;
    }

    // What stands at the head and follows on what was kept of the body; empty when something is missing between.
    static std::string_view front_of(const streams::Stream& stream, const typename Codec::Body& body,
                                     std::string_view kept) {
        const std::string_view bytes = stream.bytes();
        const std::uint64_t before = stream.head() - body.start();
        if (stream.head() < body.start() || before > kept.size() || kept.size() - before > bytes.size()) return {};
        return bytes.substr(kept.size() - before);
    }

    bool pass_hole(Context& context) {
        // Too short for a request: urgent data, which is not read in line.
        if (requests_.hole() < Codec::kLeastRequest && !has_pipelined_) {
            requests_.consume(requests_.hole());
            needs_turn_ = true;
            return true;
        }
        context.counts.add(Cause::Hole);
        // A head that went by beyond the rule: its body may go on in turns to come.
        const bool is_in_turn = !requests_.is_gap_at(requests_.head()) && !requests_.is_at_turn_start();
        if (is_in_turn || is_early_) {
            go_astray(context);
            return false;
        }
        // What is missing belongs to the turn of the request before: there were several in it.
        const std::uint32_t turn = requests_.turn_before();
        needs_turn_ = true;
        const bool is_found = requests_.skip_to_next_turn();
        if (has_pipelined_ || (is_found && turn && requests_.turn() == turn + 1)) {
            go_astray(context);
            return false;
        }
        return is_found;
    }

    // False when there is nothing more to read now.
    bool read_request_head(Context& context) {
        const std::string_view bytes = requests_.bytes();
        const bool is_final = requests_.is_cut() || requests_.is_closed();
        const auto size = Codec::parse_request(bytes, is_final, scratch_request_);
        if (!size) {
            if (size.error() == Stop::NeedMore && !is_final) return false;
            // Of one that had only begun when the connection was closed nobody was asked.
            const bool has_begun = !requests_.is_cut() && Codec::parse_request(bytes, false, scratch_request_) ==
                                                              std::unexpected(Stop::NeedMore);
            if (!has_begun) context.counts.add(Cause::ParseInvalid);
            needs_turn_ = true;
            if (has_pipelined_) go_astray(context);
            return requests_.skip_to_next_turn();
        }
        // Several requests in flight: their answers may share a turn, of which the rule sees the front only.
        has_pipelined_ |= !is_received_ && last_response_order_ > requests_.head();
        if (open_.size() > 0) {
            has_pipelined_ |= is_received_ && requests_.order() == open_.at(open_.size() - 1).request_order;
            if (is_being_answered(open_.at(open_.size() - 1)))
                leave_threads(context);
            else
                is_pipelined_ = true;
        }
        if (open_.size() >= kMaxOpen) {
            give_up(context);
            return false;
        }
        Open& exchange = open_.push();
        std::swap(exchange.request, scratch_request_);
        exchange.request_position = requests_.head();
        exchange.request_order = requests_.order();
        exchange.start_ns = requests_.first_ns();
        exchange.queue_us = requests_.queue_us();
        exchange.request_end_ns = requests_.time_before(requests_.head() + *size);
        exchange.thread = info_.threads_are_contexts ? context_ : 0;
        exchange.process = info_.process;
        ++context.counts.seen;
        if (Codec::is_cut(exchange.request)) context.counts.add(Cause::RuleCut);
        requests_.consume(*size);
        Codec::begin_request(exchange.request, requests_.head(), request_body_);
        reading_body_ = true;
        if constexpr (kMayWithhold) withheld_ = Codec::may_withhold(exchange.request) ? Withheld::Waits : Withheld::No;
        open_traces(exchange, info_, context);
        if (has_pipelined_ && Codec::is_cut(exchange.request)) go_astray(context);  // it may end in a turn's midst
        return !is_astray_;
    }

    // Before the request at the head of the stream came. Only where the answer ended is not known yet,
    // when it went beyond the rule: that the peer goes on says that it has.
    bool is_being_answered(const Open& exchange) const {
        return exchange.has_response || (is_received_ && requests_.order() > exchange.request_order);
    }

    // What was served before on this connection is not what its threads do from now on.
    void leave_threads(Context& context) {
        if (!context.options.wants_traces || info_.role != Role::Server) return;
        for (std::size_t i = 0; i < open_.size(); ++i)
            context.traces.close_server(call_of(open_.at(i), info_, context.now_ns), open_.at(i).ids);
    }

    // More requests in flight than are kept: without one of them the answers cannot be told apart.
    void give_up(Context& context) {
        context.counts.add(Cause::QueueFull);
        while (open_.size() > 0) {
            set_incomplete(open_.front(), spans::Incomplete::Hole);
            finish(context, last_time(context));
        }
        is_over_ = true;
        skip_all();
    }

    void end_request() {
        reading_body_ = false;
        if (open_.size() == 0) return;
        Open& exchange = open_.at(open_.size() - 1);
        exchange.is_request_done = true;
        exchange.request_body = request_body_.size();
        exchange.is_request_body_known = request_body_.is_size_known();
        if (request_body_.end_ns()) exchange.request_end_ns = request_body_.end_ns();
    }

    // The response side: in_order_responses.h.
    void read_responses(Context& context);
    std::optional<std::uint64_t> response_start(const Open& exchange) const;
    std::optional<std::uint64_t> next_response_start();
    std::optional<std::uint64_t> response_limit();
    bool read_response_head(Context& context);
    void switch_over(Context& context, std::uint64_t end_ns);
    void lose_response();
    bool pass_lost_response(Context& context);
    void end_response(Context& context);

    // Gives the front exchange out as a span and forgets it.
    void finish(Context& context, std::uint64_t end_ns) {
        Open& exchange = open_.front();
        exchange.end_ns = std::max(end_ns, exchange.start_ns);
        if (withheld_ == Withheld::Waits && open_.size() == 1) withheld_ = Withheld::Answered;
        report(exchange, info_, context);
        responding_ = false;
        open_.pop();
    }

    void drop_unmatched(Context& context, std::uint64_t to) {
        if (responses_.head() >= to) return;
        if (responses_.is_at_turn_start()) context.counts.add(Cause::Unmatched);  // once a turn
        responses_.skip_to(to);
        is_aligned_ = false;
    }

    void check_ages(Context& context) {
        for (std::size_t i = 0; i < open_.size(); ++i) check_age(open_.at(i), info_, context);
    }

    std::uint64_t last_time(const Context& context) const {
        const std::uint64_t last = std::max(requests_.end_ns(), responses_.end_ns());
        return last ? last : context.now_ns;
    }

    const ConnectionInfo& info_;
    streams::Stream& requests_;
    streams::Stream& responses_;
    const bool is_received_;
    const Direction request_direction_;
    OpenExchanges<Codec> open_;
    typename Codec::Request scratch_request_;
    typename Codec::Body request_body_;
    typename Codec::Body response_body_;
    std::uint64_t context_ = 0;
    bool reading_body_ = false;
    bool responding_ = false;
    Withheld withheld_ = Withheld::No;
    bool needs_turn_ = true;  // requests_' head may be anywhere in a message
    bool is_over_ = false;
    Next next_ = Next::Nothing;
    bool is_slow_ = false;        // the front is open for long
    bool is_pipelined_ = false;   // as far as can be told at once: enough to capture more
    bool has_pipelined_ = false;  // proven by positions
    bool is_early_ = false;       // bytes of a request have stood after the beginning of its answer
    bool is_aligned_ = true;      // nothing is missing between the message before and responses_' head
    bool has_responses_ = false;
    std::uint64_t last_response_order_ = 0;
    bool is_astray_ = false;
    std::unique_ptr<Handover> handover_;
    std::uint64_t last_ns_ = 0;  // of the bytes read so far
};

}  // namespace waggle::protocols

#include "protocols/in_order_responses.h"
