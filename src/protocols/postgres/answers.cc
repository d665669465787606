// SPDX-License-Identifier: Apache-2.0
// The server's messages: which exchange each belongs to and what it says of it.
#include "protocols/postgres/codec.h"

namespace waggle::protocols::postgres {
namespace {

using Kind = ResponseEffect::Kind;

constexpr std::size_t kHeader = 5;
constexpr ResponseEffect kInvalid{.kind = Kind::Invalid};

}  // namespace

// Does what is awaited next belong to the first open exchange?
bool Codec::has_owner() const {
    if (is_finishing_) return true;
    for (std::size_t i = first_; i < queue_.size() && queue_[i].what != Awaits::Sync; ++i)
        if (queue_[i].ends_exchange) return true;
    return false;
}

ResponseEffect Codec::on_response(std::string_view front, const Unit& unit, Open& open) {
    if (unit.size == 1) {
        const bool is_tls = awaits(Awaits::Ssl);
        const bool is_accepted = front[0] == (is_tls ? 'S' : 'G');
        if (!is_accepted && front[0] != 'N') return kInvalid;
        pop();
        if (is_accepted && is_tls) return {.kind = Kind::Over, .next = Next::Tls};
        if (is_accepted) return {.kind = Kind::Over, .why = Cause::Encrypted};
        return {.kind = Kind::Other};
    }
    const std::string_view body = front.substr(kHeader);
    switch (front[0]) {
        case 'N':
        case 'A':
            return {};
        case 'S':
            if (body.starts_with(std::string_view("standard_conforming_strings\0", 28)))
                has_backslashes_ = body.substr(28).starts_with("off");
            return {};
        case 'R':
        case 'K':
        case 'v':
            return awaits(Awaits::Startup) ? ResponseEffect{.kind = Kind::Other} : kInvalid;
        case 'E':
            return on_error(body, open);
        case 'Z':
            return unit.size == 6 ? on_ready(open) : kInvalid;
        case '1':
            return on_step(Awaits::Parse);
        case '2':
            return on_step(Awaits::Bind);
        case '3':
            return on_step(Awaits::Close);
        case 't':
            return awaits(Awaits::Describe) ? ResponseEffect{.kind = Kind::Part} : kInvalid;
        case 'T':
        case 'n':
            if (awaits(Awaits::Describe)) return on_step(Awaits::Describe);
            return awaits(Awaits::Query) ? ResponseEffect{.kind = Kind::Part} : kInvalid;
        case 'C':
            return on_complete(body.substr(0, body.find('\0')), open);
        case 'I':
        case 's':
            return on_complete({}, open);
        default:
            break;
    }
    if (!awaits(Awaits::Query) && !awaits(Awaits::Execute)) return kInvalid;
    ResponseEffect effect{.kind = Kind::Part};
    if (front[0] == 'G') is_copying_ = true;
    if (front[0] == 'W' && !has_both_copies_) {
        // Replication: the stream that begins now is not the operation's answer.
        is_copying_ = has_both_copies_ = true;
        queue_[first_].ends_exchange = false;
        effect.finished = 1;
    }
    return effect;
}

ResponseEffect Codec::on_step(Awaits what) {
    if (!awaits(what)) return kInvalid;
    const bool is_part = has_owner();
    ResponseEffect effect{.kind = is_part ? Kind::Part : Kind::Other};
    if (pop().ends_exchange) effect.finished = 1;
    return effect;
}

ResponseEffect Codec::on_complete(std::string_view tag, Open& open) {
    if (!awaits(Awaits::Query) && !awaits(Awaits::Execute)) return kInvalid;
    is_copying_ = false;
    const bool is_owned = front().ends_exchange && open.size() > 0;
    if (is_owned && !tag.empty()) {
        const CommandTag read = read_tag(tag);
        Response& response = open.front().response;
        response.command.assign(read.command.substr(0, sql::kMaxOperation));
        // Of several statements the rows are not added up: they are of different shapes.
        const sql::Facts* const facts = facts_of(open.front().request);
        response.returned_rows = !facts || facts->statements < 2 ? read.returned_rows : -1;
    }
    ResponseEffect effect{.kind = Kind::Part};
    if (awaits(Awaits::Query)) return effect;
    const bool ends = pop().ends_exchange;
    // The transaction is committed by the Sync: until then it may fail.
    if (ends && awaits(Awaits::Sync))
        is_finishing_ = true;
    else if (ends)
        effect.finished = 1;
    return effect;
}

ResponseEffect Codec::on_ready(Open&) {
    is_copying_ = has_both_copies_ = false;
    if (awaits(Awaits::Startup)) {
        pop();
        return {.kind = Kind::Other};
    }
    if (awaits(Awaits::Query)) {
        const bool ends = pop().ends_exchange;
        return {.kind = ends ? Kind::Part : Kind::Other, .finished = ends ? 1u : 0u};
    }
    if (!awaits(Awaits::Sync)) return kInvalid;
    pop();
    const bool ends = is_finishing_;
    is_finishing_ = false;
    return {.kind = ends ? Kind::Part : Kind::Other, .finished = ends ? 1u : 0u};
}

ResponseEffect Codec::on_error(std::string_view body, Open& open) {
    const ErrorFields fields = read_error(body);
    const auto fail = [&] {
        if (open.size() == 0) return;
        Response& response = open.front().response;
        if (response.is_failed) return;
        response.is_failed = true;
        response.has_code = !fields.code.empty();
        std::copy(fields.code.begin(), fields.code.end(), response.code.begin());
    };
    is_copying_ = false;
    if (expected() == 0) return {};  // the server says why it closes the connection
    if (awaits(Awaits::Startup) || awaits(Awaits::Ssl) || awaits(Awaits::Gss)) {
        pop();
        return {.kind = Kind::Other};
    }
    if (awaits(Awaits::Query)) {
        if (front().ends_exchange) fail();
        if (!fields.is_fatal || !front().ends_exchange) return {.kind = Kind::Part};
        pop();
        return {.kind = Kind::Part, .finished = 1};
    }
    ResponseEffect effect{.kind = has_owner() ? Kind::Part : Kind::Other};
    if (has_owner()) fail();
    if (is_finishing_) ++effect.finished;
    is_finishing_ = false;
    // What was sent up to the Sync is not done.
    while (expected() > 0 && !awaits(Awaits::Sync) && !awaits(Awaits::Query)) {
        const Expected step = pop();
        undo(step, step.replaced);
        if (!step.ends_exchange || effect.finished >= open.size()) continue;
        Exchange<Codec>& exchange = open.at(effect.finished++);
        if (!exchange.response.is_failed) exchange.response.is_failed = exchange.response.is_aborted = true;
    }
    is_skipping_ = expected() == 0;
    if (is_skipping_) has_parts_ = false;
    return effect;
}

// ReadyForQuery in the last six bytes.
bool Codec::may_end(std::uint64_t tail) {
    const char status = static_cast<char>(tail >> 56);
    return (tail >> 16 & 0xff) == 'Z' && (tail >> 24 & 0xffffffff) == 0x05000000 &&
           (status == 'I' || status == 'T' || status == 'E');
}

// The two bytes before it end an ErrorResponse when both are zero.
bool Codec::ends_by(std::uint64_t tail, const Due& due, Open& open) const {
    if (!may_end(tail) || due.expectations == 0) return false;
    const auto is_readying = [](const Expected& one) {
        return one.what == Awaits::Sync || one.what == Awaits::Query || one.what == Awaits::Startup;
    };
    const auto from = queue_.begin() + static_cast<std::ptrdiff_t>(first_);
    const auto to = from + static_cast<std::ptrdiff_t>(due.expectations);
    if (std::count_if(from, to, is_readying) != 1 || !is_readying(*(to - 1))) return false;
    const bool is_failed = (tail & 0xffff) == 0;
    for (std::size_t i = 0; i < due.exchanges; ++i) {
        Exchange<Codec>& exchange = open.at(i);
        if (!is_failed || exchange.response.is_failed) continue;
        if (due.exchanges == 1)
            exchange.response.is_failed = true;
        else
            exchange.incomplete = spans::Incomplete::Hole;  // one of them failed, nobody knows which
    }
    return true;
}

}  // namespace waggle::protocols::postgres
