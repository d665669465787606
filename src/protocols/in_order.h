// SPDX-License-Identifier: Apache-2.0
// InOrderSession: pairs requests and responses of a protocol that answers in order (pipelining
// included). Pairs are proven by position, not by turn of arrival: a response cannot stand before the
// place where its request was read (server), nor in bytes received before it was sent (client).
//
// A Codec gives:  Request, Response, Body types;
//   parse_request / parse_response(bytes, is_final, head&) → Parsed<size>
//   begin_request(request, position, body&)
//   Reply begin_response(request, response, position, body&)
//   describe(exchange, info, options, batch, span)
#pragma once

#include <algorithm>
#include <memory>

#include "protocols/exchange.h"
#include "protocols/protocol.h"

namespace waggle::protocols {

template <typename Codec>
class InOrderSession final : public Session {
  public:
    static constexpr std::size_t kMaxOpen = 4096;

    InOrderSession(const ConnectionInfo& info, Streams& streams, Direction requests)
        : info_(info), requests_(streams.of(requests)), responses_(streams.of(opposite(requests))),
          is_received_(requests == Direction::Receive), request_direction_(requests) {}

    void on_bytes(Direction direction, Context& context) override {
        if (is_over_) return skip_all();
        if (direction == request_direction_) read_requests(context);
        read_responses(context);
    }

    void on_tick(Context& context) override {
        if (is_over_) return;
        if (responding_ || reading_body_) on_bytes(request_direction_, context);
        check_ages(context);
        drop_orphans(context);
    }

    void on_close(spans::Incomplete reason, Context& context) override {
        if (!is_over_) {
            read_requests(context);
            read_responses(context);
        }
        while (open_.size() > 0) {
            open_.front().incomplete = reason;
            finish(context, last_time(context));
        }
    }

    std::size_t open_exchanges() const override { return open_.size(); }
    bool is_over() const override { return is_over_; }
    void set_thread(std::uint64_t thread) override { context_ = thread; }
    bool is_pipelined() const override { return is_pipelined_; }

  private:
    using Open = Exchange<Codec>;

    void skip_all() {
        requests_.skip_to(requests_.end());
        responses_.skip_to(responses_.end());
    }

    void read_requests(Context& context) {
        for (;;) {
            if (is_over_) return;
            if (reading_body_) {
                if (!request_body_.advance(requests_)) return;
                end_request();
            }
            if (requests_.is_empty()) return;
            if (needs_turn_ && !requests_.is_at_turn_start()) {
                if (!requests_.skip_to_next_turn()) return;
            }
            needs_turn_ = false;
            if (requests_.hole()) {
                context.counts.add(Cause::Hole);
                needs_turn_ = true;
                if (!requests_.skip_to_next_turn()) return;
                continue;
            }
            if (!read_request_head(context)) return;
        }
    }

    // False when there is nothing more to read now.
    bool read_request_head(Context& context) {
        const std::string_view bytes = requests_.bytes();
        const bool is_final = requests_.is_cut() || requests_.is_closed();
        const auto size = Codec::parse_request(bytes, is_final, scratch_request_);
        if (!size) {
            if (size.error() == Stop::NeedMore && !is_final) return false;
            context.counts.add(Cause::ParseInvalid);
            needs_turn_ = true;
            return requests_.skip_to_next_turn();
        }
        // Several requests in flight: their answers may share a turn, of which the rule sees the front only.
        if (open_.size() > 0) {
            if (is_being_answered(open_.at(open_.size() - 1))) leave_threads(context);
            else is_pipelined_ = true;
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
        exchange.request_end_ns = requests_.time_before(requests_.head() + *size);
        exchange.thread = info_.threads_are_contexts ? context_ : 0;
        exchange.process = info_.process;
        ++context.counts.seen;
        if (Codec::is_cut(exchange.request)) context.counts.add(Cause::RuleCut);
        requests_.consume(*size);
        Codec::begin_request(exchange.request, requests_.head(), request_body_);
        reading_body_ = true;
        open_traces(exchange, context);
        return true;
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
            context.traces.close_server(call_of(open_.at(i), context), open_.at(i).ids);
    }

    // More requests in flight than are kept: without one of them the answers cannot be told apart.
    void give_up(Context& context) {
        context.counts.add(Cause::QueueFull);
        while (open_.size() > 0) {
            open_.front().incomplete = spans::Incomplete::Hole;
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

    void read_responses(Context& context) {
        for (;;) {
            if (is_over_) return;
            if (open_.size() == 0) {
                // A server's request is always read before its answer is sent; a client's request may
                // be reported after its answer: those bytes wait for it.
                if (is_received_ || responses_.order() <= requests_.end()) drop_unmatched(context);
                return;
            }
            if (!responding_ && !read_response_head(context)) return;
            if (!responding_) continue;
            if (!response_body_.advance(responses_)) {
                if (!response_body_.is_lost() && !response_body_.is_until_close()) return;
                if (!end_lost_body()) return;
            }
            end_response(context);
        }
    }

    // Where the current response must have ended, since the next request's begins there.
    bool end_lost_body() {
        if (!response_body_.is_lost() || open_.size() < 2) return false;
        const std::uint64_t limit = response_start(open_.at(1));
        if (limit <= open_.front().response_position || limit > responses_.end()) return false;
        response_body_.end_at(responses_, limit);
        return true;
    }

    // The first place where the answer to this request can stand.
    std::uint64_t response_start(const Open& exchange) const {
        return is_received_ ? exchange.request_order
                            : responses_.position_after_order(exchange.request_position);
    }

    bool read_response_head(Context& context) {
        if (responses_.is_empty()) return false;
        const std::uint64_t start = response_start(open_.front());
        if (responses_.head() < start) {
            const bool is_leftover = responses_.end() > responses_.head();
            responses_.skip_to(std::min(start, responses_.end()));
            if (is_leftover && !open_.front().has_response) context.counts.add(Cause::Unmatched);
            if (responses_.is_empty()) return false;
        }
        if (responses_.hole()) {
            context.counts.add(Cause::Hole);
            open_.front().incomplete = spans::Incomplete::Hole;
            lose_response(context);
            return true;
        }
        const std::string_view bytes = responses_.bytes();
        const bool is_final = responses_.is_cut() || responses_.is_closed();
        const auto size = Codec::parse_response(bytes, is_final, open_.front().response);
        if (!size) {
            if (size.error() == Stop::NeedMore && !is_final) return false;
            context.counts.add(Cause::ParseInvalid);
            open_.front().incomplete = spans::Incomplete::Hole;
            lose_response(context);
            return true;
        }
        Open& exchange = open_.front();
        if (!exchange.first_byte_ns) exchange.first_byte_ns = responses_.first_ns();
        exchange.response_position = responses_.head();
        const std::uint64_t head_end_ns = responses_.time_before(responses_.head() + *size);
        responses_.consume(*size);
        const Reply reply = Codec::begin_response(exchange.request, exchange.response, responses_.head(),
                                                  response_body_);
        if (reply == Reply::Interim) return true;
        exchange.has_response = true;
        exchange.end_ns = head_end_ns;
        if (reply == Reply::Switch) {
            finish(context, head_end_ns);
            is_over_ = true;
            skip_all();
            return true;
        }
        responding_ = true;
        return true;
    }

    // The head of the front's response is not readable: its end is told by the next request.
    void lose_response(Context& context) {
        Open& exchange = open_.front();
        if (!exchange.first_byte_ns) exchange.first_byte_ns = responses_.first_ns();
        exchange.response_position = responses_.head();
        exchange.end_ns = responses_.end_ns();
        response_body_.start(Codec::Body::Kind::Lost, responses_.head(), 0);
        responding_ = true;
    }

    void end_response(Context& context) {
        Open& exchange = open_.front();
        // Answered before its body was read: what the head declared is its size.
        if (open_.size() == 1 && reading_body_ && request_body_.is_size_declared()) {
            exchange.request_body = request_body_.size();
            exchange.is_request_body_known = true;
        }
        exchange.response_body = response_body_.size();
        exchange.is_response_body_known = response_body_.is_size_known();
        finish(context, std::max(exchange.end_ns, response_body_.end_ns()));
    }

    // Gives the front exchange out as a span and forgets it.
    void finish(Context& context, std::uint64_t end_ns) {
        Open& exchange = open_.front();
        exchange.end_ns = std::max(end_ns, exchange.start_ns);
        report(exchange, context);
        if (open_.size() == 1 && reading_body_) {
            // Answered before its request ended: what still comes of it is no new request.
            if (request_body_.is_lost()) {
                reading_body_ = false;
                needs_turn_ = true;
            }
        }
        responding_ = false;
        open_.pop();
    }

    void report(Open& exchange, Context& context) {
        if (exchange.is_reported) return;
        exchange.is_reported = true;
        const Traces::Call call = call_of(exchange, context);
        if (context.options.wants_traces) {
            if (info_.role == Role::Server) {
                context.traces.join_late(call, exchange.ids);
                context.traces.close_server(call, exchange.ids);
            }
        }
        spans::Span& span = context.batch.add();
        fill(exchange, span);
        Codec::describe(exchange, info_, context.options, context.batch, span);
        ++context.counts.exported;
    }

    void fill(const Open& exchange, spans::Span& span) const {
        span.kind = info_.role == Role::Server   ? spans::SpanKind::Server
                    : info_.role == Role::Client ? spans::SpanKind::Client
                                                 : spans::SpanKind::Internal;
        span.has_unknown_role = info_.role == Role::Unknown;
        span.start_ns = exchange.start_ns;
        span.first_byte_ns = exchange.first_byte_ns;
        span.end_ns = exchange.end_ns;
        span.incomplete = exchange.incomplete;
        span.trace_id = exchange.ids.trace_id;
        span.span_id = exchange.ids.span_id;
        span.parent_span_id = exchange.ids.parent;
        span.flags = exchange.ids.flags;
        span.has_remote_root = exchange.ids.has_remote_root;
        span.parent_source = exchange.ids.source;
        span.links.assign(exchange.ids.links.begin(), exchange.ids.links.end());
        span.process = exchange.process;
        span.connection = info_.id;
        span.sequence = sequence_of(exchange);
        span.sequence.response = static_cast<std::uint32_t>(exchange.response_position);
    }

    spans::SequenceIdentity sequence_of(const Open& exchange) const {
        spans::SequenceIdentity identity;
        if (info_.kind != WG_TCP || info_.role == Role::Unknown) return identity;
        const wg_tuple& tuple = info_.tuple;
        const bool is_client = info_.role == Role::Client;
        std::copy_n(is_client ? tuple.local_address : tuple.remote_address, 16, identity.client_address.begin());
        std::copy_n(is_client ? tuple.remote_address : tuple.local_address, 16, identity.server_address.begin());
        identity.client_port = is_client ? tuple.local_port : tuple.remote_port;
        identity.server_port = is_client ? tuple.remote_port : tuple.local_port;
        identity.request = static_cast<std::uint32_t>(exchange.request_position);
        identity.netns = tuple.netns;
        identity.is_known = true;
        return identity;
    }

    Traces::Call call_of(const Open& exchange, const Context& context) const {
        return {.header = exchange.header,
                .sequence = sequence_of(exchange),
                .pid = exchange.process.pid,
                .thread = exchange.thread,
                .now_ns = context.now_ns};
    }

    void open_traces(Open& exchange, Context& context) {
        if (!context.options.wants_traces) return;
        exchange.header = Codec::trace_context(exchange.request);
        const Traces::Call call = call_of(exchange, context);
        if (info_.role == Role::Server) context.traces.open_server(call, exchange.ids);
        else context.traces.open_client(call, exchange.ids);
    }

    void drop_unmatched(Context& context) {
        if (responses_.is_empty()) return;
        context.counts.add(Cause::Unmatched);
        responses_.skip_to(responses_.end());
    }

    // Answers whose request was never reported: after a while it is lost, not late.
    void drop_orphans(Context& context) {
        constexpr std::uint64_t kWaitNs = 100'000'000;
        if (open_.size() == 0 && !responses_.is_empty() && responses_.first_ns() + kWaitNs < context.now_ns)
            drop_unmatched(context);
    }

    void check_ages(Context& context) {
        for (std::size_t i = 0; i < open_.size(); ++i) {
            Open& exchange = open_.at(i);
            if (exchange.is_reported) continue;
            const std::uint64_t age = context.now_ns > exchange.start_ns ? context.now_ns - exchange.start_ns : 0;
            const std::uint64_t timeout = context.options.http_request_timeout_ns;
            if (timeout && !exchange.has_response && age > timeout) {
                exchange.incomplete = spans::Incomplete::Timeout;
                exchange.end_ns = exchange.start_ns + timeout;
            } else if (age > context.options.max_exchange_age_ns) {
                exchange.incomplete = spans::Incomplete::MaxAge;
                exchange.end_ns = exchange.start_ns + context.options.max_exchange_age_ns;
            } else {
                continue;
            }
            report(exchange, context);
        }
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
    bool needs_turn_ = false;
    bool is_over_ = false;
    bool is_pipelined_ = false;
};

}  // namespace waggle::protocols
