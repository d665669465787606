// SPDX-License-Identifier: Apache-2.0
#include "protocols/amqp/amqp.h"
#include "protocols/amqp/session.h"
#include "protocols/messaging_span.h"
#include "spans/attribute_names.h"

namespace waggle::protocols::amqp {
namespace {

struct Row {
    std::string_view name;
    std::string_view type;
};

constexpr std::array<Row, 6> kOperations = {{{"publish", "send"},
                                             {"deliver", "receive"},
                                             {"get", "receive"},
                                             {"ack", "settle"},
                                             {"nack", "settle"},
                                             {"reject", "settle"}}};

}  // namespace

// Who sends a message goes on with its trace; who is given one is linked to it.
std::optional<spans::TraceContext> Codec::trace_context(const Request& request) {
    if (request.kind != Kind::Publish) return {};
    return request.trace;
}

void Codec::describe(const Exchange<Codec>& exchange, const ConnectionInfo& info, const Options&,
                     spans::SpanBatch& batch, spans::Span& span) {
    const Request& request = exchange.request;
    const Row& row = kOperations[static_cast<std::size_t>(request.kind)];
    const bool is_settled = row.type == "settle";
    const std::string_view destination =
        request.destination.empty() && !is_settled ? std::string_view("amq.default") : request.destination;
    const MessagingCall call{.system = "rabbitmq",
                             .operation = row.name,
                             .operation_type = row.type,
                             .destination = destination,
                             .error_type = request.error};
    span.protocol = kAmqp.name;
    describe_messaging(call, info, batch, span);
    if (!request.routing_key.empty())
        span.attributes.add(attr::messaging_rabbitmq_destination_routing_key, batch.text(request.routing_key));
    if (request.is_unsure && request.error.empty()) span.attributes.add(attr::waggle_unknown, attr::error_type);
    if (request.trace && request.kind != Kind::Publish)
        span.links.push_back({request.trace->trace_id, request.trace->span_id});
}

}  // namespace waggle::protocols::amqp
