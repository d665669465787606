// SPDX-License-Identifier: Apache-2.0
#include "protocols/messaging_span.h"
#include "protocols/nats/nats.h"
#include "protocols/nats/session.h"

namespace waggle::protocols::nats {
namespace {

struct Row {
    std::string_view name;
    std::string_view type;
};

constexpr std::array<Row, 9> kOperations = {{{"publish", "send"},
                                             {"request", "send"},
                                             {"reply", "send"},
                                             {"ack", "settle"},
                                             {"nack", "settle"},
                                             {"deliver", "receive"},
                                             {"connect", ""},
                                             {"subscribe", ""},
                                             {"error", ""}}};

}  // namespace

// Who sends a message goes on with its trace; who is given one is linked to it.
std::optional<spans::TraceContext> Codec::trace_context(const Request& request) {
    if (request.kind == Kind::Deliver) return {};
    return request.trace;
}

void Codec::describe(const Exchange<Codec>& exchange, const ConnectionInfo& info, const Options&,
                     spans::SpanBatch& batch, spans::Span& span) {
    const Request& request = exchange.request;
    const Row& row = kOperations[static_cast<std::size_t>(request.kind)];
    const MessagingCall call{.system = "nats",
                             .operation = row.name,
                             .operation_type = row.type,
                             .destination = request.subject,
                             .consumer_group = request.group,
                             .error_type = request.error};
    span.protocol = kNats.name;
    describe_messaging(call, info, batch, span);
    if (request.trace && request.kind == Kind::Deliver)
        span.links.push_back({request.trace->trace_id, request.trace->span_id});
}

}  // namespace waggle::protocols::nats
