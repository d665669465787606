// SPDX-License-Identifier: Apache-2.0
// From an exchange to the generic part of its span, and to what Traces asks of it. The attributes are the
// protocol's own.
#pragma once

#include <algorithm>

#include "protocols/exchange.h"

namespace waggle::protocols {

template <typename Codec>
spans::SequenceIdentity sequence_of(const Exchange<Codec>& exchange, const ConnectionInfo& info) {
    spans::SequenceIdentity identity;
    if (info.kind != WG_TCP || info.role == Role::Unknown) return identity;
    const wg_tuple& tuple = info.tuple;
    const bool is_client = info.role == Role::Client;
    std::copy_n(is_client ? tuple.local_address : tuple.remote_address, 16, identity.client_address.begin());
    std::copy_n(is_client ? tuple.remote_address : tuple.local_address, 16, identity.server_address.begin());
    identity.client_port = is_client ? tuple.local_port : tuple.remote_port;
    identity.server_port = is_client ? tuple.remote_port : tuple.local_port;
    identity.request = static_cast<std::uint32_t>(exchange.request_position);
    identity.netns = tuple.netns;
    identity.is_known = true;
    return identity;
}

template <typename Codec>
Traces::Call call_of(const Exchange<Codec>& exchange, const ConnectionInfo& info, std::uint64_t now_ns) {
    return {.header = exchange.header,
            .sequence = sequence_of(exchange, info),
            .pid = exchange.process.pid,
            .thread = exchange.thread,
            .now_ns = now_ns};
}

template <typename Codec>
void fill_span(const Exchange<Codec>& exchange, const ConnectionInfo& info, spans::Span& span) {
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
    span.sequence = sequence_of(exchange, info);
    span.sequence.response = static_cast<std::uint32_t>(exchange.response_position);
}

}  // namespace waggle::protocols
