// SPDX-License-Identifier: Apache-2.0
#include "protocols/fastcgi/session.h"

#include <algorithm>

#include "protocols/fastcgi/fastcgi.h"

namespace waggle::protocols::fastcgi {
namespace {

constexpr std::size_t kMaxParams = 16 * 1024;
constexpr std::size_t kMaxHead = 2048;
// An answer of which nothing came for so long is whole.
constexpr std::uint64_t kRestNs = 1'000'000'000;

constexpr std::array<std::string_view, 4> kFailures = {"", "cannot_multiplex", "overloaded", "unknown_role"};

}  // namespace

Session::Session(const ConnectionInfo& info, Streams& streams, Direction requests)
    : KeyedSession(info),
      requests_(streams.of(requests), protocols::Side::Request, false),
      responses_(streams.of(opposite(requests)), protocols::Side::Response, !is_from_start(info, opposite(requests))),
      is_received_(requests == Direction::Receive) {}

void Session::on_bytes(Direction, Context& context) {
    read(requests_, context);
    read(responses_, context);
}

void Session::on_tick(Context& context) {
    is_slow_told_ = false;
    const std::uint64_t last_ns = responses_.stream.end_ns();
    for (std::size_t i = 0; i < open_.size();) {
        const auto [key, exchange] = open_.entries()[i];
        if (exchange->response.is_cut && last_ns + kRestNs < context.now_ns) {
            end(key, *exchange, last_ns, context);
            continue;
        }
        ++i;
        if (!exchange->request.is_told) continue;
        is_slow_told_ |= exchange->start_ns + kSlowNs < context.now_ns;
        check_age(*exchange, info_, context);
    }
}

void Session::on_close(spans::Incomplete reason, Context& context) {
    read(requests_, context);
    read(responses_, context);
    const std::uint64_t last_ns = std::max(requests_.stream.end_ns(), responses_.stream.end_ns());
    while (open_.size() > 0) {
        const auto [key, exchange] = open_.entries().front();
        // Who closes the connection has said all.
        const bool is_whole = exchange->response.is_cut && reason == spans::Incomplete::Closed;
        if (reason == spans::Incomplete::Closed && !is_whole && responses_.has_missed(exchange->start_ns)) {
            context.counts.add(Cause::Hole);
            set_incomplete(*exchange, spans::Incomplete::Hole);
        }
        if (!is_whole) set_incomplete(*exchange, reason);
        end(key, *exchange, last_ns ? last_ns : context.now_ns, context);
    }
}

std::size_t Session::open_exchanges() const {
    return static_cast<std::size_t>(std::ranges::count_if(open_.entries(), [](const auto& entry) {
        return entry.exchange->request.is_told && !entry.exchange->is_reported;
    }));
}

bool Session::wants_tails() const {
    const bool has_cut =
        std::ranges::any_of(open_.entries(), [](const auto& entry) { return entry.exchange->response.is_cut; });
    return has_cut || is_slow_told_ || requests_.passed_to > requests_.stream.end() ||
           responses_.passed_to > responses_.stream.end();
}

// A client's request may be reported after its answer.
bool Session::is_request_late() const { return !is_received_ && responses_.stream.order() > requests_.stream.end(); }

// Was it written after the request? The same id may have been another's before.
bool Session::may_answer(const Open& exchange) const {
    const streams::Stream& stream = responses_.stream;
    if (is_received_) return stream.head() >= exchange.request_order;
    return stream.order() == 0 || stream.order() > exchange.request_position;
}

void Session::read(Half& half, Context& context) {
    for (;;) {
        if (!half.pass() || half.stream.is_empty()) return;
        if (half.is_lost && !find(half, context)) return;
        if (half.stream.hole()) {
            if (!lose(half, context)) return;
        } else if (!read_next(half, context)) {
            return;
        }
    }
}

// Where a turn begins with a record: a request's first one, or one that answers what is open.
bool Session::find(Half& half, Context& context) {
    streams::Stream& stream = half.stream;
    const bool is_answer = half.side == protocols::Side::Response;
    while (!stream.is_empty()) {
        if (!stream.hole() && stream.is_at_turn_start()) {
            const std::string_view bytes = stream.bytes();
            const auto record = read_record(bytes, half.side);
            const std::size_t wanted = record && record->type == Type::Begin ? kHeader + kBody : kHeader;
            if (bytes.size() < wanted && !half.is_final()) return false;
            // Programs may leave the end of a body for the next turn.
            const bool is_rest = record && record->type == Type::Stdin && record->content == 0 && record->padding < 8;
            // What was cut, or should have been answered before, ended in what is lost: this answers other requests.
            const bool is_next = stream.turn() <= stream.turn_before() + 1;
            for (std::size_t i = 0; is_answer && i < open_.size();) {
                const auto [key, exchange] = open_.entries()[i];
                const bool is_after_passed = exchange->request_position >= passed_order_;
                const bool is_first =
                    is_received_ ? stream.head() == exchange->request_order : is_next && is_after_passed;
                if (!exchange->response.is_cut && (is_first || !may_answer(*exchange))) {
                    ++i;
                    continue;
                }
                if (!exchange->response.is_cut) {
                    context.counts.add(Cause::Hole);
                    set_incomplete(*exchange, spans::Incomplete::Hole);
                }
                end(key, *exchange, stream.time_before(stream.head()), context);
            }
            const bool is_it =
                is_answer ? record && open_.find(record->id) : is_rest || sniff(bytes, half.side) == Sniff::Yes;
            if (is_it) {
                half.is_lost = false;
                return true;
            }
            if (is_answer && is_request_late()) return false;
            if (is_answer && open_.size() == 0) context.counts.add(Cause::Unmatched);
            if (is_answer) passed_order_ = stream.order();
        }
        if ((is_answer && is_request_late()) || !stream.skip_to_next_turn()) return false;
    }
    return false;
}

// What is lost of an answer holds its end; what is lost of a request, that it ended. True: the next turn is here.
bool Session::lose(Half& half, Context& context) {
    half.is_lost = true;
    if (half.side == protocols::Side::Request) {
        // The rest of a request's own turn is its body.
        const streams::Stream& stream = half.stream;
        const bool has_begun = turn_ == stream.turn() && !stream.is_gap_at(stream.head());
        for (const auto& [key, exchange] : open_.entries()) {
            if (!exchange->request.is_told) end_params(*exchange, true, context);
            exchange->is_request_body_known = exchange->request.params.length.has_value();
        }
        if (!has_begun) context.counts.add(Cause::Hole);
    }
    // Of several under way nobody knows whose end it holds, nor which ids begin anew in it.
    const bool is_several = has_multiplexed_ || (half.side == protocols::Side::Response && open_.size() > 1);
    while (is_several && open_.size() > 0) {
        const auto [key, exchange] = open_.entries().front();
        context.counts.add(Cause::Hole);
        set_incomplete(*exchange, spans::Incomplete::Hole);
        exchange->is_response_body_known = false;
        end(key, *exchange, std::max(exchange->request_end_ns, exchange->first_byte_ns), context);
    }
    if (half.side == protocols::Side::Response && open_.size() == 1) {
        Open& exchange = *open_.entries().front().exchange;
        exchange.is_response_body_known = false;
        exchange.response.is_cut = true;
        // How it went stands in its head, its end says that it did.
        if (!exchange.response.is_head_whole && exchange.incomplete == spans::Incomplete::No) {
            context.counts.add(Cause::Hole);
            set_incomplete(exchange, spans::Incomplete::Hole);
        }
    }
    return half.stream.skip_to_next_turn();
}

bool Session::read_next(Half& half, Context& context) {
    streams::Stream& stream = half.stream;
    const std::string_view bytes = stream.bytes();
    if (bytes.size() < kHeader) return half.is_final() ? lose(half, context) : false;
    const auto record = read_record(bytes, half.side);
    if (!record) {
        context.counts.add(Cause::ParseInvalid);
        half.is_lost = true;
        return stream.skip_to_next_turn();
    }
    const bool is_answer = half.side == protocols::Side::Response;
    const Open* const exchange = open_.find(record->id);
    if (is_answer && !exchange && is_request_late()) return false;
    if (is_answer && exchange && !may_answer(*exchange)) {
        context.counts.add(Cause::Unmatched);
        half.passed_to = stream.head() + record->size();
        return true;
    }
    std::size_t wanted = 0;
    if (record->type == Type::Begin || record->type == Type::End) wanted = kBody;
    if (record->type == Type::Params) wanted = std::min<std::size_t>(record->content, kMaxParams);
    if (record->type == Type::Stdout && exchange && !exchange->response.is_head_whole)
        wanted = std::min<std::size_t>(record->content, kMaxHead);
    const std::string_view content = bytes.substr(kHeader, wanted);
    if (content.size() < wanted && !half.is_final()) return false;
    if (is_answer)
        on_response(*record, content, context);
    else
        on_request(*record, content, context);
    half.passed_to = stream.head() + record->size();
    return true;
}

void Session::on_begin(std::uint16_t id, Context& context) {
    // An id is used again when it has been answered. What else is in that answer's turn is not read either.
    const bool is_reused = open_.find(id) != nullptr;
    responses_.is_lost |= is_reused;
    while (is_reused && open_.size() > 0) {
        const auto [key, old] = open_.entries().front();
        old->is_response_body_known = false;
        if (!old->response.is_cut && (key != id || !old->has_response)) {
            context.counts.add(Cause::Hole);
            set_incomplete(*old, spans::Incomplete::Hole);
        }
        end(key, *old, std::max(old->request_end_ns, responses_.stream.end_ns()), context);
    }
    const streams::Stream& stream = requests_.stream;
    turn_ = stream.turn();
    if (open_.size() >= kMaxOpen) {
        const auto [oldest, exchange] = open_.entries().front();
        context.counts.add(Cause::QueueFull);
        set_incomplete(*exchange, spans::Incomplete::Hole);
        end(oldest, *exchange, context.now_ns, context);
    }
    Open& exchange = open(id, context);
    has_multiplexed_ |= open_.size() > 1;
    exchange.request_position = stream.head();
    exchange.request_order = stream.order();
    exchange.start_ns = exchange.request_end_ns = stream.first_ns();
    exchange.queue_us = stream.queue_us();
    exchange.is_response_body_known = true;
    Codec::Request& request = exchange.request;
    request.bytes.clear();
    request.params.clear();
    request.is_told = request.is_cut = false;
    Codec::Response& response = exchange.response;
    response.bytes.clear();
    response.status = 0;
    response.is_head_whole = response.is_cut = false;
    response.failure = {};
}

void Session::end_params(Open& exchange, bool is_cut, Context& context) {
    Codec::Request& request = exchange.request;
    if (request.is_told) return;
    read_params(request.bytes, request.params);
    request.is_told = true;
    request.is_cut = is_cut;
    // Records of a long body may go by uncopied. No length is declared for none (RFC 3875 §4.1.2),
    // and a program may not read that there is none.
    exchange.request_body = request.params.length.value_or(0);
    exchange.is_request_body_known = request.params.length.has_value() || !is_cut;
    begin(exchange, context);
}

void Session::on_request(const Record& record, std::string_view content, Context& context) {
    if (record.type == Type::Begin) return on_begin(record.id, context);
    Open* const exchange = open_.find(record.id);
    if (!exchange) return;  // of the connection, or of a request that was answered before it was whole
    exchange->request_end_ns = requests_.stream.first_ns();
    switch (record.type) {
        case Type::Params:
            if (record.content == 0) return end_params(*exchange, false, context);
            exchange->request.bytes.append(
                content.substr(0, kMaxParams - std::min(kMaxParams, exchange->request.bytes.size())));
            if (content.size() < record.content) {
                context.counts.add(Cause::RuleCut);
                end_params(*exchange, true, context);
            }
            return;
        case Type::Stdin:
            if (exchange->request.params.length) return;
            exchange->request_body += record.content;
            return;
        case Type::Abort:
            exchange->response.failure = "aborted";
            return;
        default:
            return;
    }
}

void Session::on_output(const Record& record, std::string_view content, Open& exchange) {
    Codec::Response& response = exchange.response;
    exchange.response_body += record.content;
    if (response.is_head_whole) return;
    response.bytes.append(content.substr(0, kMaxHead - std::min(kMaxHead, response.bytes.size())));
    const Head head = read_head(response.bytes);
    response.status = head.status;
    response.is_head_whole = head.size > 0 || response.bytes.size() >= kMaxHead || content.size() < record.content;
    if (head.size > 0)
        exchange.response_body -= std::min<std::uint64_t>(head.size, exchange.response_body);
    else if (response.is_head_whole)
        exchange.is_response_body_known = false;
}

void Session::on_response(const Record& record, std::string_view content, Context& context) {
    streams::Stream& stream = responses_.stream;
    Open* const exchange = open_.find(record.id);
    if (!exchange) {
        if (record.id != 0) context.counts.add(Cause::Unmatched);
        return;
    }
    end_params(*exchange, true, context);
    if (!exchange->first_byte_ns) {
        exchange->first_byte_ns = stream.first_ns();
        exchange->response_position = stream.head();
    }
    exchange->has_response = true;
    exchange->response.is_cut = false;
    if (record.type == Type::Stdout) return on_output(record, content, *exchange);
    if (record.type != Type::End) return;
    const std::size_t failure = content.size() > 4 ? static_cast<std::uint8_t>(content[4]) : 0;
    if (failure > 0)
        exchange->response.failure = failure < kFailures.size() ? kFailures[failure] : std::string_view("_OTHER");
    end(record.id, *exchange, stream.time_before(stream.head() + kHeader + content.size()), context);
}

void Session::end(Key key, Open& exchange, std::uint64_t end_ns, Context& context) {
    end_params(exchange, true, context);
    finish(key, exchange, context, end_ns);
}

namespace {

std::unique_ptr<protocols::Session> open_session(const ConnectionInfo& info, Streams& streams, Direction requests) {
    return std::make_unique<Session>(info, streams, requests);
}

}  // namespace

const Protocol kFastcgi{.name = "fastcgi", .sniff = sniff, .open = open_session};

}  // namespace waggle::protocols::fastcgi
