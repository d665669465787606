// SPDX-License-Identifier: Apache-2.0
#include "protocols/memcached/codec.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/strings.h"
#include "protocols/memcached/memcached.h"

namespace waggle::protocols::memcached {
namespace {

using RequestKind = RequestEffect::Kind;
using Kind = ResponseEffect::Kind;

constexpr std::size_t kMaxExpected = 65536;

// Statuses of the binary protocol that are answers, not errors: not found, exists, not stored.
bool is_fine(std::uint16_t status) { return status == 0 || status == 1 || status == 2 || status == 5; }

std::string_view error_of(std::string_view word) {
    return word == "ERROR" || word == "CLIENT_ERROR" || word == "SERVER_ERROR" ? word : std::string_view{};
}

}  // namespace

Parsed<Unit> Codec::parse(Side side, std::string_view bytes, bool) const {
    return side == Side::Request ? parse_request(bytes) : parse_response(bytes);
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

RequestEffect Codec::on_request(std::string_view front, const Unit&, Request& request, const Options&) {
    const auto command = front[0] == kRequestMagic ? read_binary(front) : read_command(front);
    if (!command) return {.kind = RequestKind::Invalid};
    if (expected() >= kMaxExpected || command->answer == Answer::Stream) return {.kind = RequestKind::Over};
    request.name = command->name;
    request.ends_itself = command->answer == Answer::None;
    queue_.push_back({.answer = command->answer,
                      .is_quiet = command->is_quiet,
                      .opcode = command->opcode,
                      .number = command->number,
                      .opaque = std::string(command->opaque)});
    ++pushed_;
    return {.kind = RequestKind::Opens, .is_expecting = true};
}

std::size_t Codec::take_unanswered() {
    std::size_t count = 0;
    for (; expected() > 0 && at(0).answer == Answer::None; ++count) pop();
    return count;
}

ResponseEffect Codec::end(std::size_t count) {
    forget(count);
    return {.kind = Kind::Part, .finished = count};
}

void Codec::fail(std::size_t index, std::string_view error, Open& open) {
    if (index < open.size()) open.at(index).response.error.assign(error);
}

ResponseEffect Codec::on_response(std::string_view front, const Unit&, Open& open) {
    if (expected() == 0) return {.kind = Kind::Invalid};
    if (front[0] == kResponseMagic) return on_binary(front, open);
    return on_line(trim(front, "\r\n"), open);
}

ResponseEffect Codec::on_line(std::string_view line, Open& open) {
    const std::string_view word = take_word(line);
    if (at(0).answer == Answer::Binary) return {.kind = Kind::Invalid};
    if (at(0).is_quiet) return on_quiet_line(word, line, open);
    if (open.size() > 0) open.front().response.is_begun = true;
    if (const std::string_view error = error_of(word); !error.empty()) {
        fail(0, error, open);
        return end(1);
    }
    switch (at(0).answer) {
        case Answer::Values:
            if (word == "VALUE") return {.kind = Kind::Part};
            return word == "END" ? end(1) : ResponseEffect{.kind = Kind::Invalid};
        case Answer::Stats:
            if (word == "STAT" || word == "ITEM") return {.kind = Kind::Part};
            return end(1);
        case Answer::NoOp:
            return word == "MN" ? end(1) : ResponseEffect{.kind = Kind::Invalid};
        case Answer::Meta:
            return word.size() == 2 ? end(1) : ResponseEffect{.kind = Kind::Invalid};
        default:
            return word.empty() || word == "VALUE" || word == "END" ? ResponseEffect{.kind = Kind::Invalid} : end(1);
    }
}

// Whose answer this is says its opaque; MN ends all that was quiet.
ResponseEffect Codec::on_quiet_line(std::string_view word, std::string_view rest, Open& open) {
    std::string_view opaque;
    for (std::string_view flag = take_word(rest); !flag.empty(); flag = take_word(rest))
        if (flag[0] == 'O') opaque = flag.substr(1);
    const std::string_view error = error_of(word);
    for (std::size_t i = 0; i < expected(); ++i) {
        const Expected& one = at(i);
        const bool is_it = one.answer == Answer::NoOp ? word == "MN" : !opaque.empty() && one.opaque == opaque;
        if (is_it) {
            if (!error.empty()) fail(i, error, open);
            return end(i + 1);
        }
        // Without an opaque it may be the answer to a quiet one before it.
        if (!one.is_quiet) return {.kind = one.answer == Answer::NoOp ? Kind::Part : Kind::Invalid};
    }
    return {.kind = Kind::Part};
}

ResponseEffect Codec::on_binary(std::string_view header, Open& open) {
    const auto command = read_binary(header);
    if (!command) return {.kind = Kind::Invalid};
    for (std::size_t i = 0; i < expected(); ++i) {
        const Expected& one = at(i);
        if (one.answer != Answer::Binary) return {.kind = Kind::Invalid};
        if (one.opcode != command->opcode || one.number != command->number) {
            if (!one.is_quiet) return {.kind = Kind::Invalid};
            continue;
        }
        const auto status = static_cast<std::uint16_t>(static_cast<unsigned char>(header[6]) << 8 |
                                                       static_cast<unsigned char>(header[7]));
        // Statistics come one by one, an empty one is the last.
        const bool is_empty = header.substr(8, 4) == std::string_view("\0\0\0\0", 4);
        if (one.opcode == 0x10 && status == 0 && !is_empty) {
            if (i == 0 && open.size() > 0) open.front().response.is_begun = true;
            return {.kind = Kind::Part};
        }
        if (!is_fine(status)) {
            std::array<char, 8> text{};
            const auto [to, bad] = std::to_chars(text.data(), text.data() + text.size(), status);
            fail(i, {text.data(), static_cast<std::size_t>(to - text.data())}, open);
        }
        return end(i + 1);
    }
    return {.kind = Kind::Invalid};
}

// "\r\nEND\r\n" in the last seven bytes.
bool Codec::ends_by(std::uint64_t tail, const Due& due, const Open&) const {
    return due.expectations == 1 && due.exchanges == 1 && at(0).answer == Answer::Values &&
           tail >> 8 == 0x0a0d444e450a0du;
}

void Codec::describe(const Exchange<Codec>& exchange, const ConnectionInfo& info, const Options&,
                     spans::SpanBatch& batch, spans::Span& span) const {
    const DatabaseCall call{.system = "memcached",
                            .operation = exchange.request.name,
                            .status_code = exchange.response.error,
                            .error_type = exchange.response.error};
    span.protocol = kMemcached.name;
    describe_database(call, {exchange.incomplete, exchange.start_ns, exchange.first_byte_ns}, info, batch, span);
}

namespace {

std::unique_ptr<Session> open_session(const ConnectionInfo& info, Streams& streams, Direction requests) {
    return std::make_unique<FramedSession<Codec>>(info, streams, requests);
}

}  // namespace

const Protocol kMemcached{.name = "memcached", .sniff = sniff, .open = open_session};

}  // namespace waggle::protocols::memcached
