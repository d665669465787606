// SPDX-License-Identifier: Apache-2.0
// What frames mean for the exchanges of a connection.
#include <algorithm>

#include "base/strings.h"
#include "protocols/http2/session.h"

namespace waggle::protocols::http2 {
namespace {

using spans::Incomplete;

constexpr std::uint64_t kQuietNs = 1'000'000'000;
constexpr std::uint64_t kPlainFrame = 16384;

bool is_client_stream(std::uint32_t stream) { return stream & 1; }

}  // namespace

void Http2Session::on_request_head(const Half& half, Fields& fields, Context& context) {
    const Block& block = half.block;
    if (open_.find(block.stream) || !is_client_stream(block.stream)) return;  // its trailers
    const bool is_new = block.stream > last_stream_;
    // Trailers of a request that nobody saw, or that has been answered.
    if (!is_new || (!fields.is_request() && !fields.has_nameless())) return;
    // Nothing in it says what it is, and streams before it may be open still.
    if (!fields.is_request() && !last_stream_) return context.counts.add(Cause::Unmatched);
    Open& exchange = open(block.stream, context);
    exchange.request.clear();
    exchange.response.clear();
    std::swap(exchange.request.fields, fields);
    if (exchange.request.fields.has_nameless()) exchange.request.why = half.why;
    const bool is_answered = block.stream <= answered_stream_;
    exchange.response.is_lost = is_answered || responses_.state == State::Lost;
    if (exchange.response.is_lost) exchange.response.lost_position = responses_.stream.end();
    if (is_answered) exchange.response.lost_ns = responses_.stream.end_ns();
    const Fields& head = exchange.request.fields;
    exchange.request.wants_front =
        !head.has(Name::ContentEncoding) && http::may_carry_call(head.text(Name::Method), head.text(Name::ContentType));
    exchange.request_position = block.position;
    exchange.request_order = block.order;
    exchange.start_ns = block.first_ns;
    exchange.queue_us = block.queue_us;
    exchange.request_end_ns = block.end_ns;
    if (!first_stream_) first_stream_ = block.stream;
    last_stream_ = block.stream;
    begin(exchange, context);
}

void Http2Session::on_response_head(const Half& half, Fields& fields, Context& context) {
    const Block& block = half.block;
    Open* const exchange = open_.find(block.stream);
    if (!exchange) {
        note_unseen(half, block.stream);
        // Not an exchange that was ended before its answer was.
        const bool is_unseen = block.stream > last_stream_ || block.stream < first_stream_;
        if (is_unseen && is_client_stream(block.stream) && fields.is_response()) context.counts.add(Cause::Unmatched);
        return;
    }
    Response& response = exchange->response;
    response.lost_ns = 0;
    if (!exchange->first_byte_ns) exchange->first_byte_ns = block.first_ns;
    if (!exchange->has_response && (fields.is_response() || fields.has_nameless())) {
        response.status = parse_int<std::uint16_t>(fields.text(Name::Status)).value_or(0);
        if (response.status >= 100 && response.status < 200) return;
        exchange->has_response = true;
        exchange->response_position = block.position;
        exchange->end_ns = block.end_ns;
        std::swap(response.fields, fields);
        const Fields& head = response.fields;
        response.is_web = http::is_grpc_web_type(head.text(Name::ContentType));
        if (http::is_grpc_web_text(head.text(Name::ContentType))) response.web_trailers.set_text();
        response.wants_front = !exchange->request.front.empty() && !head.has(Name::ContentEncoding);
        if (response.fields.has_nameless()) response.why = half.why;
        return;
    }
    exchange->has_response = true;  // of which only the trailers were seen, if it was not known
    exchange->end_ns = block.end_ns;
    std::swap(response.trailers, fields);
    if (response.trailers.has_nameless()) response.why = half.why;
}

void Http2Session::on_data(const Half& half, std::uint32_t stream, std::uint64_t content, bool is_size_known) {
    Open* const exchange = open_.find(stream);
    if (!exchange) return note_unseen(half, stream);
    if (is_request(half)) {
        exchange->request.content += content;
        exchange->request.is_lost |= !is_size_known;
        return;
    }
    exchange->response.lost_ns = 0;
    exchange->response.content += content;
    exchange->response.is_lost |= !is_size_known;
    if (!exchange->first_byte_ns) exchange->first_byte_ns = half.stream.first_ns();
}

bool Http2Session::wants_content(const Half& half, std::uint32_t stream) const {
    const Open* const exchange = open_.find(stream);
    if (!exchange) return false;
    return is_request(half) ? exchange->request.wants_front
                            : exchange->response.wants_front || exchange->response.is_web;
}

// Bytes of a stream's content, and how many after them were not copied.
void Http2Session::add_content(const Half& half, std::uint32_t stream, std::string_view bytes, std::uint64_t missing) {
    Open* const exchange = open_.find(stream);
    if (!exchange) return;
    if (!is_request(half) && exchange->response.is_web) {
        exchange->response.web_trailers.add(bytes);
        exchange->response.web_trailers.skip(missing);
        return;
    }
    Message& message = is_request(half) ? static_cast<Message&>(exchange->request) : exchange->response;
    message.add_front(bytes);
    message.wants_front &= !missing && message.front.size() < http::kMaxFront;
    if (is_request(half) && !http::may_be_call(message.front)) {
        message.front.clear();
        message.wants_front = false;
    }
}

// A request that comes later may have been answered by what went by.
void Http2Session::note_unseen(const Half& half, std::uint32_t stream) {
    if (!is_request(half) && is_client_stream(stream) && stream > last_stream_)
        answered_stream_ = std::max(answered_stream_, stream);
}

void Http2Session::on_payload(const Half& half, std::uint32_t stream, std::uint64_t end_ns) {
    if (is_request(half)) return;
    if (Open* const exchange = open_.find(stream)) exchange->end_ns = std::max(exchange->end_ns, end_ns);
}

void Http2Session::on_end(const Half& half, std::uint32_t stream, std::uint64_t end_ns, Context& context) {
    Open* const exchange = open_.find(stream);
    if (!exchange) return;
    if (is_request(half)) {
        exchange->is_request_done = true;
        exchange->request_end_ns = end_ns;
        return;
    }
    // Its head went by unseen.
    if (!exchange->has_response) {
        exchange->has_response = true;
        exchange->response.why = Incomplete::Hole;
    }
    // It came whole, so its length is the one that it declares.
    if (const auto declared = declared_length(exchange->response.fields); declared && exchange->response.is_lost) {
        exchange->response.content = *declared;
        exchange->response.is_lost = exchange->request.fields.text(Name::Method) == "HEAD";
    }
    conclude(stream, *exchange, context, end_ns);
}

// Nothing but the end of the stream is missing: some clients do not wait for it.
bool Http2Session::has_all(const Open& exchange) {
    const Response& response = exchange.response;
    return exchange.has_response && !response.is_lost && declared_length(response.fields) == response.content &&
           response.content;
}

void Http2Session::on_reset(const Half& half, std::uint32_t stream, std::uint32_t error, std::uint64_t end_ns,
                            Context& context) {
    Open* const exchange = open_.find(stream);
    if (!exchange) return;
    constexpr std::uint32_t kCancel = 8;
    if (is_request(half) && (error == 0 || error == kCancel) && has_all(*exchange))
        return conclude(stream, *exchange, context, exchange->end_ns);
    exchange->response.is_reset = true;
    exchange->response.error = error;
    exchange->response.is_lost = true;  // what came of its body is not all of it
    exchange->end_ns = end_ns;
    conclude(stream, *exchange, context, end_ns);
}

// The server has not looked at later streams, and will not.
void Http2Session::on_go_away(std::uint32_t last_stream, std::uint64_t end_ns, Context& context) {
    constexpr std::uint32_t kRefused = 7;
    while (open_.size() && open_.entries().back().key > last_stream)
        on_reset(responses_, open_.entries().back().key, kRefused, end_ns, context);
}

// Any frame may have gone by: the end of every exchange too.
void Http2Session::on_lost(const Half& half) {
    for (const auto& [key, exchange] : open_.entries()) {
        if (is_request(half)) {
            exchange->request.is_lost |= !exchange->is_request_done;
            exchange->request.wants_front = false;
            continue;
        }
        if (!exchange->response.is_lost) exchange->response.lost_position = half.lost_position;
        exchange->response.is_lost = true;
        exchange->response.wants_front = false;
        exchange->response.web_trailers.lose();
    }
}

void Http2Session::on_found(const Half& half, Context& context) {
    if (is_request(half)) return;
    const std::uint64_t end_ns = half.stream.time_before(half.stream.head());
    for (const auto& [key, exchange] : open_.entries())
        if (exchange->response.is_lost) exchange->response.lost_ns = end_ns;
    if (open_.size() == 0) return;
    const auto [key, exchange] = open_.entries().front();
    // Its own frames may follow.
    const bool is_next = read_header(half.stream.bytes()).stream == key;
    if (!is_next && prove_end(*exchange, half.stream.head())) conclude(key, *exchange, context, end_ns);
}

// Bytes up to `position` went by unseen. Where they are as many as the rest of the body of the only exchange that
// is open, they were that.
bool Http2Session::prove_end(Open& exchange, std::uint64_t position) const {
    Response& response = exchange.response;
    if (open_.size() != 1 || !response.is_lost || !exchange.has_response || !response.lost_position) return false;
    const auto declared = declared_length(response.fields);
    if (!declared || *declared < response.content || exchange.request.fields.text(Name::Method) == "HEAD") return false;
    const std::uint64_t rest = *declared - response.content;
    const std::uint64_t frames = kHeaderSize * ((rest + kPlainFrame - 1) / kPlainFrame);
    if (position < response.lost_position + rest + frames) return false;
    response.content = *declared;
    response.is_lost = false;
    return true;
}

// Exchanges whose end may have been lost, and that nothing was seen of since.
void Http2Session::settle(Context& context) {
    const bool is_lost = responses_.state == State::Lost;
    for (std::size_t i = open_.size(); i-- > 0;) {
        const auto [key, exchange] = open_.entries()[i];
        if (!exchange->response.is_lost) continue;
        const std::uint64_t since = is_lost ? responses_.stream.end_ns() : exchange->response.lost_ns;
        if (!since || std::max(since, exchange->request_end_ns) + kQuietNs > context.now_ns) continue;
        if (is_lost) prove_end(*exchange, responses_.stream.end());
        if (exchange->response.is_lost) set_incomplete(*exchange, Incomplete::Hole);
        conclude(key, *exchange, context, std::max(since, exchange->end_ns));
    }
}

// Fills in what is known at the end.
void Http2Session::conclude(Key key, Open& exchange, Context& context, std::uint64_t end_ns) {
    Request& request = exchange.request;
    Response& response = exchange.response;
    exchange.end_ns = std::max(end_ns, exchange.start_ns);
    exchange.request_body = request.content;
    exchange.is_request_body_known = exchange.is_request_done && !request.is_lost;
    if (!exchange.is_request_done)
        if (const auto declared = declared_length(request.fields)) {
            // Answered before its body was read: what the head declares is its size.
            exchange.request_body = *declared;
            exchange.is_request_body_known = true;
        }
    exchange.response_body = response.content;
    exchange.is_response_body_known = !response.is_lost && exchange.incomplete == Incomplete::No;
    const bool lacks_request = !request.fields.has(Name::Method) || !request.fields.has(Name::Path);
    if (lacks_request && request.why != Incomplete::No) set_incomplete(exchange, request.why);
    const bool lacks_response = exchange.has_response && (!response.status || response.trailers.has_nameless());
    if (lacks_response && response.why != Incomplete::No) set_incomplete(exchange, response.why);
    finish(key, exchange, context, exchange.end_ns);
}

std::uint64_t Http2Session::last_time(const Context& context) const {
    const std::uint64_t last = std::max(requests_.stream.end_ns(), responses_.stream.end_ns());
    return last ? last : context.now_ns;
}

void Http2Session::on_close(Incomplete reason, Context& context) {
    is_closing_ = true;
    on_bytes(requests_.direction, context);
    while (open_.size()) {
        const auto [key, exchange] = open_.entries().front();
        if (reason == Incomplete::Closed && has_all(*exchange)) {
            conclude(key, *exchange, context, exchange->end_ns);
            continue;
        }
        if (!prove_end(*exchange, responses_.stream.end())) {
            const bool may_be_whole = exchange->response.is_lost && reason == Incomplete::Closed;
            set_incomplete(*exchange, may_be_whole ? Incomplete::Hole : reason);
        }
        conclude(key, *exchange, context, last_time(context));
    }
}

}  // namespace waggle::protocols::http2
