// SPDX-License-Identifier: Apache-2.0
// The life of exchanges, and the request side; answers: session_answers.cc.
#include "protocols/kafka/session.h"

#include <algorithm>

#include "protocols/kafka/kafka.h"

namespace waggle::protocols::kafka {
namespace {

constexpr std::size_t kMaxView = 32 * 1024;  // of a body that is read at once
constexpr std::size_t kMaxPositions = 4096;
constexpr std::uint32_t kMaxAhead = 1 << 20;  // so many numbers may be missing in a hole

void clear(Contents& contents) {
    contents.topic.text.clear();
    TopicKey topic = std::move(contents.topic);
    contents = {};
    contents.topic = std::move(topic);
}

}  // namespace

Session::Session(const ConnectionInfo& info, Streams& streams, Direction requests)
    : KeyedSession(info),
      requests_{.stream = streams.of(requests), .records = {}},
      responses_{.stream = streams.of(opposite(requests)),
                 .is_lost = !(info.from_start >> static_cast<unsigned>(opposite(requests)) & 1),
                 .records = {}},
      is_received_(requests == Direction::Receive),
      request_direction_(requests) {}

// True when nothing is left that is to be passed over.
bool Session::Side::pass() {
    if (stream.head() < passed_to) stream.skip_to(std::min(passed_to, std::max(stream.end(), stream.head())));
    return stream.head() >= passed_to;
}

// What is here of the frame.
std::string_view Session::Side::view() const { return stream.bytes().substr(0, frame_end - stream.head()); }

void Session::Side::begin_frame(std::uint64_t end, std::uint64_t head) {
    frame_end = end;
    passed_to = stream.head() + head;
}

void Session::Side::end_body() {
    body = Body::None;
    passed_to = frame_end;
}

void Session::on_bytes(Direction direction, Context& context) {
    if (direction == request_direction_) read_requests(context);
    read_responses(context);
}

void Session::on_tick(Context& context) {
    is_slow_told_ = false;
    for (const auto& [key, exchange] : open_.entries()) {
        if (!exchange->request.is_told) continue;
        is_slow_told_ |= exchange->start_ns + kSlowNs < context.now_ns;
        check_age(*exchange, info_, context);
    }
}

void Session::on_close(spans::Incomplete reason, Context& context) {
    read_requests(context);
    read_responses(context);
    if (requests_.body != Body::None) end_request_body(context);
    while (open_.size() > 0) {
        const auto [key, exchange] = open_.entries().front();
        spans::Incomplete reason_of = reason;
        // Its answer may have gone by.
        const bool is_missed = responses_.is_lost && responses_.stream.end_ns() >= exchange->start_ns;
        if (reason == spans::Incomplete::Closed && is_missed) {
            context.counts.add(Cause::Hole);
            reason_of = spans::Incomplete::Hole;
        }
        if (exchange->request.is_told) set_incomplete(*exchange, reason_of);
        const std::uint64_t last = std::max(requests_.stream.end_ns(), responses_.stream.end_ns());
        end(key, *exchange, last ? last : context.now_ns, context);
    }
}

std::size_t Session::open_exchanges() const {
    return static_cast<std::size_t>(std::ranges::count_if(open_.entries(), [](const auto& entry) {
        return entry.exchange->request.is_told && !entry.exchange->is_reported;
    }));
}

// Frames end in bytes that are not copied.
bool Session::wants_tails() const {
    return is_slow_told_ || requests_.passed_to > requests_.stream.end() ||
           responses_.passed_to > responses_.stream.end();
}

std::optional<Session::Key> Session::key_of(std::int32_t id) const {
    for (const auto& [key, exchange] : open_.entries())
        if (exchange->request.id == id) return key;
    return {};
}

void Session::tell(Open& exchange, Context& context) {
    if (exchange.request.is_told) return;
    exchange.request.is_told = true;
    begin(exchange, context);
}

// The exchange is over: a span, if it is one.
void Session::end(Key key, Open& exchange, std::uint64_t end_ns, Context& context) {
    Codec::Request& request = exchange.request;
    if (!request.is_told) return open_.erase(key);
    const TopicKey& topic = request.api == kProduce ? request.contents.topic : exchange.response.contents.topic;
    if (topic.is_id)
        request.topic.assign(context.names.find("kafka topic " + topic.text));
    else
        request.topic.assign(topic.text);
    request.group.clear();
    if (request.api == kFetch && is_group_known_) {
        request.group.assign(group_);
        if (group_.empty() && info_.role == Role::Client)
            request.group.assign(context.names.find(group_key(request.client_id)));
    }
    finish(key, exchange, context, end_ns);
}

// A client's members of groups talk to their coordinator over connections of their own.
std::string Session::group_key(std::string_view client_id) const {
    std::string key =
        "kafka group " + std::to_string(info_.process.pid) + ' ' + std::to_string(info_.process.start_ns) + ' ';
    return key.append(client_id);
}

void Session::learn_group(std::string_view body, const Open& exchange, Context& context) {
    const auto group = group_of(body, exchange.request.api, exchange.request.version);
    if (!group) return;
    if (group_.empty())
        group_.assign(*group);
    else if (group_ != *group)
        is_group_known_ = false;
    if (info_.role == Role::Client) context.names.learn(group_key(exchange.request.client_id), *group);
}

void Session::read_requests(Context& context) {
    for (;;) {
        if (!requests_.pass()) return;
        if (requests_.body != Body::None) {
            if (!read_request_body(context)) return;
            continue;
        }
        if (ends_with_request_) {
            ends_with_request_ = false;
            if (Open* const exchange = open_.find(requests_.key))
                end(requests_.key, *exchange, requests_.stream.time_before(requests_.frame_end), context);
        }
        if (requests_.stream.is_empty()) return;
        if (requests_.is_lost && !find_request()) return;
        if (requests_.stream.hole())
            lose_requests(context);
        else if (!read_request_head(context))
            return;
    }
}

void Session::lose_requests(Context& context) {
    context.counts.add(Cause::Hole);
    requests_.is_lost = true;
    positions_.clear();
}

// Where a call begins with a head of this client. In the midst of a turn its number must go on as well: clients send
// many requests before they read an answer.
bool Session::find_request() {
    streams::Stream& stream = requests_.stream;
    while (!stream.is_empty()) {
        const bool is_turn = stream.is_at_turn_start();
        if (!stream.hole() && (is_turn || !client_id_.empty())) {
            Head head;
            const Reader::State state = read_head(stream.bytes(), head);
            const bool is_ours = client_id_.empty() ? sniff(stream.bytes(), protocols::Side::Request) == Sniff::Yes
                                                    : head.client_id == client_id_ && (is_turn || goes_on(head.id));
            if (state == Reader::State::Good && is_ours) {
                requests_.is_lost = false;
                return true;
            }
            if (state == Reader::State::Short && !requests_.is_final()) return false;
        }
        stream.skip_to(stream.next_piece().value_or(stream.end()));
    }
    return false;
}

// Is it the number of one of the next requests?
bool Session::goes_on(std::int32_t id) const {
    const std::uint32_t ahead = static_cast<std::uint32_t>(id) - static_cast<std::uint32_t>(last_id_);
    return ahead > 0 && ahead <= kMaxAhead;
}

bool Session::read_request_head(Context& context) {
    streams::Stream& stream = requests_.stream;
    const std::string_view bytes = stream.bytes();
    Head head;
    const Reader::State state = read_head(bytes, head);
    if (state == Reader::State::Good) {
        open_request(head, context);
        return true;
    }
    if (state == Reader::State::Short && !requests_.is_final()) return false;
    // Where the frame ends is known, if nothing else.
    const bool has_length = bytes.size() >= 4 && head.length > 0;
    const bool is_raw = is_raw_ && bytes.size() >= 4;
    if (!is_raw) {
        context.counts.add(state == Reader::State::Bad ? Cause::ParseInvalid : Cause::Hole);
        positions_.clear();
    }
    if (is_raw || (has_length && state == Reader::State::Short)) {
        const auto length = static_cast<std::uint32_t>(Reader(bytes, false).i32());
        requests_.begin_frame(stream.head() + 4 + length, 4);
        requests_.end_body();
        if (length <= kMaxFrame) return true;
    }
    requests_.passed_to = 0;
    requests_.is_lost = true;
    return stream.skip_to_next_turn();
}

void Session::open_request(const Head& head, Context& context) {
    streams::Stream& stream = requests_.stream;
    if (open_.size() > 0) has_pipelined_ = true;
    if (open_.size() >= kMaxOpen) {
        context.counts.add(Cause::QueueFull);
        const auto [oldest, exchange] = open_.entries().front();
        if (exchange->request.is_told) set_incomplete(*exchange, spans::Incomplete::Hole);
        end(oldest, *exchange, context.now_ns, context);
    }
    requests_.key = ++last_key_;
    Open& exchange = open(requests_.key, context);
    exchange.request_position = stream.head();
    exchange.request_order = stream.order();
    exchange.start_ns = stream.first_ns();
    exchange.request_end_ns = stream.first_ns();
    exchange.queue_us = stream.queue_us();
    Codec::Request& request = exchange.request;
    request.api = head.api;
    request.version = head.version;
    request.id = last_id_ = head.id;
    request.is_told = request.is_copy = false;
    request.fetch = head.api == kFetch ? ++fetches_ : 0;
    request.client_id.assign(head.client_id);
    clear(request.contents);
    clear(exchange.response.contents);
    exchange.response.result = {};
    client_id_.assign(head.client_id);
    is_raw_ |= head.api == kSaslHandshake && head.version == 0;
    requests_.begin_frame(stream.head() + 4 + head.length, head.size);
    const bool has_group = head.api == 8 || (head.api >= 11 && head.api <= 14) || head.api == 68;
    if (head.api == kProduce) {
        requests_.body = Body::Records;
        requests_.records.begin(RecordsReader::Kind::ProduceRequest, head.version, nullptr);
        if (!is_readable(head.api, head.version)) end_request_body(context);
    } else if ((head.api == kFetch && is_readable(head.api, head.version)) || has_group) {
        requests_.body = Body::Whole;
    } else {
        requests_.end_body();
    }
}

Session::Progress Session::read_records(Side& side, Contents& contents, Context& context) {
    using Kind = RecordsReader::Step::Kind;
    const std::uint64_t left = side.frame_end - side.stream.head();
    const std::string_view view = side.view();
    const bool is_final = side.is_final() || view.size() == left;
    const RecordsReader::Step step = side.records.step(view, is_final, contents);
    std::optional<std::uint64_t> size = step.size;
    if (step.kind == Kind::NeedMore) {
        if (!is_final) return Progress::Waits;
        size = side.records.pass_hole(contents);
    }
    if (step.kind == Kind::Invalid || (size && *size > left)) {
        context.counts.add(Cause::ParseInvalid);
        contents.is_count_known = false;
        return Progress::Ends;
    }
    if (step.kind == Kind::Done || !size) return Progress::Ends;
    side.passed_to = side.stream.head() + *size;
    return Progress::GoesOn;
}

bool Session::read_request_body(Context& context) {
    Open* const exchange = open_.find(requests_.key);
    if (!exchange) {
        requests_.end_body();
        return true;
    }
    if (requests_.body == Body::Records) {
        const Progress progress = read_records(requests_, exchange->request.contents, context);
        if (progress == Progress::Waits) return false;
        // The first records say whose trace it is.
        if (exchange->request.contents.batches > 0) tell(*exchange, context);
        if (progress == Progress::Ends) end_request_body(context);
        return true;
    }
    const std::string_view view = requests_.view();
    const bool is_whole = view.size() == requests_.frame_end - requests_.stream.head();
    if (!is_whole && !requests_.is_final() && view.size() < kMaxView) return false;
    if (exchange->request.api == kFetch)
        read_fetch(view, *exchange);
    else
        learn_group(view, *exchange, context);
    requests_.end_body();
    return true;
}

void Session::end_request_body(Context& context) {
    Open* const exchange = open_.find(requests_.key);
    if (exchange && exchange->request.api == kProduce) {
        tell(*exchange, context);
        ends_with_request_ = requests_.records.acks() == 0;
    }
    requests_.end_body();
}

// Consumers name only what has changed since the Fetch before.
void Session::read_fetch(std::string_view body, Open& exchange) {
    FetchRequest& request = fetch_;
    request = {.positions = std::move(request.positions)};
    request.positions.clear();
    const Reader::State state = read_fetch_request(body, exchange.request.version, request);
    exchange.request.is_copy = request.replica >= 0;
    const bool is_new = exchange.request.version < 7 || request.session == 0 || request.epoch <= 0;
    if (is_new || state != Reader::State::Good) {
        std::swap(positions_, request.positions);
        return;
    }
    for (FetchPosition& position : request.positions) {
        const auto known = std::ranges::find_if(positions_, [&](const FetchPosition& old) {
            return old.partition == position.partition && old.topic == position.topic;
        });
        if (known != positions_.end())
            known->offset = position.offset;
        else if (positions_.size() < kMaxPositions)
            positions_.push_back(std::move(position));
    }
}

namespace {

std::unique_ptr<protocols::Session> open_session(const ConnectionInfo& info, Streams& streams, Direction requests) {
    return std::make_unique<Session>(info, streams, requests);
}

}  // namespace

const Protocol kKafka{
    .name = "kafka",
    .sniff = sniff,
    .open = open_session,
    .framing = wg_framing{.header = 4, .length_bytes = 4, .front = 16000, .length_adds = 4, .max_length = 1 << 30}};

}  // namespace waggle::protocols::kafka
