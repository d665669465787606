// SPDX-License-Identifier: Apache-2.0
#include "protocols/nats/session.h"

#include "base/strings.h"
#include "protocols/nats/nats.h"
#include "protocols/tls_records.h"

namespace waggle::protocols::nats {
namespace {

constexpr std::size_t kMaxGroups = 1024;
constexpr std::size_t kMaxGroupBytes = 256;  // of an id and its group; longer groups are not told
constexpr std::string_view kInbox = "_INBOX.";
constexpr std::string_view kAck = "$JS.ACK.";
// Its answers are the messages themselves, each on its own subject.
constexpr std::string_view kPull = "$JS.API.CONSUMER.MSG.NEXT.";

bool wants_ok(std::string_view connect) {
    constexpr std::string_view kKey = "\"verbose\"";
    const std::size_t at = connect.find(kKey);
    if (at == std::string_view::npos) return false;
    const std::string_view value = trim(connect.substr(at + kKey.size()), " \t:");
    return value.starts_with("true");
}

Codec::Kind kind_of(const Line& line, std::string_view payload) {
    using Kind = Codec::Kind;
    if (line.subject.starts_with(kInbox)) return Kind::Reply;
    // A worker that says "+WPI" goes on with its message.
    if (line.subject.starts_with(kAck))
        return payload.starts_with("-NAK") || payload.starts_with("+TERM") ? Kind::Nack : Kind::Ack;
    return line.reply.starts_with(kInbox) ? Kind::Request : Kind::Publish;
}

// JetStream says {"error":{"code":400,"err_code":10071,…; else there is none.
std::string_view jetstream_error(std::string_view payload) {
    constexpr std::string_view kError = "\"error\":{\"code\":";
    if (!payload.starts_with('{')) return {};
    const std::size_t at = payload.find(kError);
    if (at == std::string_view::npos) return {};
    const std::string_view rest = payload.substr(at + kError.size());
    return rest.substr(0, std::min<std::size_t>(3, rest.find_first_not_of("0123456789")));
}

// What is lost of an answer may have been the status, or JetStream's error.
bool may_refuse(const Line& line, std::string_view body) {
    constexpr std::size_t kStatus = 12;  // "NATS/1.0 503"
    if (body.size() < std::min<std::uint64_t>(line.headers, kStatus)) return true;
    return body.size() <= line.headers || body[line.headers] == '{';
}

}  // namespace

Parsed<Unit> Session::parse(const Half& half, std::string_view bytes, bool is_final) {
    // What follows a server's INFO that asks for it, or offers it; no line begins like that.
    if (!half.is_answer() && !half.is_lost && bytes.starts_with(kTlsHandshake)) {
        if (begins_tls(bytes)) return Unit{};
        if (bytes.size() < kTlsHeader) return std::unexpected(Stop::NeedMore);
    }
    const auto line = read_line(bytes, is_final);
    if (!line) return std::unexpected(line.error());
    Unit unit{.size = line->length, .front = line->length};
    if (!line->has_body) return unit;
    unit.size += line->size + 2;
    const std::uint64_t headers = std::min<std::uint64_t>(line->headers, kMaxHeaders);
    // Payloads stand behind the headers: of long ones none is seen.
    const std::uint64_t payload =
        headers == line->headers ? std::min<std::uint64_t>(line->size - headers, kMaxPayload) : 0;
    unit.front += headers + payload;
    if (unit.front + 2 < unit.size || bytes.size() < unit.size) return unit;
    // What does not end where it should was none.
    if (bytes.substr(unit.size - 2, 2) != "\r\n") return std::unexpected(Stop::Invalid);
    return unit;
}

void Session::on_frame(Half& half, std::string_view front, const Unit& unit, Context& context) {
    if (unit.size == 0) {
        end_all(spans::Incomplete::Hole, context);
        return be_over(Next::Tls);
    }
    const auto line = read_line(front, true);
    if (!line) return;
    const std::string_view body = front.substr(line->length);
    if (line->verb == Verb::Route) {
        end_all(spans::Incomplete::No, context);
        return be_over();
    }
    if (half.is_answer()) {
        switch (line->verb) {
            case Verb::Message:
                return on_delivery(half, *line, body, unit.is_cut, context);
            case Verb::Ok:
                return on_ok(half, context);
            case Verb::Error:
                return on_error(half, line->text, context);
            case Verb::Pong:
                is_accepted_ = true;
                return;
            default:
                return;
        }
    }
    switch (line->verb) {
        case Verb::Connect:
            is_verbose_ = wants_ok(line->text);
            return await(0, Codec::Kind::Connect, context);
        case Verb::Publish:
            return on_publish(half, *line, body, context);
        case Verb::Subscribe:
            on_subscribe(*line);
            return await(0, Codec::Kind::Subscribe, context);
        case Verb::Unsubscribe:
            forget_group(line->id);
            return await(0, Codec::Kind::Subscribe, context);
        default:
            return;
    }
}

void Session::await(Key key, Codec::Kind kind, Context& context) {
    if (!is_verbose_) return;
    // Without one of them nobody knows which is answered.
    if (awaited_.size() < kMaxOpen) return awaited_.push_back({key, kind});
    context.counts.add(Cause::QueueFull);
    is_verbose_ = false;
    awaited_.clear();
    while (open_.size() > 0) drop(open_.entries().front().key, spans::Incomplete::Hole, context);
}

void Session::on_publish(Half& half, const Line& line, std::string_view body, Context& context) {
    using Kind = Codec::Kind;
    const bool has_payload = body.size() >= line.headers;
    const Headers headers = read_headers(body.substr(0, line.headers));
    if (line.subject.starts_with(kPull)) return await(0, Kind::Publish, context);
    Open& exchange = open_here(half, context);
    Codec::Request& request = exchange.request;
    request.kind = kind_of(line, has_payload ? body.substr(line.headers) : std::string_view{});
    request.is_confirmed = is_verbose_ && request.kind != Kind::Request;
    const bool is_named = request.kind == Kind::Publish || request.kind == Kind::Request;
    request.subject.assign(is_named ? line.subject : std::string_view{});
    request.reply.assign(request.kind == Kind::Request ? line.reply : std::string_view{});
    request.group.clear();
    request.error.clear();
    request.trace = headers.trace;
    begin(exchange, context);
    half.ends = last_key();
    await(request.is_confirmed ? last_key() : 0, request.kind, context);
}

// is_cut: not all that was wanted of its body is here.
void Session::on_delivery(Half& half, const Line& line, std::string_view body, bool is_cut, Context& context) {
    const Headers headers = read_headers(body.substr(0, line.headers));
    is_accepted_ = true;
    if (line.subject.starts_with(kInbox)) {
        for (const auto& [key, exchange] : open_.entries())
            if (exchange->request.reply == line.subject) {
                answer_here(*exchange, half);
                if (headers.status >= 300)
                    exchange->request.error = std::to_string(headers.status);
                else if (body.size() > line.headers)
                    exchange->request.error = jetstream_error(body.substr(line.headers));
                if (is_cut && exchange->request.error.empty() && may_refuse(line, body)) {
                    context.counts.add(Cause::Hole);
                    set_incomplete(*exchange, spans::Incomplete::Hole);
                }
                half.ends = key;
                return;
            }
        // Its request was told before the agent came, or this is one of several answers: nobody's message.
        return;
    }
    // What JetStream says of a pull has a status and no subject of its own.
    if (headers.status != 0) return;
    Open& exchange = open_here(half, context);
    Codec::Request& request = exchange.request;
    request.kind = Codec::Kind::Deliver;
    request.is_confirmed = false;
    request.subject.assign(line.subject);
    request.reply.clear();
    request.error.clear();
    request.trace = headers.trace;
    const auto group = std::ranges::find(groups_, line.id, &Group::id);
    request.group.assign(group == groups_.end() ? std::string_view{} : std::string_view(group->name));
    begin(exchange, context);
    half.ends = last_key();
}

void Session::on_subscribe(const Line& line) {
    forget_group(line.id);
    // Of more than that the group is not told.
    const bool has_room = line.queue.size() + line.id.size() <= kMaxGroupBytes && groups_.size() < kMaxGroups;
    if (line.queue.empty() || !has_room) return;
    groups_.push_back({std::string(line.id), std::string(line.queue)});
    group_bytes_ += line.id.size() + line.queue.size();
}

void Session::forget_group(std::string_view id) {
    const auto found = std::ranges::find(groups_, id, &Group::id);
    if (found == groups_.end()) return;
    group_bytes_ -= found->id.size() + found->name.size();
    groups_.erase(found);
}

void Session::on_whole(Half& half, Key key, Context& context) {
    Open* const exchange = open_.find(key);
    if (!exchange) return;
    const std::uint64_t end_ns = half.stream.time_before(half.passed_to);
    const bool is_answered = half.is_answer();
    if (!is_answered) exchange->request_end_ns = end_ns;
    const bool waits = exchange->request.is_confirmed || exchange->request.kind == Codec::Kind::Request;
    if (is_answered || !waits) finish(key, *exchange, context, end_ns);
}

void Session::on_ok(Half& half, Context& context) {
    is_accepted_ = true;
    if (awaited_.empty()) return;
    const Awaited first = awaited_.front();
    awaited_.pop_front();
    Open* const exchange = open_.find(first.key);
    if (!exchange) return;
    answer_here(*exchange, half);
    half.ends = first.key;
}

void Session::on_error(Half& half, std::string_view text, Context& context) {
    using Kind = Codec::Kind;
    const std::string_view error = error_name(text);
    const std::string_view subject = error_subject(text);
    const auto fail = [&](Key key, Open& exchange) {
        answer_here(exchange, half);
        exchange.request.error = error;
        half.ends = key;
    };
    if (is_verbose_ && !awaited_.empty()) {
        const Awaited first = awaited_.front();
        awaited_.pop_front();
        if (Open* const exchange = open_.find(first.key)) return fail(first.key, *exchange);
        return tell_failure(half, first.kind, subject, error, context);
    }
    for (const auto& [key, exchange] : open_.entries())
        if (!subject.empty() && exchange->request.subject == subject) return fail(key, *exchange);
    const bool is_about_login = error.starts_with("auth") || (!is_accepted_ && error == "maximum_connections_exceeded");
    tell_failure(half,
                 is_about_login                                        ? Kind::Connect
                 : text.find("Subscription") != std::string_view::npos ? Kind::Subscribe
                                                                       : Kind::Error,
                 subject, error, context);
}

// A complaint about what has been told, or is told only when it fails.
void Session::tell_failure(Half& half, Codec::Kind kind, std::string_view subject, std::string_view error,
                           Context& context) {
    Open& exchange = open_here(half, context);
    Codec::Request& request = exchange.request;
    request.kind = kind == Codec::Kind::Publish || kind == Codec::Kind::Request ? Codec::Kind::Error : kind;
    request.is_confirmed = false;
    request.subject.assign(subject);
    request.reply.clear();
    request.group.clear();
    request.error.assign(error);
    request.trace.reset();
    answer_here(exchange, half);
    begin(exchange, context);
    half.ends = last_key();
}

// In what is missing anything may have been confirmed, answered, or asked.
void Session::on_lost(Half&, Context& context) {
    is_verbose_ = false;
    awaited_.clear();
    while (open_.size() > 0) drop(open_.entries().front().key, spans::Incomplete::Hole, context);
}

namespace {

std::unique_ptr<protocols::Session> open_session(const ConnectionInfo& info, Streams& streams, Direction requests) {
    return std::make_unique<Session>(info, streams, requests);
}

}  // namespace

const Protocol kNats{.name = "nats", .sniff = sniff, .open = open_session};

}  // namespace waggle::protocols::nats
