// SPDX-License-Identifier: Apache-2.0
#include "protocols/dns/session.h"

#include <cstring>

#include "protocols/dns/datagrams.h"
#include "protocols/dns/dns.h"
#include "protocols/peers.h"
#include "spans/attribute_names.h"

namespace waggle::protocols::dns {

Parsed<Unit> Session::parse(const Half& half, std::string_view bytes, bool is_final) {
    if (bytes.size() < 2 + kHeader) return std::unexpected(Stop::NeedMore);
    const std::size_t size =
        static_cast<std::size_t>(static_cast<unsigned char>(bytes[0])) << 8 | static_cast<unsigned char>(bytes[1]);
    if (size < kHeader) return std::unexpected(Stop::Invalid);
    const std::size_t wanted = std::min(size, kMaxFront);
    const auto message = read_message(bytes.substr(2, wanted));
    if (!message || message->is_answer != half.is_answer()) return std::unexpected(Stop::Invalid);
    const bool is_here = bytes.size() >= 2 + wanted;
    if (message->questions == 1 && !message->has_question && (is_here || is_final))
        return std::unexpected(is_here ? Stop::Invalid : Stop::NeedMore);
    return Unit{.size = 2 + size, .front = 2 + wanted};
}

void Session::on_frame(Half& half, std::string_view front, const Unit&, Context& context) {
    const auto message = read_message(front.substr(2));
    if (!message) return;
    if (!half.is_answer()) {
        Open& exchange = open_here(half, context);
        Codec::Request& request = exchange.request;
        request.id = message->id;
        request.type = message->type;
        request.has_question = message->has_question;
        request.name = message->name.text();
        request.retries = 0;
        exchange.response = {};
        exchange.request_end_ns = half.stream.time_before(half.passed_to);
        begin(exchange, context);
        return;
    }
    for (const auto& [key, exchange] : open_.entries()) {
        if (exchange->request.id != message->id) continue;
        // Two questions of one id: the answer repeats its own.
        const bool is_its_own =
            !message->has_question || !exchange->request.has_question ||
            (message->type == exchange->request.type && message->name.text() == exchange->request.name);
        if (!is_its_own) continue;
        answer_here(*exchange, half);
        exchange->response.code = message->code;
        half.ends = key;
        return;
    }
    // A zone's transfer comes in several messages: the first of them has ended its question.
    if (message->type != 251 && message->type != 252 && message->has_question) context.counts.add(Cause::Unmatched);
}

void Session::on_whole(Half& half, Key key, Context& context) {
    if (Open* const exchange = open_.find(key))
        finish(key, *exchange, context, half.stream.time_before(half.passed_to));
}

// What waits may have been answered in what is missing, and its id be used anew.
void Session::on_lost(Half& half, Context& context) {
    if (!half.is_answer()) return;
    while (open_.size() > 0) drop(open_.entries().front().key, spans::Incomplete::Hole, context);
}

// A client's question has failed by any code but NOERROR; a server has failed when it says so.
void Codec::describe(const Exchange<Codec>& exchange, const ConnectionInfo& info, const Options&,
                     spans::SpanBatch& batch, spans::Span& span) {
    const Request& request = exchange.request;
    span.span_class = spans::SpanClass::Dns;
    span.protocol = kDns.name;
    const std::string_view type = type_name(request.type);
    constexpr std::string_view kPrefix = "DNS ";
    char* const name = batch.arena().allocate(kPrefix.size() + type.size());
    std::memcpy(name, kPrefix.data(), kPrefix.size());
    if (!type.empty()) std::memcpy(name + kPrefix.size(), type.data(), type.size());
    span.name = {name, kPrefix.size() + type.size() - (type.empty() ? 1 : 0)};
    spans::Attributes& attributes = span.attributes;
    if (request.has_question) attributes.add(attr::dns_question_name, batch.text(request.name));
    std::string_view error;
    if (exchange.has_response) {
        attributes.add(attr::waggle_dns_response_code, code_name(exchange.response.code));
        const bool is_error = info.role == Role::Server ? exchange.response.code == 2 : exchange.response.code != 0;
        if (is_error) error = code_name(exchange.response.code);
        if (exchange.response.is_truncated) attributes.add(attr::waggle_dns_truncated, true);
    } else if (!exchange.response.error.empty()) {
        error = exchange.response.error;
    } else if (span.incomplete == spans::Incomplete::Closed) {
        error = "connection_closed";
    } else if (span.incomplete == spans::Incomplete::Timeout && info.role == Role::Client) {
        error = "timeout";
    }
    if (request.retries) attributes.add(attr::waggle_dns_retries, std::int64_t{request.retries});
    if (!error.empty()) {
        span.status = spans::Status::Error;
        attributes.add(attr::error_type, error);
    }
    if (info.kind != WG_UNIX)
        attributes.add(attr::network_transport,
                       info.kind == WG_UDP ? std::string_view("udp") : std::string_view("tcp"));
    describe_peers(info, batch, attributes);
}

namespace {

std::unique_ptr<protocols::Session> open_session(const ConnectionInfo& info, Streams& streams, Direction requests) {
    return std::make_unique<Session>(info, streams, requests);
}

}  // namespace

const Protocol kDns{.name = "dns", .sniff = sniff, .open = open_session};

const DatagramProtocol kDnsDatagrams{
    .protocol = &kDns, .open = [] -> std::unique_ptr<DatagramSession> { return std::make_unique<Datagrams>(); }};

}  // namespace waggle::protocols::dns
