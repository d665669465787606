// SPDX-License-Identifier: Apache-2.0
// From an exchange to its span, and to what Traces asks of it: what sessions share that pair in order and
// those that pair by id. The attributes are the protocol's own.
#pragma once

#include <algorithm>

#include "protocols/exchange.h"

namespace waggle::protocols {

inline spans::SequenceIdentity sequence_of(const ConnectionInfo& info, std::uint64_t request_position = 0) {
    spans::SequenceIdentity identity;
    if (info.kind != WG_TCP || info.role == Role::Unknown) return identity;
    const wg_tuple& tuple = info.tuple;
    const bool is_client = info.role == Role::Client;
    std::copy_n(is_client ? tuple.local_address : tuple.remote_address, 16, identity.client_address.begin());
    std::copy_n(is_client ? tuple.remote_address : tuple.local_address, 16, identity.server_address.begin());
    identity.client_port = is_client ? tuple.local_port : tuple.remote_port;
    identity.server_port = is_client ? tuple.remote_port : tuple.local_port;
    identity.request = static_cast<std::uint32_t>(request_position);
    identity.netns = tuple.netns;
    identity.is_known = true;
    return identity;
}

inline Traces::Call call_of(const ExchangeState& exchange, const ConnectionInfo& info, std::uint64_t now_ns) {
    return {.header = exchange.header,
            .sequence = sequence_of(info, exchange.request_position),
            .pid = exchange.process.pid,
            .thread = exchange.thread,
            .now_ns = now_ns};
}

inline void fill_span(const ExchangeState& exchange, const ConnectionInfo& info, spans::Span& span) {
    span.kind = info.role == Role::Server   ? spans::SpanKind::Server
                : info.role == Role::Client ? spans::SpanKind::Client
                                            : spans::SpanKind::Internal;
    span.has_unknown_role = info.role == Role::Unknown;
    span.start_ns = exchange.start_ns;
    span.first_byte_ns = exchange.first_byte_ns;
    span.end_ns = exchange.end_ns;
    span.queue_us = exchange.queue_us;
    span.incomplete = exchange.incomplete;
    span.trace_id = exchange.ids.trace_id;
    span.span_id = exchange.ids.span_id;
    span.parent_span_id = exchange.ids.parent;
    span.flags = exchange.ids.flags;
    span.unsure_ns = exchange.ids.unsure_ns;
    span.has_remote_root = exchange.ids.has_remote_root;
    span.parent_source = exchange.ids.source;
    span.links.assign(exchange.ids.links.begin(), exchange.ids.links.end());
    span.process = exchange.process;
    span.connection = info.id;
    span.sequence = sequence_of(info, exchange.request_position);
    span.sequence.response = static_cast<std::uint32_t>(exchange.response_position);
}

// Gives the exchange its ids.
template <typename Codec>
void open_traces(Exchange<Codec>& exchange, const ConnectionInfo& info, Context& context) {
    if (!context.options.wants_traces) return;
    exchange.header = Codec::trace_context(exchange.request);
    const Traces::Call call = call_of(exchange, info, context.now_ns);
    if (info.role == Role::Server)
        context.traces.open_server(call, exchange.ids);
    else
        context.traces.open_client(call, exchange.ids);
}

// The exchange is over: settles its ids, and gives the batch for its span, which may have to wait for the
// span of its caller.
inline spans::SpanBatch& settle_traces(ExchangeState& exchange, const ConnectionInfo& info, Context& context) {
    if (!context.options.wants_traces) return context.batch;
    const Traces::Call call = call_of(exchange, info, context.now_ns);
    const bool is_server = info.role == Role::Server;
    if (is_server) context.traces.close_server(call, exchange.ids);
    context.traces.settle(call.sequence, is_server, exchange.ids);
    const bool must_wait = context.waiting.has_room() && context.traces.must_wait(exchange.ids.unsure_ns);
    return must_wait ? context.waiting.fresh() : context.batch;
}

// What turned out to be no call: nothing is part of it any more.
inline void close_traces(const ExchangeState& exchange, const ConnectionInfo& info, Context& context) {
    if (!context.options.wants_traces || info.role != Role::Server) return;
    context.traces.close_server(call_of(exchange, info, context.now_ns), exchange.ids);
}

// Exports the exchange, unless that has happened at its age limit.
template <typename Codec>
void report(Exchange<Codec>& exchange, const ConnectionInfo& info, Context& context) {
    if (exchange.is_reported) return;
    exchange.is_reported = true;
    spans::SpanBatch& batch = settle_traces(exchange, info, context);
    spans::Span& span = batch.add();
    fill_span(exchange, info, span);
    Codec::describe(exchange, info, context.options, batch, span);
    if (info.tls && context.options.wants_details) describe_tls(*info.tls, batch, span);
    ++context.counts.exported;
}

// Reports an exchange that is open for too long; it still waits for its response.
template <typename Codec>
void check_age(Exchange<Codec>& exchange, const ConnectionInfo& info, Context& context) {
    if (exchange.is_reported) return;
    const std::uint64_t age = context.now_ns > exchange.start_ns ? context.now_ns - exchange.start_ns : 0;
    const std::uint64_t timeout = context.options.http_request_timeout_ns;
    if (timeout && !exchange.has_response && age > timeout) {
        exchange.incomplete = spans::Incomplete::Timeout;
        exchange.end_ns = exchange.start_ns + timeout;
    } else if (age > context.options.max_exchange_age_ns) {
        exchange.incomplete = spans::Incomplete::MaxAge;
        exchange.end_ns = exchange.start_ns + context.options.max_exchange_age_ns;
    } else {
        return;
    }
    report(exchange, info, context);
}

}  // namespace waggle::protocols
