// SPDX-License-Identifier: Apache-2.0
#include "protocols/mongodb/codec.h"

#include <algorithm>
#include <array>

#include "protocols/database_span.h"
#include "protocols/mongodb/mongodb.h"
#include "spans/attribute_names.h"

namespace waggle::protocols::mongodb {
namespace {

using RequestKind = RequestEffect::Kind;
using Kind = ResponseEffect::Kind;

constexpr std::size_t kMaxExpected = 65536;
constexpr std::size_t kMaxCommand = 16 * 1024;
constexpr std::size_t kMaxReply = 2048;  // what went wrong stands in front

// Greetings, heartbeats and logins are no calls.
constexpr std::array<std::string_view, 7> kSilent = {"hello",        "isMaster",     "ismaster", "saslStart",
                                                     "saslContinue", "authenticate", "getnonce"};

}  // namespace

Parsed<Unit> Codec::parse(Side side, std::string_view bytes, bool is_final) const {
    const bool is_request = side == Side::Request;
    auto unit = parse_message(bytes, is_request ? kMaxCommand : kMaxReply, is_final);
    if (!unit && unit.error() == Stop::NeedMore && !is_request) {
        // Rows are not waited for.
        const auto message = read_message(bytes);
        if (message && brings_something(message->body))
            return Unit{.size = message->header.size,
                        .front = std::min<std::uint64_t>(bytes.size(), message->header.size)};
    }
    if (!unit || !unit->is_cut) return unit;
    // What was not captured of an answer is mostly rows.
    unit->is_cut = false;
    if (is_request) {
        const auto message = read_message(bytes.substr(0, unit->front));
        const auto command = message ? read_command(*message) : std::nullopt;
        // Without its name and collection it is none.
        if (command && command->name.empty()) return std::unexpected(Stop::NeedMore);
        unit->is_cut = !command || !command->is_whole;
    }
    return unit;
}

void Codec::pop() {
    if (++first_ == queue_.size()) {
        queue_.clear();
        first_ = 0;
    } else if (first_ >= 1024) {
        queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(first_));
        first_ = 0;
    }
}

void Codec::forget(std::size_t count) {
    for (; count > 0 && expected() > 0; --count) pop();
}

std::size_t Codec::take_unanswered() {
    std::size_t count = 0;
    for (; expected() > 0 && queue_[first_].is_unanswered; ++count) {
        unanswered_[unanswered_count_++ % unanswered_.size()] = queue_[first_].id;
        pop();
    }
    return count;
}

RequestEffect Codec::on_request(std::string_view front, const Unit&, Request& request, const Options&) {
    const auto message = read_message(front);
    if (!message || message->header.opcode == kReply) return {.kind = RequestKind::Invalid};
    if (message->header.opcode == kCompressed) return {.kind = RequestKind::Over, .why = Cause::Compressed};
    const auto command = read_command(*message);
    if (!command) return {.kind = RequestKind::Invalid};
    if (expected() >= kMaxExpected) return {.kind = RequestKind::Over};
    request.name.assign(command->name);
    request.collection.assign(command->collection);
    request.database.assign(command->database);
    request.is_cut = command->database.empty() && !command->is_whole;
    request.title.assign(command->name);
    if (!command->collection.empty()) request.title.append(" ").append(command->collection);
    queue_.push_back({.id = message->header.id, .is_unanswered = message->has_more});
    ++pushed_;
    const bool is_silent = std::ranges::find(kSilent, command->name) != kSilent.end();
    return {.kind = is_silent ? RequestKind::Silent : RequestKind::Opens, .is_expecting = true};
}

ResponseEffect Codec::on_response(std::string_view front, const Unit&, Open& open) {
    const auto message = read_message(front);
    if (!message || message->header.opcode == kQuery) return {.kind = Kind::Invalid};
    const std::int32_t answers = message->header.answers;
    if (expected() == 0 || queue_[first_].id != answers) {
        const auto end =
            unanswered_.begin() + static_cast<std::ptrdiff_t>(std::min(unanswered_count_, unanswered_.size()));
        return {.kind = std::find(unanswered_.begin(), end, answers) == end ? Kind::Invalid : Kind::Async};
    }
    Expected& asked = queue_[first_];
    if (message->header.opcode == kCompressed) return {.kind = Kind::Over, .why = Cause::Compressed};
    if (open.size() > 0) {
        Response& response = open.front().response;
        const Reply reply = read_reply(message->body);
        response.is_begun = true;
        response.is_known = reply.is_known;
        if (reply.is_error) response.error = reply.code ? std::to_string(reply.code) : "_OTHER";
    }
    // Exhaust: the next answer answers this one.
    if (message->has_more) {
        asked.id = message->header.id;
        return {.kind = Kind::Part};
    }
    pop();
    return {.kind = Kind::Part, .finished = 1};
}

void Codec::describe(const Exchange<Codec>& exchange, const ConnectionInfo& info, const Options&,
                     spans::SpanBatch& batch, spans::Span& span) const {
    const std::string_view error = exchange.response.error;
    const DatabaseCall call{.system = "mongodb",
                            .name = exchange.request.title,
                            .operation = exchange.request.name,
                            .collection = exchange.request.collection,
                            .database = exchange.request.database,
                            .status_code = error == "_OTHER" ? std::string_view{} : error,
                            .error_type = error};
    span.protocol = kMongodb.name;
    span.instrumentation = "mongo";
    describe_database(call, {exchange.incomplete, exchange.start_ns, exchange.first_byte_ns}, info, batch, span);
    const bool is_unclear =
        exchange.response.is_begun && !exchange.response.is_known && exchange.incomplete == spans::Incomplete::No;
    std::string unknown(is_unclear ? attr::error_type : std::string_view{});
    if (exchange.request.is_cut) unknown.append(unknown.empty() ? "" : ",").append(attr::db_namespace);
    if (!unknown.empty()) span.attributes.add(attr::waggle_unknown, batch.text(unknown));
}

namespace {

std::unique_ptr<Session> open_session(const ConnectionInfo& info, Streams& streams, Direction requests) {
    return std::make_unique<FramedSession<Codec>>(info, streams, requests);
}

}  // namespace

// Commands as far as they are read.
const Protocol kMongodb{.name = "mongodb",
                        .sniff = sniff,
                        .open = open_session,
                        .framing = wg_framing{.header = kHeader,
                                              .length_bytes = 4,
                                              .is_little = 1,
                                              .front = kMaxCommand - kHeader,
                                              .max_length = kMaxMessage}};

}  // namespace waggle::protocols::mongodb
