// SPDX-License-Identifier: Apache-2.0
#include "protocols/http1/describe.h"

#include <algorithm>

#include "protocols/http/content.h"
#include "protocols/http/describe.h"
#include "protocols/http/grpc.h"
#include "protocols/http1/http1.h"
#include "spans/attribute_names.h"
#include "spans/grpc_codes.h"

namespace waggle::protocols::http1 {

void Codec::begin_request(const Request& request, std::uint64_t position, Body& body) {
    using Kind = Body::Kind;
    // A head that was cut hides how its body is framed.
    if (request.is_cut)
        body.start(Kind::Lost, position, 0);
    else if (request.is_chunked)
        body.start(Kind::Chunked, position, 0);
    else if (request.has_length)
        body.start(Kind::Length, position, request.length);
    else
        body.start(Kind::None, position, 0);
}

// RFC 9112 §6.3: which responses have content, and how it ends.
Reply Codec::begin_response(const Request& request, const Response& response, std::uint64_t position, Body& body) {
    using Kind = Body::Kind;
    const std::uint16_t status = response.status;
    if (status == 101) return Reply::Switch;
    if (status < 200) return Reply::Interim;
    const std::string_view method = request.at(request.method);
    if (is_tunnel(request) && status < 300) return Reply::Switch;
    // The rest of a head that was cut stands before the content: nothing in it tells the end.
    if (response.is_cut)
        body.start(Kind::Lost, position, 0);
    else if (method == "HEAD" || status == 204 || status == 304)
        body.start(Kind::None, position, 0);
    else if (response.is_chunked)
        body.start(Kind::Chunked, position, 0);
    else if (response.has_length)
        body.start(Kind::Length, position, response.length);
    else
        body.start(Kind::UntilClose, position, 0);
    return Reply::Final;
}

namespace {

// Does a request of a method that everybody knows begin here?
Sniff sniff_known(std::string_view bytes) {
    const Sniff result = sniff(bytes, Side::Request);
    if (result != Sniff::Yes) return result;
    bytes.remove_prefix(leading_newlines(bytes));
    return http::known_method(bytes.substr(0, bytes.find(' '))) == "_OTHER" ? Sniff::No : Sniff::Yes;
}

}  // namespace

// A body of chunks begins like no request. One of a length may be text, and the request after it stands right behind:
// "data" and "GET / HTTP/1.1" read as a method of their own.
Continuation Codec::after_answer(std::string_view bytes, bool is_final, const Body& body) {
    const auto waits = [&](Sniff result) { return result == Sniff::NeedMore && !is_final; };
    const Sniff any = sniff(bytes, Side::Request);
    if (waits(any)) return Continuation::NeedMore;
    if (any != Sniff::Yes) return Continuation::Body;
    if (!body.is_size_declared() || sniff_known(bytes) == Sniff::Yes) return Continuation::Request;
    const Sniff behind = body.size() < bytes.size() ? sniff_known(bytes.substr(body.size())) : Sniff::No;
    if (waits(behind)) return Continuation::NeedMore;
    return behind == Sniff::Yes ? Continuation::Body : Continuation::Unsure;
}

namespace {

// Without the sizes of chunks, as far as it was kept.
std::string content_of(const Head& head) {
    std::string_view rest = head.content;
    if (!head.is_chunked) return std::string(head.has_length ? rest.substr(0, head.length) : rest);
    std::string content;
    for (;;) {
        std::size_t line = 0;
        const auto size = parse_chunk_size(rest, line);
        if (!size || *size == 0) return content;
        rest.remove_prefix(line);
        const std::string_view piece = rest.substr(0, *size);
        content += piece;
        if (rest.size() < piece.size() + 2) return content;
        rest.remove_prefix(piece.size() + 2);
    }
}

bool add(Head& head, std::string_view bytes) {
    const std::size_t before = head.content.size();
    head.content += bytes.substr(0, http::kMaxFront - std::min(http::kMaxFront, before));
    return head.content.size() > before;
}

}  // namespace

Parsed<std::size_t> Codec::parse_request(std::string_view bytes, bool is_final, Request& head) {
    const auto size = http1::parse_request(bytes, is_final, head);
    if (size && !head.is_encoded)
        head.wants_content = http::may_carry_call(head.at(head.method), head.at(head.content_type));
    return size;
}

// Only of what may be a call: the first key of its object says so, else nothing is kept.
void Codec::add_content(Request& request, std::string_view bytes) {
    if (!request.wants_content || bytes.empty()) return;
    if (!add(request, bytes)) return;
    if (!http::may_be_call(content_of(request))) {
        request.content.clear();
        request.wants_content = false;
    }
}

void Codec::add_content(const Request& request, Response& response, std::string_view bytes) {
    const bool is_wanted =
        (request.wants_content && !request.content.empty()) || http::is_grpc_web_type(request.at(request.content_type));
    if (is_wanted && !response.is_encoded) add(response, bytes);
}

const Protocol* Codec::switches_to(const Request&, const Response& response) {
    return response.status == 101 ? upgraded_to(response.at(response.upgrade)) : nullptr;
}

std::optional<spans::TraceContext> Codec::trace_context(const Request& request) {
    if (request.traceparent.is_empty()) return {};
    return spans::parse_traceparent(request.at(request.traceparent));
}

std::array<spans::Attribute, 2> Codec::open_attributes(const Request& request) {
    return http::open_attributes(request.at(request.method), "http");
}

namespace {

// gRPC-Web: the status is in the answer's head, or in the last message of its body.
void describe_grpc(const Exchange<Codec>& exchange, std::string_view version, std::string_view body,
                   const ConnectionInfo& info, spans::SpanBatch& batch, spans::Span& span) {
    const RequestHead& request = exchange.request;
    const ResponseHead& response = exchange.response;
    http::GrpcWebTrailers trailers;
    http::GrpcFacts facts{
        .protocol = kHttp1.name,
        .version = version,
        .path = http::parse_target(request.at(request.target), request.at(request.method)).path,
        .authority = request.at(request.host),
        .tracestate = request.at(request.tracestate),
    };
    if (exchange.has_response) {
        std::optional<std::string_view> status;
        if (!response.grpc_status.is_empty()) {
            status = response.at(response.grpc_status);
        } else {
            if (http::is_grpc_web_text(response.at(response.content_type))) trailers.set_text();
            trailers.add(body);
            status = trailers.status();
        }
        if (status) {
            facts.code = http::parse_grpc_status(*status);
            facts.code_text = *status;
        } else if (info.role == Role::Client && response.status != 200) {
            facts.code = spans::grpc_code_of_status(response.status);
        } else if (response.status >= 500) {
            facts.failure = "UNKNOWN";
        }
    } else if (exchange.incomplete == spans::Incomplete::Closed) {
        facts.failure = "connection_closed";
    }
    http::describe_grpc(facts, exchange, info, batch, span);
    if (exchange.has_response && !facts.code) span.attributes.add(attr::waggle_unknown, attr::rpc_response_status_code);
}

}  // namespace

void Codec::describe(const Exchange<Codec>& exchange, const ConnectionInfo& info, const Options& options,
                     spans::SpanBatch& batch, spans::Span& span) {
    const RequestHead& request = exchange.request;
    const std::string sent = request.content.empty() ? std::string() : content_of(request);
    const std::string given = exchange.response.content.empty() ? std::string() : content_of(exchange.response);
    const std::string_view version = request.minor ? "1.1" : "1.0";
    if (http::is_grpc_type(request.at(request.content_type)))
        return describe_grpc(exchange, version, given, info, batch, span);
    const http::Facts facts{
        .protocol = kHttp1.name,
        .version = version,
        .method = request.at(request.method),
        .target = request.at(request.target),
        .authority = request.at(request.host),
        .user_agent = request.at(request.user_agent),
        .tracestate = request.at(request.tracestate),
        .status = exchange.has_response ? exchange.response.status : std::uint16_t{0},
        .product = exchange.has_response ? exchange.response.at(exchange.response.product) : std::string_view{},
        .content = sent,
        .answer = exchange.has_response ? std::string_view(given) : std::string_view{},
    };
    http::describe(facts, exchange, info, options, batch, span);
}

namespace {

std::unique_ptr<Session> open(const ConnectionInfo& info, Streams& streams, Direction requests) {
    return std::make_unique<InOrderSession<Codec>>(info, streams, requests);
}

}  // namespace

const Protocol kHttp1{.name = "http", .sniff = sniff, .open = open};

}  // namespace waggle::protocols::http1
