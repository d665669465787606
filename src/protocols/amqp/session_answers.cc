// SPDX-License-Identifier: Apache-2.0
// What a broker's answers say of the messages that wait for them.
#include <algorithm>

#include "protocols/amqp/session.h"

namespace waggle::protocols::amqp {

// How an exchange and a routing key are told.
void name_destination(const Call& call, std::string& to) {
    to.assign(call.exchange);
    if (!call.routing_key.empty()) to.append(to.empty() ? "" : ":").append(call.routing_key);
}

// What was asked before the answers are read again may have been answered in what was passed over.
void Session::drop_answered(Context& context) {
    for (std::size_t i = 0; i < open_.size();) {
        const auto [key, exchange] = open_.entries()[i];
        if (exchange->request_order < responses_.stream.head())
            drop(key, context);
        else
            ++i;
    }
}

// By which tags the channel's messages are confirmed is not known any more.
void Session::drop_unconfirmed(std::uint16_t number, Context& context) {
    for (std::size_t i = 0; i < open_.size();) {
        const auto [key, exchange] = open_.entries()[i];
        if (exchange->request.channel == number && exchange->request.tag)
            drop(key, context);
        else
            ++i;
    }
}

// The answer to the oldest that waits and would come back: its confirmation follows.
void Session::on_return(std::uint16_t number, const Call& call) {
    std::string destination;
    name_destination(call, destination);
    for (const auto& [key, exchange] : open_.entries()) {
        Codec::Request& request = exchange->request;
        if (request.channel != number || !request.tag || !request.is_mandatory || !request.error.empty() ||
            request.destination != destination || !may_answer(*exchange))
            continue;
        request.error = std::to_string(call.code);
        return;
    }
}

// Was what stands at the head of the answers written after the request?
bool Session::may_answer(const Open& exchange) const {
    const streams::Stream& stream = responses_.stream;
    if (is_received_) return stream.head() >= exchange.request_order;
    return stream.order() == 0 || stream.order() > exchange.request_position;
}

void Session::on_confirm(std::uint16_t number, const Call& call, Context& context) {
    Channel& one = channel(number);
    if (one.is_confirming && call.tag > one.published) {
        one.is_known = one.is_confirming = false;
        return drop_unconfirmed(number, context);
    }
    for (std::size_t i = 0; i < open_.size();) {
        const auto [key, exchange] = open_.entries()[i];
        const std::uint64_t tag = exchange->request.tag;
        const bool is_it = exchange->request.channel == number && tag && may_answer(*exchange) &&
                           (tag == call.tag || (call.is_multiple && (tag < call.tag || call.tag == 0)));
        if (!is_it) {
            ++i;
            continue;
        }
        // The tag is proof enough where the rest of the message was not seen, or is seen later.
        if (!exchange->request.is_written) exchange->request_end_ns = responses_.stream.first_ns();
        exchange->first_byte_ns = responses_.stream.first_ns();
        exchange->response_position = responses_.stream.head();
        if (call.method == Method::Nack) exchange->request.error = "nack";
        end(key, *exchange, responses_.stream.first_ns(), context);
    }
}

// Nothing that waits is answered any more, on the channel or, where it is 0, on any.
void Session::on_channel_closed(std::uint16_t number, const Call& call, Context& context) {
    std::erase_if(channels_, [&](const Channel& one) { return number == 0 || one.number == number; });
    for (std::size_t i = 0; i < open_.size();) {
        const auto [key, exchange] = open_.entries()[i];
        if (number != 0 && exchange->request.channel != number) {
            ++i;
            continue;
        }
        if (call.code != 200 && exchange->request.error.empty()) exchange->request.error = std::to_string(call.code);
        end(key, *exchange, responses_.stream.first_ns(), context);
    }
}

// The oldest that waits: a channel answers in order.
Session::Key Session::get_on(std::uint16_t channel) const {
    for (const auto& [key, exchange] : open_.entries())
        if (exchange->request.kind == Codec::Kind::Get && exchange->request.channel == channel)
            return may_answer(*exchange) ? key : 0;
    return 0;
}

}  // namespace waggle::protocols::amqp
