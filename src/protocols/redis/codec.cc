// SPDX-License-Identifier: Apache-2.0
#include "protocols/redis/codec.h"

#include <algorithm>

#include "base/strings.h"
#include "protocols/redis/commands.h"
#include "protocols/redis/redis.h"

namespace waggle::protocols::redis {
namespace {

using RequestKind = RequestEffect::Kind;

constexpr std::size_t kMaxExpected = 65536;

bool is_word(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
               c == '.' || c == '|';
    });
}

void assign_capitals(std::string_view from, std::string& to) {
    to.assign(from);
    for (char& c : to)
        if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
}

bool subscribes(std::string_view name) { return name == "SUBSCRIBE" || name == "PSUBSCRIBE" || name == "SSUBSCRIBE"; }
bool unsubscribes(std::string_view name) {
    return name == "UNSUBSCRIBE" || name == "PUNSUBSCRIBE" || name == "SUNSUBSCRIBE";
}

}  // namespace

Parsed<Unit> Codec::parse(Side side, std::string_view bytes, bool is_final) const {
    if (bytes.empty()) return std::unexpected(Stop::NeedMore);
    if (side == Side::Response) return parse_element(bytes, kMaxWord, is_final);
    if (arguments_left_ > 0) {
        if (bytes[0] != '$') return std::unexpected(Stop::Invalid);
        const std::uint64_t index = arguments_ - arguments_left_;
        const auto unit = parse_element(bytes, index < 3 ? kMaxWord : 0, is_final);
        if (!unit || index >= 3) return unit;
        // Half a word is none.
        const Element element = read_element(bytes.substr(0, unit->front));
        if (element.payload.size() <
            std::min<std::uint64_t>(kMaxWord, static_cast<std::uint64_t>(std::max<std::int64_t>(0, element.count))))
            return std::unexpected(Stop::NeedMore);
        return unit;
    }
    if (bytes[0] == '*') return parse_element(bytes, 0, is_final);
    const std::size_t end = bytes.find('\n');
    if (end != std::string_view::npos) return Unit{.size = end + 1, .front = end + 1};
    return std::unexpected(bytes.size() > kMaxLine ? Stop::Invalid : Stop::NeedMore);
}

void Codec::restart(Side side) {
    if (side == Side::Response) {
        nesting_.restart();
        return;
    }
    arguments_left_ = 0;
    is_database_known_ = false;  // what was missed may have selected another
    queued_database_ = kNoDatabase;
}

void Codec::pop() {
    if (++first_ == queue_.size()) {
        queue_.clear();
        first_ = 0;
    } else if (first_ >= 4096) {
        queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(first_));
        first_ = 0;
    }
}

void Codec::forget(std::size_t count) {
    if (last_selection_ > pushed_ - expected()) is_database_known_ = false;
    for (; count > 0 && expected() > 0; --count) pop();
    nesting_.restart();
}

RequestEffect Codec::on_request(std::string_view front, const Unit&, Request& request, const Options&) {
    if (arguments_left_ > 0) {
        const Element element = read_element(front);
        if (element.count < 0) return {.kind = RequestKind::Invalid};
        return on_argument(element.payload, request);
    }
    if (front[0] != '*') return on_inline(trim(front), request);
    const Element element = read_element(front);
    if (element.count <= 0) return {};  // the server passes it over
    arguments_ = arguments_left_ = static_cast<std::uint64_t>(element.count);
    name_.clear();
    second_.clear();
    return {.kind = RequestKind::Part};
}

bool Codec::begin(std::string_view word) {
    if (word.size() >= kMaxWord || !is_word(word)) return false;
    assign_capitals(word, name_);
    is_container_ = is_container(name_);
    return true;
}

RequestEffect Codec::on_argument(std::string_view word, Request& request) {
    const std::uint64_t index = arguments_ - arguments_left_--;
    if (index == 0 && !begin(word)) {
        arguments_left_ = 0;
        return {.kind = RequestKind::Invalid};
    }
    if (index == 1 && is_container_ && is_word(word)) assign_capitals(word, second_);
    if (index == 1 && name_ == "SELECT") second_.assign(word);
    // Whose replies are switched off cannot be paired any more.
    if (index == 2 && name_ == "CLIENT" && second_ == "REPLY" && !equals_ignoring_case(word, "on"))
        return {.kind = RequestKind::Over};
    if (arguments_left_ > 0) return {.kind = RequestKind::Part};
    return open(request);
}

RequestEffect Codec::on_inline(std::string_view line, Request& request) {
    if (line.empty()) return {};
    arguments_ = 0;
    second_.clear();
    for (std::size_t at = 0; at < line.size();) {
        const std::size_t end = std::min(line.find(' ', at), line.size());
        const std::string_view word = line.substr(at, end - at);
        at = end + 1;
        if (word.empty()) continue;
        if (arguments_++ == 0) {
            if (!begin(word) || !is_command(name_)) return {.kind = RequestKind::Invalid};
        } else if (arguments_ == 2 && ((is_container_ && is_word(word)) || name_ == "SELECT")) {
            assign_capitals(word.substr(0, kMaxWord), second_);
        }
    }
    return open(request);
}

RequestEffect Codec::on_hole(Request& request) {
    // Its arguments go on in the hole.
    if (arguments_left_ == 0 || arguments_left_ == arguments_) return {.kind = RequestKind::Drops};
    return open(request);
}

// A replica begins so, before it says what it is.
bool Codec::may_greet() {
    const bool is_ping = name_ == "PING" && greeting_ == Greeting::None;
    const bool is_login = name_ == "AUTH" && greeting_ != Greeting::Over;
    greeting_ = is_ping ? Greeting::Ping : Greeting::Over;
    return is_ping || is_login;
}

RequestEffect Codec::open(Request& request) {
    if (expected() >= kMaxExpected) return {.kind = RequestKind::Over};
    if (name_ == "REPLCONF" || name_ == "PSYNC" || name_ == "SYNC")
        return {.kind = RequestKind::Over, .drops_held = true};
    arguments_left_ = 0;
    request.name = name_;
    request.text = name_;
    std::uint64_t shown = 1;
    if (is_container_ && !second_.empty()) {
        request.text += ' ';
        request.text += second_;
        ++shown;
    }
    for (; shown < arguments_ && shown <= kMaxShown; ++shown) request.text += " ?";
    if (shown < arguments_) request.text += " ...";
    request.database = name_ == "SELECT" ? parse_int<std::int64_t>(second_).value_or(kNoDatabase) : kNoDatabase;
    Confirmations confirmations = 0;
    if (subscribes(name_))
        confirmations = static_cast<Confirmations>(std::min<std::uint64_t>(arguments_ - 1, 1u << 20));
    if (unsubscribes(name_))
        confirmations = static_cast<Confirmations>(std::clamp<std::uint64_t>(arguments_ - 1, 1, 1u << 20));
    queue_.push_back(confirmations);
    ++pushed_;
    has_selects_ |= name_ == "SELECT";
    if (name_ == "SELECT" || (name_ == "EXEC" && has_selects_)) last_selection_ = pushed_;
    if (name_ == "EXEC") has_selects_ = false;
    return {.kind = may_greet() ? RequestKind::Held : RequestKind::Opens, .is_expecting = true};
}

void Codec::describe(const Exchange<Codec>& exchange, const ConnectionInfo& info, const Options&,
                     spans::SpanBatch& batch, spans::Span& span) const {
    // A connection begins with database 0; of one that was older nobody knows.
    std::string database;
    if (is_database_known_ && (has_selected_ || info.from_start != 0)) database = std::to_string(database_);
    const DatabaseCall call{.system = "redis",
                            .operation = exchange.request.name,
                            .text = exchange.request.text,
                            .database = database,
                            .status_code = exchange.response.error,
                            .error_type = exchange.response.error};
    span.protocol = kRedis.name;
    describe_database(call, {exchange.incomplete, exchange.start_ns, exchange.first_byte_ns}, info, batch, span);
}

namespace {

std::unique_ptr<Session> open_session(const ConnectionInfo& info, Streams& streams, Direction requests) {
    return std::make_unique<FramedSession<Codec>>(info, streams, requests);
}

}  // namespace

const Protocol kRedis{.name = "redis", .sniff = sniff, .open = open_session};

}  // namespace waggle::protocols::redis
