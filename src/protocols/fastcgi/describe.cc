// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "protocols/fastcgi/fastcgi.h"
#include "protocols/fastcgi/session.h"
#include "protocols/http/describe.h"
#include "spans/attribute_names.h"

namespace waggle::protocols::fastcgi {
namespace {

std::string_view scheme_of(const Params& params) { return params.scheme == "https" ? "https" : "http"; }

}  // namespace

std::optional<spans::TraceContext> Codec::trace_context(const Request& request) {
    if (request.params.traceparent.empty()) return {};
    return spans::parse_traceparent(request.params.traceparent);
}

std::array<spans::Attribute, 2> Codec::open_attributes(const Request& request) {
    return http::open_attributes(request.params.method, scheme_of(request.params));
}

void Codec::describe(const Exchange<Codec>& exchange, const ConnectionInfo& info, const Options& options,
                     spans::SpanBatch& batch, spans::Span& span) {
    const Params& params = exchange.request.params;
    // Whom the web server's client called is not whom the web server calls.
    const http::Facts facts{.protocol = kFastcgi.name,
                            .version = "1",
                            .method = params.method,
                            .target = params.target,
                            .authority = {},
                            .scheme = scheme_of(params),
                            .user_agent = params.user_agent,
                            .tracestate = params.tracestate,
                            .status = exchange.response.status,
                            .failure = exchange.response.failure};
    http::describe(facts, exchange, info, options, batch, span);
    span.attributes.add(attr::network_protocol_name, kFastcgi.name);
    std::string unknown;
    const auto name_unknown = [&](std::string_view name) { unknown.append(unknown.empty() ? "" : ",").append(name); };
    if (params.method.empty()) name_unknown(attr::http_request_method);
    if (params.target.empty() && exchange.request.is_cut) name_unknown(attr::url_path);
    const bool was_answered = exchange.has_response || exchange.response.is_cut;
    if (was_answered && exchange.response.status == 0 && exchange.response.failure.empty())
        name_unknown(attr::http_response_status_code);
    if (!unknown.empty()) span.attributes.add(attr::waggle_unknown, batch.text(unknown));
}

}  // namespace waggle::protocols::fastcgi
