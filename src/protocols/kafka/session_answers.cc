// SPDX-License-Identifier: Apache-2.0
// The response side of Session: which answer is whose.
#include <algorithm>

#include "protocols/kafka/session.h"

namespace waggle::protocols::kafka {
namespace {

constexpr std::size_t kMaxView = 32 * 1024;
constexpr std::size_t kAnswerHead = 8;
constexpr std::int64_t kMaxAnswer = std::int64_t{1} << 30;
constexpr std::int32_t kMaxLinked = 1 << 20;  // of a frame that must show that it is one

}  // namespace

// A client's request may be reported after its answer.
bool Session::is_request_late() const { return !is_received_ && responses_.stream.order() > requests_.stream.end(); }

void Session::read_responses(Context& context) {
    for (;;) {
        if (!responses_.pass()) return;
        if (responses_.body != Body::None) {
            if (!read_response_body(context)) return;
            continue;
        }
        if (is_answered_) end_response(context);
        if (responses_.stream.is_empty()) return;
        if (responses_.is_lost && !find_response(context)) return;
        if (responses_.stream.hole())
            lose_responses(context);
        else if (!read_response_head(context))
            return;
    }
}

void Session::lose_responses(Context& context) {
    if (open_.size() > 0) context.counts.add(Cause::Hole);
    responses_.is_lost = has_lost_answers_ = true;
}

// Do frames that answer what is open follow each other, up to where the bytes end?
Session::Chain Session::chain_of(std::string_view bytes) const {
    const std::uint64_t size = responses_.stream.end() - responses_.stream.head();
    std::uint64_t at = 0;
    while (at + kAnswerHead <= bytes.size()) {
        Reader reader(bytes.substr(at), false);
        const std::int32_t length = reader.i32();
        if (length < 4 || length > kMaxLinked || !key_of(reader.i32())) return Chain::No;
        at += 4 + static_cast<std::uint64_t>(length);
    }
    if (at == size) return Chain::Closed;
    return at > size || size == bytes.size() ? Chain::Open : Chain::No;
}

// Where a turn begins with an answer to what is open. Where several are under way a turn may begin anywhere.
bool Session::find_response(Context& context) {
    streams::Stream& stream = responses_.stream;
    while (!stream.is_empty()) {
        if (!stream.hole() && stream.is_at_turn_start()) {
            const std::string_view bytes = stream.bytes();
            if (bytes.size() < kAnswerHead && !responses_.is_final()) return false;
            Reader reader(bytes, false);
            const std::int32_t length = reader.i32();
            const std::int32_t id = reader.i32();
            const bool is_frame = reader.is_good() && length >= 4 && length <= kMaxAnswer;
            if (is_frame && key_of(id)) {
                const Chain chain = has_pipelined_ ? chain_of(bytes) : Chain::Closed;
                if (chain == Chain::Open) return false;
                responses_.is_lost = chain == Chain::No;
                if (!responses_.is_lost) return true;
            }
            if (is_request_late()) return false;
            if (open_.size() == 0) context.counts.add(Cause::Unmatched);
        }
        if (is_request_late()) return false;
        has_lost_answers_ = true;
        if (!stream.skip_to_next_turn()) return false;
    }
    return false;
}

bool Session::read_response_head(Context& context) {
    streams::Stream& stream = responses_.stream;
    const std::string_view bytes = stream.bytes();
    if (bytes.size() < kAnswerHead) {
        if (!responses_.is_final()) return false;
        lose_responses(context);
        return stream.skip_to_next_turn();
    }
    Reader reader(bytes, false);
    const std::int64_t length = reader.i32();
    const auto key = key_of(reader.i32());
    if (length < (is_raw_ && !key ? 0 : 4) || length > kMaxAnswer) {
        context.counts.add(Cause::ParseInvalid);
        responses_.is_lost = has_lost_answers_ = true;
        return stream.skip_to_next_turn();
    }
    if (!key) {
        if (is_request_late()) return false;
        if (!is_raw_) context.counts.add(Cause::Unmatched);
        responses_.begin_frame(stream.head() + 4 + static_cast<std::uint64_t>(length), 4);
        responses_.end_body();
        return true;
    }
    if (has_lost_answers_) lose_answers_before(*key, context);
    is_raw_ &= open_.find(*key)->request.api == kSaslHandshake;
    // What is left of the request is not copied.
    if (requests_.body != Body::None && requests_.key == *key) end_request_body(context);
    Open& exchange = *open_.find(*key);
    exchange.first_byte_ns = stream.first_ns();
    exchange.response_position = stream.head();
    exchange.has_response = true;
    responses_.key = *key;
    is_answered_ = true;
    responses_.begin_frame(stream.head() + 4 + static_cast<std::uint64_t>(length), kAnswerHead);
    const Codec::Request& request = exchange.request;
    const bool is_known = is_readable(request.api, request.version);
    if (request.api == kFetch && is_known && !request.is_copy) {
        responses_.body = Body::Records;
        // What a newer Fetch asks for says nothing of this one.
        const auto* const positions = request.fetch == fetches_ ? &positions_ : nullptr;
        responses_.records.begin(RecordsReader::Kind::FetchResponse, request.version, positions);
    } else if ((request.api == kProduce || request.api == kMetadata) && is_known) {
        responses_.body = Body::Whole;
    } else {
        responses_.end_body();
    }
    return true;
}

// Kafka answers in order: what was asked before has been answered in what was lost.
void Session::lose_answers_before(Key key, Context& context) {
    has_lost_answers_ = false;
    while (open_.size() > 0 && open_.entries().front().key < key) {
        const auto [lost, exchange] = open_.entries().front();
        // Whether a Fetch that is not told brought anything nobody knows.
        const Codec::Request& request = exchange->request;
        if (request.is_told || (request.api == kFetch && !request.is_copy)) context.counts.add(Cause::Hole);
        if (request.is_told) set_incomplete(*exchange, spans::Incomplete::Hole);
        end(lost, *exchange, std::max(exchange->request_end_ns, exchange->first_byte_ns), context);
    }
}

bool Session::read_response_body(Context& context) {
    Open* const exchange = open_.find(responses_.key);
    if (!exchange) {
        responses_.end_body();
        return true;
    }
    if (responses_.body == Body::Records) {
        Contents& contents = exchange->response.contents;
        const Progress progress = read_records(responses_, contents, context);
        if (progress == Progress::Waits) return false;
        if (contents.partitions > 0 || contents.error != 0) tell(*exchange, context);
        if (progress == Progress::Ends) responses_.end_body();
        return true;
    }
    const std::string_view view = responses_.view();
    const bool is_whole = view.size() == responses_.frame_end - responses_.stream.head();
    if (!is_whole && !responses_.is_final() && view.size() < kMaxView) return false;
    read_answer(view, *exchange, context);
    responses_.end_body();
    return true;
}

void Session::read_answer(std::string_view body, Open& exchange, Context& context) {
    const std::int16_t version = exchange.request.version;
    if (exchange.request.api == kMetadata) {
        read_metadata(body, version, [&](std::string_view id, std::string_view name) {
            context.names.learn(std::string("kafka topic ").append(id), name);
        });
        return;
    }
    const Reader::State state = read_produce_response(body, version, exchange.response.result);
    if (state == Reader::State::Bad) context.counts.add(Cause::ParseInvalid);
    if (exchange.response.result.partitions > 0 || exchange.response.result.is_read) return;
    set_incomplete(exchange, spans::Incomplete::Hole);
    context.counts.add(Cause::Hole);
}

void Session::end_response(Context& context) {
    is_answered_ = false;
    Open* const exchange = open_.find(responses_.key);
    if (!exchange) return;
    const Codec::Request& request = exchange->request;
    // Whether it brought anything nobody knows.
    if (request.api == kFetch && !request.is_told && !request.is_copy && !exchange->response.contents.is_whole)
        context.counts.add(Cause::Hole);
    end(responses_.key, *exchange, responses_.stream.time_before(responses_.frame_end), context);
}

}  // namespace waggle::protocols::kafka
