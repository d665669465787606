// SPDX-License-Identifier: Apache-2.0
// Replies, and what comes unasked: messages of subscriptions, pushes, what MONITOR shows.
#include "base/strings.h"
#include "protocols/redis/codec.h"

namespace waggle::protocols::redis {
namespace {

using Kind = ResponseEffect::Kind;

bool is_message(std::string_view word) { return word == "message" || word == "pmessage" || word == "smessage"; }

bool is_confirmation(std::string_view word) {
    if (word.starts_with("un"))
        word.remove_prefix(2);
    else if (word.starts_with("pun") || word.starts_with("sun"))
        word.remove_prefix(3);
    else if (word.starts_with("ps") || word.starts_with("ss"))
        word.remove_prefix(1);
    return word == "subscribe";
}

}  // namespace

ResponseEffect Codec::on_response(std::string_view front, const Unit&, Open& open) {
    const Element element = read_element(front);
    const bool is_first = nesting_.is_complete() || !nesting_.is_begun();
    if (is_first) {
        nesting_.restart();
        type_ = element.type;
        error_.clear();
        push_ = Push::None;
        ends_subscription_ = has_errors_ = false;
        element_ = 0;
        is_queued_ = type_ == '+' && element.line == "QUEUED";
        if (type_ == '-') error_.assign(error_prefix(element.line));
        if (type_ == '!') error_.assign(error_prefix(element.payload));
        const bool is_asked = expected() > 0 && type_ != '>' && type_ != '|';
        if (is_asked && open.size() > 0 && !is_subscribed_) open.front().response.is_begun = true;
    } else if (nesting_.depth() == 1 && (type_ == '*' || type_ == '>')) {
        const std::string_view word = element.type == '$' ? element.payload : std::string_view{};
        if (element_ == 0 && is_message(word)) push_ = Push::Message;
        if (element_ == 0 && is_confirmation(word)) push_ = Push::Confirmation;
        if (element_ == 2 && element.type == ':') ends_subscription_ = element.line == "0";
        has_errors_ |= element.type == '-' || element.type == '!';
        ++element_;
    }
    if (!nesting_.add(element)) return {.kind = Kind::Invalid};
    const bool is_before_all = pushed_ == 0 && type_ == '*';  // a primary's commands: is_unasked()
    if (expected() == 0 && is_first && type_ != '>' && !is_subscribed_ && !is_monitoring_ && !is_before_all) {
        nesting_.restart();
        return {.kind = Kind::Invalid};
    }
    if (nesting_.is_complete()) return on_reply(open);
    const bool is_part = expected() > 0 && type_ != '>' && !is_subscribed_;
    return {.kind = is_part ? Kind::Part : Kind::Async};
}

// The reply that was read is whole.
ResponseEffect Codec::on_reply(Open& open) {
    if (type_ == '|') return {.kind = expected() > 0 ? Kind::Part : Kind::Async};
    if (push_ == Push::Confirmation && (type_ == '>' || is_subscribed_ || (expected() > 0 && queue_[first_] > 0)))
        return on_confirmation(open);
    if (type_ == '>' || (push_ == Push::Message && is_subscribed_) || expected() == 0) return {};
    if (open.size() == 0) return {.kind = Kind::Invalid};
    Exchange<Codec>& exchange = open.front();
    exchange.response.is_begun = true;
    exchange.response.error = error_;
    if (error_.empty()) on_well_answered(exchange.request);
    if (exchange.request.name == "EXEC" || exchange.request.name == "DISCARD") queued_database_ = kNoDatabase;
    pop();
    return {.kind = Kind::Part, .finished = 1};
}

void Codec::select(std::int64_t database) {
    database_ = database;
    has_selected_ = is_database_known_ = true;
}

void Codec::on_well_answered(const Request& request) {
    if (is_queued_) {
        if (request.database != kNoDatabase) queued_database_ = request.database;
        return;
    }
    if (request.database != kNoDatabase) select(request.database);
    // Nothing was done when the answer is null. Where something failed, maybe that is what.
    if (request.name == "EXEC" && type_ == '*' && element_ > 0 && queued_database_ != kNoDatabase) {
        if (has_errors_)
            is_database_known_ = false;
        else
            select(queued_database_);
    }
    is_monitoring_ |= request.name == "MONITOR";
    if (request.name == "RESET") {
        select(0);
        queued_database_ = kNoDatabase;
        is_subscribed_ = is_monitoring_ = false;
    }
}

// One for each channel; the last ends the command.
ResponseEffect Codec::on_confirmation(Open& open) {
    if (type_ == '*') is_subscribed_ = !ends_subscription_;
    if (expected() == 0 || queue_[first_] == 0 || open.size() == 0) return {};
    open.front().response.is_begun = true;
    if (--queue_[first_] > 0) return {.kind = Kind::Part};
    pop();
    return {.kind = Kind::Part, .finished = 1};
}

}  // namespace waggle::protocols::redis
