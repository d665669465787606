// SPDX-License-Identifier: Apache-2.0
#include "protocols/database_span.h"

#include "protocols/peers.h"
#include "spans/attribute_names.h"

namespace waggle::protocols {

void describe_database(const DatabaseCall& call, const CallFacts& facts, const ConnectionInfo& info,
                       spans::SpanBatch& batch, spans::Span& span) {
    span.span_class = spans::SpanClass::Db;
    spans::Attributes& attributes = span.attributes;
    attributes.add(attr::db_system_name, call.system);
    const auto add = [&](std::string_view key, std::string_view text) {
        const std::string_view kept = batch.text(text);
        if (!kept.empty()) attributes.add(key, kept);
        return kept;
    };
    add(attr::db_namespace, call.database);
    const std::string_view operation = add(attr::db_operation_name, call.operation);
    add(attr::db_collection_name, call.collection);
    add(attr::db_query_summary, call.summary);
    add(attr::db_query_text, call.text);
    if (call.is_text_unknown) attributes.add(attr::waggle_unknown, attr::db_query_text);
    if (call.batch_size > 1) attributes.add(attr::db_operation_batch_size, std::int64_t{call.batch_size});
    if (call.returned_rows >= 0) attributes.add(attr::db_response_returned_rows, call.returned_rows);
    const std::string_view name = batch.text(call.name);
    span.name = !name.empty() ? name : !operation.empty() ? operation : call.system;

    add(attr::db_response_status_code, call.status_code);
    const bool is_closed = facts.incomplete == spans::Incomplete::Closed;
    const std::string_view error = !call.error_type.empty() ? batch.text(call.error_type)
                                   : is_closed              ? std::string_view("connection_closed")
                                                            : std::string_view{};
    if (!error.empty()) {
        span.status = spans::Status::Error;
        attributes.add(attr::error_type, error);
    }
    describe_peers(info, batch, attributes);
}

}  // namespace waggle::protocols
