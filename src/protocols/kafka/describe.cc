// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "protocols/kafka/kafka.h"
#include "protocols/kafka/session.h"
#include "protocols/messaging_span.h"
#include "spans/attribute_names.h"

namespace waggle::protocols::kafka {
namespace {

bool has_one_topic(const Contents& contents) {
    return contents.topics == 1 && (contents.is_whole || contents.has_one_topic);
}
bool has_one_partition(const Contents& contents) {
    return contents.partitions == 1 && (contents.is_whole || contents.has_one_partition);
}

bool is_sent(const Codec::Request& request) { return request.api == kProduce; }

}  // namespace

// Of one record the headers are the call's own; of several each has its own.
std::optional<spans::TraceContext> Codec::trace_context(const Request& request) {
    if (!is_sent(request) || !request.contents.is_single) return {};
    return request.contents.trace;
}

void Codec::describe(const Exchange<Codec>& exchange, const ConnectionInfo& info, const Options&,
                     spans::SpanBatch& batch, spans::Span& span) {
    const Request& request = exchange.request;
    const ProduceResult& result = exchange.response.result;
    const Contents& contents = is_sent(request) ? request.contents : exchange.response.contents;
    const std::int16_t error = is_sent(request) ? result.error : contents.error;
    const bool is_count_known = contents.is_whole && contents.is_count_known;
    const std::string error_text = error ? error_name(error) : std::string{};
    const std::string partition = has_one_partition(contents) ? std::to_string(contents.partition) : std::string{};
    const MessagingCall call{
        .system = "kafka",
        .operation = is_sent(request) ? "send" : "poll",
        .operation_type = is_sent(request) ? "send" : "receive",
        .destination = has_one_topic(contents) ? std::string_view(request.topic) : std::string_view{},
        .partition = partition,
        .client_id = request.client_id,
        .consumer_group = request.group,
        .error_type = error_text,
        .message_count = is_count_known ? contents.records : -1};
    span.protocol = kKafka.name;
    describe_messaging(call, info, batch, span);
    const std::int64_t offset = is_sent(request)
                                    ? (result.is_read && result.partitions == 1 && !error ? result.base_offset : -1)
                                    : (has_one_partition(contents) ? contents.offset : -1);
    if (offset >= 0) span.attributes.add(attr::messaging_kafka_offset, offset);
    if (contents.trace && !trace_context(request))
        span.links.push_back({contents.trace->trace_id, contents.trace->span_id});

    std::string unknown;
    const auto name_unknown = [&](std::string_view name) { unknown.append(unknown.empty() ? "" : ",").append(name); };
    const bool may_have_topic = contents.topics == 0 ? !contents.is_whole && !error : contents.topics == 1;
    if (call.destination.empty() && may_have_topic) name_unknown(attr::messaging_destination_name);
    if (!is_count_known) name_unknown(attr::messaging_batch_message_count);
    const bool is_status_known = is_sent(request) ? !exchange.has_response || result.is_read : contents.is_whole;
    if (!error && !is_status_known && span.incomplete == spans::Incomplete::No) name_unknown(attr::error_type);
    if (!unknown.empty()) span.attributes.add(attr::waggle_unknown, batch.text(unknown));
}

}  // namespace waggle::protocols::kafka
