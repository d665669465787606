// SPDX-License-Identifier: Apache-2.0
#include "protocols/messaging_span.h"

#include <cstring>

#include "protocols/peers.h"
#include "spans/attribute_names.h"

namespace waggle::protocols {
namespace {

std::string_view joined(std::string_view first, std::string_view second, spans::SpanBatch& batch) {
    const std::size_t size = first.size() + 1 + second.size();
    char* const text = batch.arena().allocate(size);
    std::memcpy(text, first.data(), first.size());
    text[first.size()] = ' ';
    std::memcpy(text + first.size() + 1, second.data(), second.size());
    return {text, size};
}

}  // namespace

void describe_messaging(const MessagingCall& call, const ConnectionInfo& info, spans::SpanBatch& batch,
                        spans::Span& span) {
    span.span_class = spans::SpanClass::Messaging;
    if (span.kind == spans::SpanKind::Client && call.operation_type == "send") span.kind = spans::SpanKind::Producer;
    spans::Attributes& attributes = span.attributes;
    const auto add = [&](std::string_view key, std::string_view text) {
        if (!text.empty()) attributes.add(key, batch.text(text));
    };
    attributes.add(attr::messaging_system, call.system);
    attributes.add(attr::messaging_operation_name, call.operation);
    if (!call.operation_type.empty()) attributes.add(attr::messaging_operation_type, call.operation_type);
    add(attr::messaging_destination_name, call.destination);
    add(attr::messaging_destination_partition_id, call.partition);
    add(attr::messaging_client_id, call.client_id);
    add(attr::messaging_consumer_group_name, call.consumer_group);
    if (call.message_count >= 0) attributes.add(attr::messaging_batch_message_count, call.message_count);
    span.name = call.destination.empty() ? call.operation : joined(call.operation, call.destination, batch);
    const bool is_closed = span.incomplete == spans::Incomplete::Closed;
    const std::string_view error =
        call.error_type.empty() && is_closed ? std::string_view("connection_closed") : call.error_type;
    if (!error.empty()) {
        span.status = spans::Status::Error;
        attributes.add(attr::error_type, batch.text(error));
    }
    describe_peers(info, batch, attributes);
}

}  // namespace waggle::protocols
