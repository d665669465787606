// SPDX-License-Identifier: Apache-2.0
#include "protocols/http2/session.h"

#include <algorithm>

#include "protocols/http1/message.h"
#include "protocols/http2/http2.h"

namespace waggle::protocols::http2 {
namespace {

constexpr std::size_t kMaxBlock = 64 * 1024;
// A frame that is waited for must fit into a stream's buffer.
constexpr std::size_t kMaxWaited = streams::Stream::kMaxBuffered / 2;
// An event that has not come this long after its bytes was lost.
constexpr std::uint64_t kLateNs = 100'000'000;

}  // namespace

Http2Session::Http2Session(const ConnectionInfo& info, Streams& streams, Direction requests)
    : KeyedSession(info),
      requests_(streams.of(requests), requests),
      responses_(streams.of(opposite(requests)), opposite(requests)),
      is_received_(requests == Direction::Receive) {}

void Http2Session::on_bytes(Direction, Context& context) {
    read(requests_, context);
    read(responses_, context);
}

void Http2Session::on_tick(Context& context) {
    on_bytes(requests_.direction, context);
    settle(context);
    KeyedSession::on_tick(context);
}

bool Http2Session::wants_tails() const {
    if (open_.size() == 0) return false;
    const auto is_waiting = [](const Half& half) { return half.payload_end || half.state == State::Lost; };
    return is_waiting(requests_) || is_waiting(responses_) || KeyedSession::wants_tails();
}

void Http2Session::read(Half& half, Context& context) {
    for (;;) {
        if (half.payload_end && !pass_payload(half, context)) return;
        if (half.stream.is_empty() || is_ahead(half, context)) return;
        if (half.state == State::Fresh && !begin_half(half)) return;
        if (half.state == State::Lost && !find_again(half, context)) return;
        if (half.state == State::Frames && !read_frame(half, context)) return;
    }
}

// Nothing went before the head of the stream.
bool Http2Session::is_at_start(const Half& half) const {
    const streams::Stream& stream = half.stream;
    if (stream.turn_before() || stream.is_gap_at(stream.head())) return false;
    return has_preface_ ? stream.turn() <= 1 : info_.from_start >> static_cast<unsigned>(half.direction) & 1;
}

// False when more is needed to tell where the bytes stand.
bool Http2Session::begin_half(Half& half) {
    if (is_request(half)) {
        const std::string_view bytes = half.stream.bytes().substr(0, kPreface.size());
        if (!bytes.empty() && bytes == kPreface.substr(0, bytes.size())) {
            if (bytes.size() < kPreface.size()) return half.stream.is_cut();
            half.stream.consume(kPreface.size());
            has_preface_ = true;
            half.state = State::Frames;
            return true;
        }
    } else if (is_at_start(half)) {
        half.state = State::Frames;
        return true;
    }
    half.decoder.lose();
    half.why = spans::Incomplete::AgentStart;
    half.state = State::Lost;
    half.lost_position = half.stream.head();
    return true;
}

// Answers wait for requests that stand before them: a client's may be reported later, and those of either may
// not be readable yet.
bool Http2Session::is_ahead(const Half& half, const Context& context) const {
    if (is_request(half) || is_closing_) return false;
    const streams::Stream& requests = requests_.stream;
    const bool is_late = is_received_
                             ? !requests.is_empty() && !requests.hole() && half.stream.head() >= requests.order()
                             : half.stream.order() > requests.head();
    return is_late && half.stream.first_ns() + kLateNs > context.now_ns;
}

bool Http2Session::pass_payload(Half& half, Context& context) {
    const std::uint64_t end = *half.payload_end;
    if (half.is_kept) {
        const std::uint64_t size = std::min(end, half.stream.end()) - std::min(half.stream.head(), half.stream.end());
        const std::string_view bytes = half.stream.bytes().substr(0, size);
        if (size) add_content(half, half.payload_stream, bytes, size - bytes.size());
    }
    if (half.stream.end() < end) {
        half.stream.skip_to(half.stream.end());
        return false;
    }
    const std::uint64_t end_ns = half.stream.time_before(end);
    half.stream.skip_to(end);
    half.payload_end.reset();
    half.is_kept = false;
    if (const std::uint32_t stream = std::exchange(half.payload_stream, 0)) {
        on_payload(half, stream, end_ns);
        if (std::exchange(half.ends_stream, false)) on_end(half, stream, end_ns, context);
    }
    return true;
}

void Http2Session::pass(Half& half, const FrameHeader& header) {
    half.payload_end = half.stream.head() + kHeaderSize + header.length;
}

bool Http2Session::read_frame(Half& half, Context& context) {
    if (half.stream.hole()) {
        lose(half, Cause::Hole, context);
        return true;
    }
    const std::string_view bytes = half.stream.bytes();
    if (bytes.size() < kHeaderSize) {
        if (!half.stream.is_cut()) return false;
        lose(half, Cause::Hole, context);
        return true;
    }
    FrameHeader header = read_header(bytes);
    const bool is_expected = half.block.is_open ? header.type == kContinuation && header.stream == half.block.stream
                                                : header.type != kContinuation;
    if (!is_possible(header) || !is_expected) {
        lose(half, Cause::ParseInvalid, context);
        return true;
    }
    header.stream &= 0x7fffffff;
    switch (header.type) {
        case kData:
            return read_data(half, header, bytes, context);
        case kHeaders:
        case kPushPromise:
        case kContinuation:
            return read_block(half, header, bytes, context);
        case kReset:
        case kGoAway:
            return read_control(half, header, bytes, context);
        default:
            pass(half, header);
            return true;
    }
}

bool Http2Session::read_data(Half& half, const FrameHeader& header, std::string_view bytes, Context&) {
    std::uint64_t content = header.length;
    bool is_size_known = true;
    if (header.has(kPadded) && header.length) {
        if (bytes.size() > kHeaderSize) {
            const std::uint64_t padding = 1 + static_cast<std::uint8_t>(bytes[kHeaderSize]);
            content -= std::min(content, padding);
        } else if (half.stream.is_cut()) {
            is_size_known = false;
        } else {
            return false;
        }
    }
    on_data(half, header.stream, content, is_size_known);
    pass(half, header);
    half.payload_stream = header.stream;
    half.ends_stream = header.has(kEndStream);
    if (!wants_content(half, header.stream)) return true;
    // Nobody pads what is read here.
    if (header.has(kPadded)) {
        add_content(half, header.stream, {}, header.length);
    } else {
        half.is_kept = true;
        half.stream.consume(kHeaderSize);
    }
    return true;
}

bool Http2Session::read_block(Half& half, const FrameHeader& header, std::string_view bytes, Context& context) {
    streams::Stream& stream = half.stream;
    std::string_view payload = bytes.substr(kHeaderSize, header.length);
    const bool is_whole = payload.size() == header.length;
    if (!is_whole && !stream.is_cut() && !stream.is_closed() && header.length <= kMaxWaited) return false;
    Block& block = half.block;
    if (header.type != kContinuation) {
        block.is_open = true;
        block.is_cut = false;
        block.is_promise = header.type == kPushPromise;
        block.ends_stream = header.type == kHeaders && header.has(kEndStream);
        block.stream = header.stream;
        block.position = stream.head();
        block.order = stream.order();
        block.first_ns = stream.first_ns();
        block.queue_us = stream.queue_us();
        block.text.clear();
        if (!strip(header, payload)) {
            lose(half, Cause::ParseInvalid, context);
            return true;
        }
    }
    if (!block.is_cut) {
        block.text.append(payload.substr(0, kMaxBlock - std::min(kMaxBlock, block.text.size())));
        block.is_cut = !is_whole || block.text.size() >= kMaxBlock;
    }
    const std::uint64_t end = stream.head() + kHeaderSize + header.length;
    block.end_ns = stream.time_before(std::min(end, stream.end()));
    pass(half, header);
    if (header.has(kEndHeaders)) finish_block(half, context);
    return true;
}

void Http2Session::finish_block(Half& half, Context& context) {
    Block& block = half.block;
    block.is_open = false;
    scratch_.clear();
    const Decoder::Result result = half.decoder.decode(block.text, scratch_);
    if (result == Decoder::Result::Malformed) context.counts.add(Cause::ParseInvalid);
    if (block.is_cut) {
        // It may have been cut between two fields.
        half.decoder.lose();
        scratch_.add_missing();
        context.counts.add(Cause::RuleCut);
    }
    if (result != Decoder::Result::Whole || block.is_cut) half.why = spans::Incomplete::Hole;
    if (block.is_promise) return;  // a push is nobody's request
    if (is_request(half))
        on_request_head(half, scratch_, context);
    else
        on_response_head(half, scratch_, context);
    // The end comes with the frame's last byte, which may be on its way where the frame was cut.
    if (!block.ends_stream) return;
    half.payload_stream = block.stream;
    half.ends_stream = true;
}

bool Http2Session::read_control(Half& half, const FrameHeader& header, std::string_view bytes, Context& context) {
    constexpr std::size_t kGoAwaySize = 8;
    const std::size_t needed = kHeaderSize + (header.type == kReset ? header.length : kGoAwaySize);
    if (bytes.size() < needed) {
        if (!half.stream.is_cut()) return false;
        lose(half, Cause::Hole, context);
        return true;
    }
    const std::uint64_t end_ns = half.stream.time_before(half.stream.head() + needed);
    const std::uint32_t first = read_u32(bytes.substr(kHeaderSize));
    pass(half, header);
    if (header.type == kReset)
        on_reset(half, header.stream, first, end_ns, context);
    else if (!is_request(half))
        on_go_away(first & 0x7fffffff, end_ns, context);
    return true;
}

void Http2Session::lose(Half& half, Cause cause, Context& context) {
    context.counts.add(cause);
    half.decoder.lose();
    half.why = spans::Incomplete::Hole;
    half.block.is_open = false;
    half.payload_end.reset();
    half.payload_stream = 0;
    half.ends_stream = half.is_kept = false;
    half.state = State::Lost;
    half.lost_position = half.stream.head();
    // What stands here is none, so that it is not tried again.
    if (!half.stream.hole()) half.stream.skip_to(half.stream.next_piece().value_or(half.stream.end()));
    on_lost(half);
}

// A stream that is open is known: its frames need no second witness.
bool Http2Session::is_known(const Half& half, const FrameHeader& header) const {
    if (!is_plausible(header) || (header.type != kData && header.type != kHeaders && header.type != kReset))
        return false;
    const Open* exchange = open_.find(header.stream);
    return exchange && (!is_request(half) || !exchange->is_request_done);
}

// Frames begin at the front of a call more often than not; true when they do beyond doubt.
bool Http2Session::find_again(Half& half, Context& context) {
    streams::Stream& stream = half.stream;
    while (!stream.is_empty()) {
        if (const std::uint64_t hole = stream.hole()) {
            stream.consume(hole);
            continue;
        }
        const std::string_view bytes = stream.bytes();
        Sniff verdict = find_frames(bytes, false);
        if (verdict == Sniff::NeedMore && find_frames(bytes, true) == Sniff::Yes) verdict = Sniff::Yes;
        if (verdict != Sniff::No && bytes.size() >= kHeaderSize && is_known(half, read_header(bytes)))
            verdict = Sniff::Yes;
        if (verdict == Sniff::Yes) {
            half.state = State::Frames;
            on_found(half, context);
            return true;
        }
        if (verdict == Sniff::NeedMore && !stream.is_cut() && !stream.is_closed() && bytes.size() < kMaxWaited)
            return false;
        stream.skip_to(stream.next_piece().value_or(stream.end()));
    }
    return false;
}

// The request as HTTP/1.1 wrote it, as HTTP/2 would have.
void Http2Session::take_over(Handover& handover, Context& context) {
    constexpr std::uint32_t kFirst = 1;
    requests_.state = State::Fresh;  // the client's preface comes yet
    responses_.state = State::Frames;
    has_preface_ = true;
    first_stream_ = last_stream_ = kFirst;
    Open& exchange = open(kFirst, context);
    static_cast<ExchangeState&>(exchange) = std::move(handover.exchange);
    exchange.request.clear();
    exchange.response.clear();
    http1::RequestHead head;
    if (http1::parse_request(handover.request, true, head)) {
        Fields& fields = exchange.request.fields;
        const auto add = [&](Name name, http1::Slice slice) {
            if (!slice.is_empty()) fields.add(name, head.at(slice));
        };
        add(Name::Method, head.method);
        add(Name::Path, head.target);
        add(Name::Authority, head.host);
        add(Name::UserAgent, head.user_agent);
        add(Name::Traceparent, head.traceparent);
        add(Name::Tracestate, head.tracestate);
    }
    exchange.request.content = exchange.request_body;
    exchange.is_request_done = true;
    ++context.counts.seen;
}

namespace {

std::unique_ptr<Session> open_session(const ConnectionInfo& info, Streams& streams, Direction requests) {
    return std::make_unique<Http2Session>(info, streams, requests);
}

std::unique_ptr<Session> take_over_session(const ConnectionInfo& info, Streams& streams, Direction requests,
                                           Handover& handover, Context& context) {
    auto session = std::make_unique<Http2Session>(info, streams, requests);
    session->take_over(handover, context);
    return session;
}

}  // namespace

// Of DATA the front is copied, in which a call's name or gRPC-Web's trailers stand.
const Protocol kHttp2{.name = "http2",
                      .sniff = sniff,
                      .open = open_session,
                      .upgrade_token = "h2c",
                      .take_over = take_over_session,
                      .framing = wg_framing{.header = kHeaderSize,
                                            .length_bytes = 3,
                                            .type_at = 3,
                                            .types = kContinuation + 1,
                                            .front = 512,
                                            .length_adds = kHeaderSize,
                                            .whole_types = kAllTypes & ~type_bit(kData),
                                            .max_length = 1 << 20}};

}  // namespace waggle::protocols::http2
