// SPDX-License-Identifier: Apache-2.0
#include "protocols/messaging_span.h"
#include "protocols/mqtt/mqtt.h"
#include "protocols/mqtt/session.h"
#include "spans/attribute_names.h"

namespace waggle::protocols::mqtt {
namespace {

struct Row {
    std::string_view name;
    std::string_view type;
};

constexpr std::array<Row, 5> kOperations = {
    {{"publish", "send"}, {"deliver", "receive"}, {"connect", ""}, {"subscribe", ""}, {"disconnect", ""}}};

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
    const MessagingCall call{.system = "mqtt",
                             .operation = row.name,
                             .operation_type = row.type,
                             .destination = request.topic,
                             .client_id = request.client_id,
                             .error_type = request.error};
    span.protocol = kMqtt.name;
    describe_messaging(call, info, batch, span);
    if (request.is_topic_unknown) span.attributes.add(attr::waggle_unknown, attr::messaging_destination_name);
    if (request.trace && request.kind == Kind::Deliver)
        span.links.push_back({request.trace->trace_id, request.trace->span_id});
}

}  // namespace waggle::protocols::mqtt
