// SPDX-License-Identifier: Apache-2.0
// TwoWaySession: for protocols of frames in which either end speaks when it likes, or answers come by ids in any order
// (NATS, MQTT, DNS over TCP). Frames are read one by one and passed over by their lengths, copied or not. Where a hole
// hides where one begins, the direction is read again from a turn that begins with one.
//
// A protocol derives from it and says:
//   parse(half, bytes, is_final): how long the next frame is, and how many bytes of it are wanted
//   on_frame(half, front, unit): what its front says; half.ends: the exchange that ends when the frame has gone by
//   on_whole(half, key): that has happened
//   on_lost(half): frames of this direction are missing
#pragma once

#include <algorithm>
#include <expected>
#include <utility>

#include "protocols/framed.h"
#include "protocols/half.h"
#include "protocols/keyed.h"

namespace waggle::protocols {

template <typename T>
using Parsed = std::expected<T, Stop>;

// Codec::Key is a number: exchanges are numbered as they come.
template <typename Codec>
class TwoWaySession : public KeyedSession<Codec> {
  public:
    using Key = typename Codec::Key;
    using Open = Exchange<Codec>;

    TwoWaySession(const ConnectionInfo& info, Streams& streams, Direction requests)
        : KeyedSession<Codec>(info),
          requests_(info, streams, requests, Side::Request),
          responses_(info, streams, opposite(requests), Side::Response) {
        // Who was recognised begins with a frame.
        requests_.is_lost = false;
    }

    void on_bytes(Direction, Context& context) override {
        if (is_over_) return skip_all();
        read(requests_, context);
        read(responses_, context);
        // What waited for the other direction.
        if (!requests_.stream.is_empty()) read(requests_, context);
    }

    void on_close(spans::Incomplete reason, Context& context) override {
        is_closing_ = true;
        if (!is_over_) on_bytes(Direction::Send, context);
        before_end(context);
        end_all(reason, context);
    }

    bool wants_tails() const override {
        const auto waits = [](const Half& half) {
            return half.passed_to > half.stream.end() || !half.stream.is_empty();
        };
        return KeyedSession<Codec>::wants_tails() || waits(requests_) || waits(responses_);
    }
    bool is_pipelined() const override { return true; }
    bool is_over() const override { return is_over_; }
    Next next() const override { return next_; }

  protected:
    struct Half : protocols::Half {
        Half(const ConnectionInfo& info, Streams& streams, Direction direction, Side its_side)
            : protocols::Half(streams.of(direction), its_side, !is_from_start(info, direction)),
              is_received(direction == Direction::Receive) {}
        bool is_received;
        Key ends = 0;

        std::uint64_t now_ns() const { return stream.first_ns(); }
    };

    virtual Parsed<Unit> parse(const Half& half, std::string_view bytes, bool is_final) = 0;
    virtual void on_frame(Half& half, std::string_view front, const Unit& unit, Context& context) = 0;
    virtual void on_whole(Half& half, Key key, Context& context) = 0;
    virtual void on_lost(Half& half, Context& context) = 0;
    // Nothing more will come.
    virtual void before_end(Context&) {}
    // Are these bytes of something whose end tells itself, and nothing else?
    virtual bool passes_hole(const Half&) const { return false; }

    // An exchange that begins with the frame at the head of this half.
    Open& open_here(const Half& half, Context& context) {
        Open& exchange = this->open(++last_key_, context);
        exchange.request_position = half.stream.head();
        exchange.request_order = half.stream.order();
        exchange.start_ns = exchange.request_end_ns = half.stream.first_ns();
        exchange.queue_us = half.is_answer() ? 0 : half.stream.queue_us();
        return exchange;
    }
    Key last_key() const { return last_key_; }

    // It is answered by the frame at the head of this half.
    static void answer_here(Open& exchange, const Half& half) {
        exchange.has_response = true;
        exchange.first_byte_ns = half.stream.first_ns();
        exchange.response_position = half.stream.head();
    }

    void drop(Key key, spans::Incomplete reason, Context& context) {
        Open* const exchange = this->open_.find(key);
        if (!exchange) return;
        this->set_incomplete(*exchange, reason);
        this->finish(key, *exchange, context, std::max(exchange->request_end_ns, exchange->start_ns));
    }

    // The rest of the connection is another's.
    void be_over(Next next = Next::Nothing) {
        is_over_ = true;
        next_ = next;
        requests_.pass();
        responses_.pass();
    }

    // Those that still wait end with the newest bytes.
    void end_all(spans::Incomplete reason, Context& context) {
        const std::uint64_t last = std::max(requests_.stream.end_ns(), responses_.stream.end_ns());
        while (this->open_.size() > 0) {
            const auto [key, exchange] = this->open_.entries().front();
            const std::uint64_t start_ns = exchange->start_ns;
            if (reason == spans::Incomplete::Closed &&
                (requests_.has_missed(start_ns) || responses_.has_missed(start_ns))) {
                context.counts.add(Cause::Hole);
                this->set_incomplete(*exchange, spans::Incomplete::Hole);
            }
            this->set_incomplete(*exchange, reason);
            this->finish(key, *exchange, context, last ? last : context.now_ns);
        }
    }

    Half requests_;
    Half responses_;

  private:
    static constexpr std::uint64_t kNoLimit = UINT64_MAX;

    void skip_all() {
        requests_.stream.skip_to(requests_.stream.end());
        responses_.stream.skip_to(responses_.stream.end());
    }

    // What this end has sent may be reported after what it was answered.
    bool is_late(const Half& half) const {
        const Half& other = half.is_answer() ? requests_ : responses_;
        return half.is_received &&
               half.stream.order() > (is_closing_ ? order_limit_ : std::min(order_limit_, other.stream.end()));
    }

    // What this end had sent before it received what is read next; what it had received before it sent that, and what
    // waited for something that was never reported.
    void read_before(const Half& half, Context& context) {
        Half& other = half.is_answer() ? requests_ : responses_;
        if (other.stream.is_empty()) return;
        if (half.is_received) {
            if (other.stream.head() >= half.stream.order()) return;
            sent_limit_ = half.stream.order();
            read(other, context);
            sent_limit_ = kNoLimit;
            return;
        }
        if (other.stream.order() == 0 || other.stream.order() > half.stream.head()) return;
        order_limit_ = half.stream.head();
        read(other, context);
        order_limit_ = kNoLimit;
    }

    void read(Half& half, Context& context) {
        while (!is_over_) {
            streams::Stream& stream = half.stream;
            if (!half.pass()) return;
            if (const Key key = std::exchange(half.ends, 0)) on_whole(half, key, context);
            if (stream.is_empty() || is_late(half)) return;
            if (!half.is_received && stream.head() >= sent_limit_) return;
            read_before(half, context);
            if (is_over_) return;
            if (half.is_lost && !find(half, context)) return;
            if (stream.hole()) {
                if (!passes_hole(half)) {
                    if (!lose(half, context)) return;
                    continue;
                }
                // Nobody knows whether something else was lost as well.
                if (stream.is_gap_at(stream.head())) context.counts.add(Cause::Hole);
                stream.consume(stream.hole());
            } else if (!read_frame(half, context)) {
                return;
            }
        }
    }

    bool read_frame(Half& half, Context& context) {
        const std::string_view bytes = half.stream.bytes();
        const bool is_final = half.is_final();
        const auto unit = parse(half, bytes, is_final);
        if (!unit) {
            if (unit.error() == Stop::NeedMore && !is_final) return false;
            // What a hole cut off is none; it is the hole that is counted.
            if (unit.error() == Stop::Invalid) context.counts.add(Cause::ParseInvalid);
            return lose(half, context, unit.error() == Stop::Invalid);
        }
        if (unit->front > bytes.size() && !is_final) return false;
        Unit here = *unit;
        here.is_cut |= unit->front > bytes.size();
        here.front = std::min(here.front, bytes.size());
        half.passed_to = half.stream.head() + here.size;
        on_frame(half, bytes.substr(0, here.front), here, context);
        return true;
    }

    // Where a turn begins with a frame.
    bool find(Half& half, Context& context) {
        streams::Stream& stream = half.stream;
        while (!stream.is_empty()) {
            if (!stream.hole() && stream.is_at_turn_start()) {
                const auto unit = parse(half, stream.bytes(), half.is_final());
                if (unit) {
                    half.is_lost = false;
                    return true;
                }
                if (unit.error() == Stop::NeedMore && !half.is_final()) return false;
            }
            // Frames may have begun in what is passed over.
            const bool is_missed = stream.is_at_turn_start() || stream.is_gap_at(stream.end() - 1);
            const bool is_here = stream.skip_to_next_turn();
            if (is_missed || (is_here && stream.turn() > stream.turn_before() + 1)) {
                context.counts.add(Cause::Hole);
                on_lost(half, context);
            }
            if (!is_here) return false;
        }
        return false;
    }

    bool lose(Half& half, Context& context, bool is_counted = false) {
        if (!is_counted) context.counts.add(Cause::Hole);
        half.is_lost = true;
        half.ends = 0;
        on_lost(half, context);
        return half.stream.skip_to_next_turn();
    }

    Key last_key_ = 0;
    std::uint64_t order_limit_ = kNoLimit;
    std::uint64_t sent_limit_ = kNoLimit;
    bool is_over_ = false;
    Next next_ = Next::Nothing;
    bool is_closing_ = false;
};

}  // namespace waggle::protocols
