// SPDX-License-Identifier: Apache-2.0
#include "protocols/smtp/session.h"

#include <algorithm>

#include "protocols/messaging_span.h"
#include "protocols/smtp/smtp.h"

namespace waggle::protocols::smtp {
namespace {

constexpr std::size_t kMaxAwaited = 4096;

}  // namespace

Parsed<Unit> Session::parse(const Half& half, std::string_view bytes, bool is_final) {
    if (half.is_answer()) {
        const auto reply = read_reply(bytes, is_final);
        if (!reply) return std::unexpected(reply.error());
        return Unit{.size = reply->length, .front = reply->length};
    }
    if (is_content_) {
        // Its end is handed on, the rest passed over; a part of the end may be here already.
        constexpr std::size_t kEnd = 5;
        if (const std::size_t end = content_end(bytes, is_content_start_)) return Unit{.size = end, .front = end};
        if (is_final) return Unit{.size = bytes.size()};
        if (bytes.size() < kEnd) return std::unexpected(Stop::NeedMore);
        return Unit{.size = bytes.size() - (kEnd - 1)};
    }
    // Nobody goes on behind DATA before it is answered: what follows is content, or a command, as the answer says.
    if (!awaited_.empty() && awaited_.back().what == Awaited::Data) return std::unexpected(Stop::NeedMore);
    const auto command = read_command(bytes, is_final);
    if (!command) return std::unexpected(command.error());
    // In the midst of nobody knows what only words that are known count.
    if (half.is_lost && command->verb == Verb::Other) return std::unexpected(Stop::Invalid);
    return Unit{.size = command->length + command->content, .front = command->length};
}

void Session::on_frame(Half& half, std::string_view front, const Unit&, Context& context) {
    if (half.is_answer()) {
        last_reply_order_ = half.stream.order();
        const auto reply = read_reply(front, true);
        if (reply && reply->is_last) on_reply(half, reply->code, context);
    } else if (is_content_) {
        is_content_start_ = false;
        if (front.empty()) return;
        is_content_ = false;
        if (Open* const exchange = open_.find(current_))
            exchange->request_end_ns = half.stream.time_before(half.passed_to);
    } else if (is_auth_) {
        is_auth_ = false;
    } else if (const auto command = read_command(front, true)) {
        on_command(half, *command, context);
    }
}

// Has something been read that was said after what stands at the head of the requests?
bool Session::is_answered_already(const Half& half) const {
    if (!half.is_received) return last_reply_order_ > half.stream.head();
    return half.stream.order() != 0 && responses_.stream.head() > half.stream.order();
}

void Session::on_command(Half& half, const Command& command, Context& context) {
    const auto await = [&](Awaited what) { awaited_.push_back({what, current_}); };
    const bool begins = command.verb == Verb::Hello || command.verb == Verb::LocalHello || command.verb == Verb::Mail ||
                        command.verb == Verb::Reset;
    if (!is_in_step_) {
        // Whoever begins anew after a loss has no answer to come.
        if (!begins || !half.stream.is_at_turn_start() || is_answered_already(half)) return;
        is_in_step_ = true;
    }
    if (awaited_.size() >= kMaxAwaited) {
        context.counts.add(Cause::QueueFull);
        end_all(spans::Incomplete::Hole, context);
        return be_over();
    }
    if (command.verb == Verb::Hello || command.verb == Verb::LocalHello) is_local_ = command.verb == Verb::LocalHello;
    if (begins || command.verb == Verb::Quit) give_up(half);
    switch (command.verb) {
        case Verb::Mail: {
            // Two end at once where one is given up by the next.
            if (const Key before = std::exchange(half.ends, 0)) on_whole(half, before, context);
            Open& exchange = open_here(half, context);
            exchange.response = {};
            begin(exchange, context);
            current_ = last_key();
            return await(Awaited::Mail);
        }
        case Verb::Recipient:
            return await(Awaited::Recipient);
        case Verb::Data:
            return await(Awaited::Data);
        case Verb::Chunk:
            return await(command.is_last ? Awaited::End : Awaited::Chunk);
        case Verb::StartTls:
            return await(Awaited::StartTls);
        case Verb::Auth:
            return await(Awaited::Auth);
        default:
            return await(Awaited::Other);
    }
}

void Session::on_reply(Half& half, std::uint16_t code, Context& context) {
    const bool is_refusal = code >= 400;
    if (code == 421) {
        // The server leaves: that is what all get that waits.
        const Key mail = !awaited_.empty() && awaited_.front().mail ? awaited_.front().mail : current_;
        refuse(mail, code);
        awaited_.clear();
        return end_with(half, mail);
    }
    // The greeting; what nobody has asked for.
    if (awaited_.empty()) return;
    const auto [what, mail] = awaited_.front();
    awaited_.pop_front();
    Open* const exchange = open_.find(mail);
    switch (what) {
        case Awaited::Mail:
        case Awaited::Chunk:
            if (!is_refusal) return settle(half, mail);
            refuse(mail, code);
            return end_with(half, mail);
        case Awaited::Recipient:
            if (exchange && !is_refusal)
                ++exchange->response.accepted;
            else if (exchange && exchange->response.refused == 0)
                exchange->response.refused = code;
            return settle(half, mail);
        case Awaited::Data:
            if (code == 354) {
                is_content_ = is_content_start_ = true;
                awaited_.push_front({Awaited::Content, mail});
                return;
            }
            // Without a recipient it is the recipients that were refused.
            refuse(mail, exchange && exchange->response.accepted == 0 && exchange->response.refused
                             ? exchange->response.refused
                             : code);
            return end_with(half, mail);
        case Awaited::Content:
        case Awaited::End:
            return on_content_answer(half, mail, code);
        case Awaited::StartTls:
            if (is_refusal) return;
            end_all(spans::Incomplete::Hole, context);
            return be_over(Next::Tls);
        case Awaited::Auth:
            if (code != 334) return;
            is_auth_ = true;
            awaited_.push_front({Awaited::Auth, mail});
            return;
        case Awaited::Other:
            return;
    }
}

void Session::on_content_answer(Half& half, Key mail, std::uint16_t code) {
    // Where its end was not seen, the client goes on with the next command where its next turn begins.
    if (std::exchange(is_content_, false)) requests_.is_lost = true;
    if (code >= 400) refuse(mail, code);
    // LMTP answers for each recipient.
    Open* const exchange = open_.find(mail);
    if (is_local_ && exchange && ++exchange->response.answered < exchange->response.accepted)
        return awaited_.push_front({Awaited::End, mail});
    end_with(half, mail);
}

// The client begins anew, or goes: replies that are still to come say how the transaction went.
void Session::give_up(Half& half) {
    const Key mail = std::exchange(current_, 0);
    Open* const exchange = open_.find(mail);
    if (!exchange) return;
    exchange->response.is_given_up = true;
    if (waits(mail)) return;
    if (exchange->response.accepted == 0 && exchange->response.refused) refuse(mail, exchange->response.refused);
    half.ends = mail;
}

bool Session::waits(Key mail) const { return std::ranges::find(awaited_, mail, &Waiting::mail) != awaited_.end(); }

void Session::refuse(Key mail, std::uint16_t code) {
    Open* const exchange = open_.find(mail);
    if (exchange && exchange->response.error == 0) exchange->response.error = code;
}

// The transaction ends with the reply at the head of this half.
void Session::end_with(Half& half, Key mail) {
    if (current_ == mail) current_ = 0;
    Open* const exchange = open_.find(mail);
    if (!exchange) return;
    answer_here(*exchange, half);
    half.ends = mail;
}

// One that was given up ends with the last reply to it.
void Session::settle(Half& half, Key mail) {
    Open* const exchange = open_.find(mail);
    if (!exchange || !exchange->response.is_given_up || waits(mail)) return;
    if (exchange->response.accepted == 0 && exchange->response.refused) refuse(mail, exchange->response.refused);
    end_with(half, mail);
}

void Session::on_whole(Half& half, Key key, Context& context) {
    Open* const exchange = open_.find(key);
    if (!exchange) return;
    finish(key, *exchange, context, half.is_answer() ? half.stream.time_before(half.passed_to) : half.stream.end_ns());
}

// A client whose recipients are all refused may just go.
void Session::before_end(Context& context) {
    Open* const exchange = open_.find(current_);
    if (!exchange || exchange->response.accepted > 0 || exchange->response.refused == 0) return;
    refuse(current_, exchange->response.refused);
    finish(std::exchange(current_, 0), *exchange, context, responses_.stream.end_ns());
}

void Session::on_lost(Half&, Context& context) {
    current_ = 0;
    while (open_.size() > 0) drop(open_.entries().front().key, spans::Incomplete::Hole, context);
    awaited_.clear();
    is_content_ = is_auth_ = is_in_step_ = false;
}

void Codec::describe(const Exchange<Codec>& exchange, const ConnectionInfo& info, const Options&,
                     spans::SpanBatch& batch, spans::Span& span) {
    const std::uint16_t code = exchange.response.error;
    const std::array<char, 3> text = {static_cast<char>('0' + code / 100), static_cast<char>('0' + code / 10 % 10),
                                      static_cast<char>('0' + code % 10)};
    const MessagingCall call{.system = "smtp",
                             .operation = "send",
                             .operation_type = "send",
                             .error_type = code ? std::string_view(text.data(), text.size()) : std::string_view{}};
    span.protocol = kSmtp.name;
    describe_messaging(call, info, batch, span);
}

namespace {

std::unique_ptr<protocols::Session> open_session(const ConnectionInfo& info, Streams& streams, Direction requests) {
    return std::make_unique<Session>(info, streams, requests);
}

}  // namespace

const Protocol kSmtp{.name = "smtp", .sniff = sniff, .open = open_session};

}  // namespace waggle::protocols::smtp
