// SPDX-License-Identifier: Apache-2.0
// The request side of FramedSession. Read after framed.h, which includes it.
#pragma once

#include "protocols/framed.h"

namespace waggle::protocols {

template <typename Codec>
void FramedSession<Codec>::read_requests(Context& context) {
    while (!is_over_ && !is_astray_) {
        if (!pass_payload(requests_, request_payload_)) return;
        if (requests_.is_empty()) return;
        if (needs_turn_ && !requests_.is_at_turn_start() && !requests_.skip_to_next_turn()) return;
        needs_turn_ = false;
        if (requests_.hole()) {
            if constexpr (requires { codec_.passes_hole(); }) {
                if (codec_.passes_hole()) {
                    needs_turn_ = true;
                    if (!requests_.skip_to_next_turn()) return;
                    continue;
                }
            }
            context.counts.add(Cause::Hole);
            const bool is_gap = requests_.is_gap_at(requests_.head());
            if (place_.is_set && codec_.on_hole(scratch_).kind == RequestEffect::Kind::Opens)
                if (!open_exchange(RequestEffect::Kind::Opens, context)) return;
            if (is_gap) forget_names();  // but what the cut one refers to was seen before
            codec_.restart(Side::Request);
            needs_turn_ = has_request_gap_ = true;
            place_.is_set = false;
            if (has_pipelined_) return go_astray(context);
            if (!requests_.skip_to_next_turn()) return;
            continue;
        }
        if (!read_request(context)) return;
    }
}

// True when nothing of it is left.
template <typename Codec>
bool FramedSession<Codec>::pass_payload(streams::Stream& stream, std::uint64_t end) {
    if (stream.head() >= end) return true;
    stream.skip_to(std::min(end, std::max(stream.end(), stream.head())));
    return stream.head() >= end;
}

// False when there is nothing more to read now.
template <typename Codec>
bool FramedSession<Codec>::read_request(Context& context) {
    const std::string_view bytes = requests_.bytes();
    const bool is_final = requests_.is_cut() || requests_.is_closed();
    const auto unit = codec_.parse(Side::Request, bytes, is_final);
    if (!unit && unit.error() == Stop::NeedMore && !is_final) return false;
    using Kind = RequestEffect::Kind;
    const std::uint64_t pushed = codec_.pushed();
    const std::uint64_t expected = codec_.expected();
    RequestEffect effect{.kind = Kind::Invalid};
    if (unit) effect = codec_.on_request(bytes.substr(0, unit->front), *unit, scratch_, context.options);
    if (effect.kind == Kind::Invalid) {
        // What was cut off by a hole is none of a message; it is the hole that is counted.
        if (unit || unit.error() == Stop::Invalid)
            context.counts.add(Cause::ParseInvalid);
        else if (requests_.is_cut())
            context.counts.add(Cause::Hole);
        codec_.restart(Side::Request);
        needs_turn_ = has_request_gap_ = true;
        place_.is_set = false;
        if (has_pipelined_) {
            go_astray(context);
            return false;
        }
        return requests_.skip_to_next_turn();
    }
    if (unit->is_cut) context.counts.add(Cause::RuleCut);
    if (effect.is_expecting && (!turn_.is_known || requests_.turn() != turn_.number)) begin_turn(pushed, expected);
    const bool opens = effect.kind == Kind::Opens || effect.kind == Kind::Silent || effect.kind == Kind::Held;
    if (effect.kind == Kind::Part || opens) begin_place();
    if (effect.kind == Kind::Drops) place_.is_set = false;
    bool goes_on = true;
    if (opens) goes_on = open_exchange(effect.kind, context);
    if (effect.kind == Kind::Over) {
        pass_payload(requests_, requests_.head() + unit->size);
        decide_held(!effect.drops_held, context);
        be_over(effect.why, effect.next, context);
        return false;
    }
    request_payload_ = requests_.head() + unit->size;
    if (finishing_ == 0) finish_unanswered(context);
    return goes_on;
}

// pushed, expected: before this turn.
template <typename Codec>
void FramedSession<Codec>::begin_turn(std::uint64_t pushed, std::uint64_t expected) {
    const Turn turn{.is_known = true,
                    .number = requests_.turn(),
                    .position = requests_.head(),
                    .order = requests_.order(),
                    .expectations = pushed,
                    .exchanges = opened_};
    // All that had been written was looked at and something is unanswered: the client does not wait.
    const bool has_all = responses_.end() >= turn.order;
    if (place_in_responses_ == Alignment::Aligned && !has_request_gap_ && !codec_.is_dialogue()) {
        if (expected == 0)
            ++waited_turns_;
        else if (has_all)
            has_pipelined_ = is_pipelined_ = true;
    }
    turn_ = turn;
    // The last bytes before this turn may answer what was lost.
    if (has_request_gap_) is_unproven_ = expected > 0;
    if (has_request_gap_) place_in_responses_ = expected > 0 ? Alignment::Lost : Alignment::Seeking;
    has_request_gap_ = false;
    if (place_in_responses_ == Alignment::Seeking && expected == 0) sought_ = turn;
}

template <typename Codec>
void FramedSession<Codec>::begin_place() {
    if (place_.is_set) return;
    place_ = {.is_set = true,
              .position = requests_.head(),
              .order = requests_.order(),
              .start_ns = requests_.first_ns(),
              .queue_us = requests_.queue_us()};
}

template <typename Codec>
bool FramedSession<Codec>::open_exchange(RequestEffect::Kind kind, Context& context) {
    const bool is_held = kind == RequestEffect::Kind::Held;
    const bool is_silent = is_held || kind == RequestEffect::Kind::Silent;
    if (!is_held) decide_held(true, context);
    if (open_.size() >= kMaxOpen) {
        context.counts.add(Cause::QueueFull);
        go_astray(context);
        return false;
    }
    if (turn_.is_known && opened_ > turn_.exchanges) is_pipelined_ = true;  // not the first of its turn
    Open& exchange = open_.push();
    std::swap(exchange.request, scratch_);
    exchange.request.is_silent = is_silent;
    exchange.is_held = is_held;
    exchange.request_position = place_.position;
    exchange.request_order = place_.order;
    exchange.start_ns = place_.start_ns;
    exchange.queue_us = place_.queue_us;
    exchange.request_end_ns = requests_.first_ns();
    exchange.thread = info_.threads_are_contexts ? context_ : 0;
    exchange.process = info_.process;
    exchange.response.clear();
    place_.is_set = false;
    ++opened_;
    if (is_held && !held_since_ns_) held_since_ns_ = exchange.start_ns;
    if (!is_silent) ++context.counts.seen;
    if (!is_silent || is_held) open_traces(exchange, context);  // what serves it is known now only
    return true;
}

// What is held is a call, or is not.
template <typename Codec>
void FramedSession<Codec>::decide_held(bool is_told, Context& context) {
    if (!held_since_ns_) return;
    held_since_ns_ = 0;
    const auto decide = [&](Open& exchange) {
        exchange.is_held = false;
        exchange.request.is_silent = !is_told;
        context.counts.seen += is_told;
        if (!is_told) close_traces(exchange, info_, context);
    };
    for (; held_.size() > 0; held_.pop()) {
        decide(held_.front());
        if (is_told) report(held_.front(), context);
    }
    for (std::size_t i = 0; i < open_.size(); ++i)
        if (open_.at(i).is_held) decide(open_.at(i));
}

// Bytes are missing where several exchanges are in flight: nobody can tell which answer is whose.
template <typename Codec>
void FramedSession<Codec>::go_astray(Context& context) {
    decide_held(true, context);
    context.counts.add(Cause::Hole, open_exchanges());
    while (open_.size() > 0) {
        set_incomplete(open_.front(), spans::Incomplete::Hole);
        finish(context, std::max(open_.front().end_ns, open_.front().request_end_ns));
    }
    codec_.forget(codec_.expected());
    forget_names();
    codec_.restart(Side::Request);
    codec_.restart(Side::Response);
    place_in_responses_ = Alignment::Seeking;
    finishing_ = 0;
    has_request_gap_ = is_unproven_ = false;
    needs_turn_ = is_astray_ = true;
    place_.is_set = turn_.is_known = sought_.is_known = false;
    request_payload_ = response_payload_ = 0;
    skip_all();
}

// After a pause nothing is in flight any more.
template <typename Codec>
bool FramedSession<Codec>::is_found_again(Direction direction, Context& context) {
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

}  // namespace waggle::protocols
