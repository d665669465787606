// SPDX-License-Identifier: Apache-2.0
// The response side of InOrderSession: which bytes answer the first open request, and where they end. Read
// after in_order.h, which includes it.
#pragma once

#include "protocols/in_order.h"

namespace waggle::protocols {

template <typename Codec>
void InOrderSession<Codec>::read_responses(Context& context) {
    for (;;) {
        if (is_over_ || is_astray_) return;
        if (open_.size() == 0) {
            // A part of its head is here: the rest was lost, which the next bytes will tell.
            if (!requests_.is_empty() && !requests_.is_closed()) return;
            // A server's request is always read before its answer is sent; a client's request may
            // be reported after its answer: those bytes wait for it.
            const auto late = is_received_ ? std::nullopt : responses_.position_after_order(requests_.end());
            return drop_unmatched(context, late.value_or(responses_.end()));
        }
        if (!responding_ && !read_response_head(context)) return;
        if (!responding_) continue;
        if constexpr (requires(Open& open) { Codec::add_content(open.request, open.response, std::string_view()); }) {
            Open& front = open_.front();
            if (front.has_response)
                Codec::add_content(front.request, front.response,
                                   front_of(responses_, response_body_, front.response.content));
        }
        const bool is_ended = response_body_.advance(responses_, response_limit());
        if (response_body_.is_lost() && has_pipelined_ && open_.size() > 1) return go_astray(context);
        if (!is_ended) return;
        end_response(context);
    }
}

// The first place where the answer to this request can stand, if that is known yet.
template <typename Codec>
std::optional<std::uint64_t> InOrderSession<Codec>::response_start(const Exchange<Codec>& exchange) const {
    if (is_received_) return exchange.request_order;
    return responses_.position_after_order(exchange.request_position);
}

// … and to the request after the front's, which may be on its way here if this is the client.
template <typename Codec>
std::optional<std::uint64_t> InOrderSession<Codec>::next_response_start() {
    if (open_.size() > 1) return response_start(open_.at(1));
    if (is_received_ || reading_body_ || needs_turn_) return {};
    return responses_.position_after_order(requests_.head());
}

// Where the current response has ended, whatever it says itself: the next request's begins there, or
// the next turn, since there is one answer in each as long as nobody pipelines.
template <typename Codec>
std::optional<std::uint64_t> InOrderSession<Codec>::response_limit() {
    std::optional<std::uint64_t> limit = next_response_start();
    if (!response_body_.is_until_close() && !reading_body_)
        if (const auto turn = responses_.turn_after(response_body_.start()); turn && (!limit || *turn < *limit))
            limit = turn;
    if (limit && *limit <= open_.front().response_position) limit.reset();
    return limit;
}

template <typename Codec>
bool InOrderSession<Codec>::read_response_head(Context& context) {
    if (responses_.is_empty()) return false;
    if (!has_responses_) {
        // Nothing went before the first turn that the kernel has seen.
        has_responses_ = true;
        is_aligned_ = responses_.is_at_turn_start() && responses_.turn() <= 1;
    }
    const std::uint64_t start = response_start(open_.front()).value_or(responses_.end());
    if (responses_.head() < start) {
        drop_unmatched(context, std::min(start, responses_.end()));
        if (responses_.is_empty()) return false;
    }
    // A whole turn is missing, or the place where the answer began: it was that.
    const bool is_passed = is_received_ ? responses_.head() > open_.front().request_order
                                        : responses_.turn() > responses_.turn_before() + 1;
    if (!is_aligned_ && is_passed) return pass_lost_response(context);
    // What stands here went by after the next request had come.
    if (const auto next = next_response_start(); next && *next <= responses_.head()) {
        if (!is_aligned_) return pass_lost_response(context);
        has_pipelined_ |= open_.size() > 1;
    }
    const bool is_message = is_aligned_ || responses_.is_at_turn_start() ||
                            (is_received_ && responses_.head() == open_.front().request_order);
    if (responses_.hole() || !is_message) {
        context.counts.add(Cause::Hole);
        lose_response();
        return true;
    }
    const std::string_view bytes = responses_.bytes();
    const bool is_final = responses_.is_cut() || responses_.is_closed();
    const auto size = Codec::parse_response(bytes, is_final, open_.front().response);
    if (!size) {
        if (size.error() == Stop::NeedMore && !is_final) return false;
        context.counts.add(Cause::ParseInvalid);
        lose_response();
        return true;
    }
    Open& exchange = open_.front();
    if (!exchange.first_byte_ns) exchange.first_byte_ns = responses_.first_ns();
    exchange.response_position = responses_.head();
    is_aligned_ = true;
    last_response_order_ = responses_.order();
    if (Codec::is_cut(exchange.response)) {
        if (!responses_.is_cut())
            set_incomplete(exchange, spans::Incomplete::Closed);
        else if (*size < kLeastCapture || responses_.is_gap_at(responses_.head() + *size))
            note_hole(exchange, context);
    }
    const std::uint64_t head_end_ns = responses_.time_before(responses_.head() + *size);
    responses_.consume(*size);
    const Reply reply = Codec::begin_response(exchange.request, exchange.response, responses_.head(), response_body_);
    if constexpr (kMayWithhold) {
        if (withheld_ == Withheld::Waits && open_.size() == 1) {
            if (reply != Reply::Interim)
                withheld_ = Withheld::Answered;
            else if (Codec::goes_on(exchange.response))
                withheld_ = Withheld::No;
        }
    }
    if (reply == Reply::Interim) return true;
    exchange.has_response = true;
    exchange.end_ns = head_end_ns;
    if (reply == Reply::Switch) {
        switch_over(context, head_end_ns);
        return true;
    }
    responding_ = true;
    return true;
}

// Another protocol follows; if it is one of ours, it answers the exchange that asked for it.
template <typename Codec>
void InOrderSession<Codec>::switch_over(Context& context, std::uint64_t end_ns) {
    Open& exchange = open_.front();
    is_over_ = true;
    if (const Protocol* to = Codec::switches_to(exchange.request, exchange.response)) {
        exchange.has_response = false;
        handover_ = std::make_unique<Handover>(
            Handover{to, request_direction_, std::move(static_cast<ExchangeState&>(exchange)), exchange.request.text});
        open_.pop();
        --context.counts.seen;
        return;
    }
    // A proxy's clients may go on encrypted, which is their servers' to read, not the proxy's.
    if (info_.role == Role::Client && Codec::is_tunnel(exchange.request)) next_ = Next::MaybeTls;
    finish(context, end_ns);
    skip_all();
}

// The head of the front's response is not readable: its end is told by the next request.
template <typename Codec>
void InOrderSession<Codec>::lose_response() {
    Open& exchange = open_.front();
    set_incomplete(exchange, spans::Incomplete::Hole);
    if (!exchange.first_byte_ns) exchange.first_byte_ns = responses_.first_ns();
    exchange.response_position = responses_.head();
    if (withheld_ == Withheld::Waits && open_.size() == 1) withheld_ = Withheld::Answered;
    response_body_.start(Codec::Body::Kind::Lost, responses_.head(), 0);
    responding_ = true;
}

// All of it is missing.
template <typename Codec>
bool InOrderSession<Codec>::pass_lost_response(Context& context) {
    note_hole(open_.front(), context);
    if (has_pipelined_) {
        go_astray(context);
        return false;
    }
    finish(context, open_.front().request_end_ns);
    return open_.size() > 0;
}

template <typename Codec>
void InOrderSession<Codec>::end_response(Context& context) {
    Open& exchange = open_.front();
    // Answered before its body was read: what the head declared is its size.
    if (open_.size() == 1 && reading_body_ && request_body_.is_size_declared() && withheld_ == Withheld::No) {
        exchange.request_body = request_body_.size();
        exchange.is_request_body_known = true;
    }
    exchange.response_body = response_body_.size();
    exchange.is_response_body_known = response_body_.is_size_known();
    if (response_body_.is_end_missing()) note_hole(exchange, context);
    is_aligned_ = !response_body_.is_lost();
    has_pipelined_ |= is_received_ && is_aligned_ && open_.size() > 1 && open_.at(1).request_order < responses_.head();
    finish(context, std::max(exchange.end_ns, response_body_.end_ns()));
}

}  // namespace waggle::protocols
