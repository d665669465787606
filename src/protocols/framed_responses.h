// SPDX-License-Identifier: Apache-2.0
// The response side of FramedSession: which bytes answer what, and where answers end whose framing was
// lost. Read after framed.h, which includes it.
#pragma once

#include "protocols/framed.h"

namespace waggle::protocols {

template <typename Codec>
void FramedSession<Codec>::read_responses(Context& context) {
    while (!is_over_ && !is_astray_) {
        if (place_in_responses_ != Alignment::Aligned) {
            finish_ended(context);  // what is still to come of it ends nothing
            if (codec_.expected() == 0) place_in_responses_ = Alignment::Seeking;
            const bool goes_on = place_in_responses_ == Alignment::Seeking ? seek(context) : pass_lost(context);
            if (!goes_on) return;
            continue;
        }
        // The client has gone on before all of this came.
        if (const auto next = next_turn_start(); next && *next < response_payload_)
            has_pipelined_ = is_pipelined_ = true;
        if (!pass_payload(responses_, response_payload_)) return;
        finish_ended(context);
        finish_unanswered(context);
        if (responses_.is_empty()) return;
        if (codec_.expected() == 0 && responses_.head() >= known_end()) return;
        if (!read_response(context)) return;
    }
}

// The answers that end with the payload that was passed.
template <typename Codec>
void FramedSession<Codec>::finish_ended(Context& context) {
    for (; finishing_ > 0 && open_.size() > 0; --finishing_) finish(context, responses_.time_before(responses_.head()));
    finishing_ = 0;
}

// The first place where an answer to this turn can stand, if that is known yet.
template <typename Codec>
std::optional<std::uint64_t> FramedSession<Codec>::start_of(const Turn& turn) const {
    if (!turn.is_known) return {};
    if (is_received_) return turn.order;
    return responses_.position_after_order(turn.position);
}

// Where the newest turn's answers begin, while those to older ones are awaited. Nobody who waits for
// answers has sent it before they were whole.
template <typename Codec>
std::optional<std::uint64_t> FramedSession<Codec>::next_turn_start() const {
    if (has_pipelined_ || codec_.is_dialogue() || !is_newer_awaited()) return {};
    return start_of(turn_);
}

// As far as bytes can answer the requests that were seen: a client's request may be reported after its
// answer, and those bytes wait for it.
template <typename Codec>
std::uint64_t FramedSession<Codec>::known_end() const {
    if (is_received_ || (requests_.is_untouched() && greeting_ == responses_.head())) return responses_.end();
    return responses_.position_after_order(requests_.end()).value_or(responses_.end());
}

// Looks for the first answer to the turn that is sought. False when it is not here yet.
template <typename Codec>
bool FramedSession<Codec>::seek(Context& context) {
    response_payload_ = 0;
    if (codec_.expected() == 0) {
        if constexpr (requires { Codec::is_unasked(responses_.bytes()); }) {
            if (!greeting_ && requests_.is_untouched() && Codec::is_unasked(responses_.bytes())) {
                place_in_responses_ = Alignment::Aligned;
                greeting_ = responses_.head();
                return true;
            }
        }
        drop_unmatched(known_end(), context);
        return false;
    }
    const auto start = start_of(sought_);
    if (!start || responses_.end() <= *start) {
        drop_unmatched(start ? responses_.end() : known_end(), context);
        return false;
    }
    const bool is_passed = responses_.head() > *start;
    drop_unmatched(*start, context);
    // A client's answer begins with the turn after the one before: else its first bytes were lost, or all
    // of it, and this is the answer to a later turn.
    const bool is_next =
        is_received_ || (responses_.is_at_turn_start() && responses_.turn() <= responses_.turn_before() + 1);
    const auto newer = is_newer_awaited() ? start_of(turn_) : std::nullopt;
    is_unproven_ = is_passed || !is_next || (newer && *newer <= *start);
    place_in_responses_ = is_unproven_ || responses_.hole() ? Alignment::Lost : Alignment::Aligned;
    return true;
}

// An answer whose framing was lost ends where the next turn's begins, or with its last bytes.
template <typename Codec>
bool FramedSession<Codec>::pass_lost(Context& context) {
    response_payload_ = 0;
    if (is_newer_awaited() && !waits_for_answers()) {
        // What it had seen when it asked anew may end just there.
        if (responses_.end() < turn_.order) return false;
        if (responses_.end() == turn_.order && end_by_tail(context)) return true;
        go_astray(context);
        return false;
    }
    if (const auto limit = next_turn_start(); limit && responses_.end() >= *limit) {
        if (responses_.end() == *limit && responses_.tail() != 0 && !codec_.may_end(responses_.tail())) {
            has_pipelined_ = is_pipelined_ = true;
            go_astray(context);
            return false;
        }
        if (responses_.end() == *limit && end_by_tail(context)) return true;
        end_before(*limit, context);
        return true;
    }
    const std::uint64_t end = known_end();
    if (open_.size() > 0 && !open_.front().first_byte_ns && end > responses_.head())
        open_.front().first_byte_ns = responses_.first_ns();
    // A turn that no request is known of: what ends it ends another answer.
    if (const auto turn = responses_.turn_after(responses_.head()); turn && *turn < end && !codec_.is_dialogue())
        is_unproven_ = true;
    responses_.skip_to(end);
    if (end < responses_.end()) return false;
    // What had gone by when the client went on is still to be told.
    if (is_newer_awaited() && responses_.end() < turn_.order) return false;
    return end_by_tail(context);
}

// What is due before the newest turn, or all there is.
template <typename Codec>
bool FramedSession<Codec>::end_by_tail(Context& context) {
    if (has_request_gap_ || is_unproven_) return false;  // more may be answered than is known
    Due due{.expectations = codec_.expected(), .exchanges = open_.size()};
    if (is_newer_awaited()) {
        due.expectations = turn_.expectations - (codec_.pushed() - codec_.expected());
        due.exchanges = turn_.exchanges - std::min(turn_.exchanges, opened_ - open_.size());
    }
    if (!codec_.ends_by(responses_.tail(), due, open_)) return false;
    codec_.forget(due.expectations);
    for (std::size_t i = 0; i < due.exchanges; ++i) finish(context, responses_.end_ns());
    responses_.skip_to(responses_.end());
    place_in_responses_ = Alignment::Aligned;
    return true;
}

template <typename Codec>
void FramedSession<Codec>::end_before(std::uint64_t limit, Context& context) {
    const std::uint64_t closed = opened_ - open_.size();
    if (turn_.exchanges > closed) finish_lost(turn_.exchanges - closed, responses_.time_before(limit), context);
    codec_.forget(turn_.expectations - (codec_.pushed() - codec_.expected()));
    responses_.skip_to(std::max(limit, responses_.head()));
    sought_ = turn_;
    is_unproven_ = false;
    place_in_responses_ = Alignment::Seeking;
}

template <typename Codec>
void FramedSession<Codec>::finish_lost(std::size_t count, std::uint64_t end_ns, Context& context) {
    for (; count > 0 && open_.size() > 0; --count) {
        if (!Codec::is_answered(open_.front())) {
            if (!open_.front().request.is_silent || open_.front().is_held) context.counts.add(Cause::Hole);
            set_incomplete(open_.front(), spans::Incomplete::Hole);
        }
        finish(context, end_ns);
    }
}

template <typename Codec>
bool FramedSession<Codec>::read_response(Context& context) {
    if (responses_.hole()) {
        if (codec_.expected() == 0)
            place_in_responses_ = Alignment::Seeking;
        else
            lose_responses(context);
        return true;
    }
    const std::string_view bytes = responses_.bytes();
    const bool is_final = responses_.is_cut() || responses_.is_closed();
    const auto unit = codec_.parse(Side::Response, bytes, is_final);
    using Kind = ResponseEffect::Kind;
    ResponseEffect effect{.kind = Kind::Invalid};
    if (unit)
        effect = codec_.on_response(bytes.substr(0, unit->front), *unit, open_);
    else if (unit.error() == Stop::NeedMore && !is_final)
        return false;
    if (effect.kind == Kind::Invalid) {
        if (codec_.expected() == 0) {
            place_in_responses_ = Alignment::Seeking;
            return true;
        }
        // The rest of a head that a hole cut off is lost with it.
        if (unit || unit.error() == Stop::Invalid) context.counts.add(Cause::ParseInvalid);
        lose_responses(context);
        return true;
    }
    if (effect.kind == Kind::Part && open_.size() > 0 && !open_.front().first_byte_ns) {
        open_.front().first_byte_ns = responses_.first_ns();
        open_.front().response_position = responses_.head();
    }
    response_payload_ = responses_.head() + unit->size;
    finishing_ = std::min(effect.finished, open_.size());
    if (effect.kind != Kind::Over) return true;
    pass_payload(responses_, response_payload_);
    finish_ended(context);
    be_over(effect.why, effect.next, context);
    return false;
}

// The only answer that is awaited has begun, went on unseen, and nothing comes any more.
template <typename Codec>
void FramedSession<Codec>::finish_rested(Context& context) {
    if (has_request_gap_ || is_unproven_ || codec_.expected() != 1 || open_.size() != 1 ||
        !Codec::is_answered(open_.front()))
        return;
    finish(context, responses_.end_ns());
    codec_.forget(1);
    place_in_responses_ = Alignment::Seeking;
}

template <typename Codec>
void FramedSession<Codec>::lose_responses(Context& context) {
    codec_.restart(Side::Response);
    finish_lost(finishing_, responses_.time_before(responses_.head()), context);
    finishing_ = 0;
    is_unproven_ = responses_.is_gap_at(responses_.head());
    if (has_pipelined_ && open_.size() > 1)
        go_astray(context);
    else
        place_in_responses_ = Alignment::Lost;
}

template <typename Codec>
void FramedSession<Codec>::drop_unmatched(std::uint64_t to, Context& context) {
    if (responses_.head() >= to) return;
    if (responses_.is_at_turn_start()) context.counts.add(Cause::Unmatched);  // once a turn
    responses_.skip_to(to);
}

}  // namespace waggle::protocols
