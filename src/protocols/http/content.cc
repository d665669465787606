// SPDX-License-Identifier: Apache-2.0
#include "protocols/http/content.h"

#include <algorithm>
#include <array>
#include <string>

#include "protocols/http/elasticsearch.h"
#include "protocols/http/graphql.h"
#include "protocols/json/rpc.h"
#include "protocols/json/scan.h"
#include "spans/attribute_names.h"

namespace waggle::protocols::http {
namespace {

void fail(std::string_view error, spans::Span& span) {
    // That HTTP failed is told already, and says more.
    if (span.status == spans::Status::Error) return;
    span.status = spans::Status::Error;
    span.attributes.add(attr::error_type, error);
}

void describe_graphql(const GraphqlOperation& operation, std::string_view answer, spans::SpanBatch& batch,
                      spans::Span& span) {
    if (!operation.name.empty()) span.attributes.add(attr::graphql_operation_name, batch.text(operation.name));
    if (!operation.type.empty())
        span.attributes.add(attr::graphql_operation_type, operation.type);
    else
        span.attributes.add(attr::waggle_unknown, attr::graphql_operation_type);
    if (has_graphql_errors(answer)) fail("graphql_error", span);
}

void describe_rpc(const json::RpcMessage& call, std::string_view answer, spans::SpanBatch& batch, spans::Span& span) {
    spans::Attributes& attributes = span.attributes;
    attributes.add(attr::rpc_system_name, std::string_view("jsonrpc"));
    attributes.add(attr::rpc_method, batch.text(call.method));
    attributes.add(attr::jsonrpc_protocol_version, batch.text(call.version));
    if (!call.id.empty()) attributes.add(attr::jsonrpc_request_id, batch.text(json::plain_id(call.id)));
    const auto message = answer.empty() ? std::nullopt : json::read_rpc(answer);
    if (!message || !message->error) return;
    const std::string_view code = batch.text(std::to_string(*message->error));
    attributes.add(attr::rpc_response_status_code, code);
    fail(code, span);
}

// The database conventions' rows; what HTTP says stays.
void describe_search(std::string_view engine, const Facts& facts, const Target& target, spans::SpanBatch& batch,
                     spans::Span& span) {
    const SearchCall call = read_search_call(facts.method, target.path);
    if (call.operation.empty()) return;
    spans::Attributes& attributes = span.attributes;
    span.span_class = spans::SpanClass::Db;
    attributes.add(attr::db_system_name, engine);
    const std::string_view operation = batch.text(call.operation);
    attributes.add(attr::db_operation_name, operation);
    span.name = operation;
    if (!call.index.empty()) {
        attributes.add(attr::db_collection_name, keep(call.index, batch));
        span.name = batch.text(call.operation + " " + std::string(call.index));
    }
    // Also of what is no failure of a server's: nothing is there.
    if (facts.status >= 400) attributes.add(attr::db_response_status_code, batch.text(std::to_string(facts.status)));
}

}  // namespace

bool may_carry_call(std::string_view method, std::string_view content_type) {
    return method == "POST" && (content_type.find("json") != std::string_view::npos ||
                                content_type.find("graphql") != std::string_view::npos);
}

bool may_be_call(std::string_view content) {
    std::string_view rest = json::skip_blanks(content);
    if (rest.starts_with('[')) rest = json::skip_blanks(rest.substr(1));
    if (rest.empty()) return content.size() < 64;
    if (!rest.starts_with('{')) return false;
    rest = json::skip_blanks(rest.substr(1));
    if (rest.empty()) return content.size() < 64;
    static constexpr std::array<std::string_view, 8> kKeys = {
        "\"query\"",   "\"operationName\"", "\"variables\"", "\"extensions\"",
        "\"jsonrpc\"", "\"method\"",        "\"params\"",    "\"id\""};
    return std::ranges::any_of(kKeys, [&](std::string_view key) {
        const std::size_t size = std::min(key.size(), rest.size());
        return rest.substr(0, size) == key.substr(0, size);
    });
}

void refine(const Facts& facts, const Target& target, const ConnectionInfo& info, spans::SpanBatch& batch,
            spans::Span& span) {
    if (const std::string_view engine = search_engine(facts.user_agent, facts.product); !engine.empty())
        return describe_search(engine, facts, target, batch, span);
    if (!facts.content.empty()) {
        if (const auto call = json::read_rpc(facts.content); call && !call->is_answer)
            return describe_rpc(*call, facts.answer, batch, span);
        if (const auto operation = read_graphql_content(facts.content))
            describe_graphql(*operation, facts.answer, batch, span);
    } else if (facts.method == "GET" && target.query.find("query=") != std::string_view::npos &&
               (target.path.find("graphql") != std::string_view::npos || target.path.ends_with("/gql"))) {
        if (const auto operation = read_graphql_query(target.query))
            describe_graphql(*operation, facts.answer, batch, span);
    }
}

}  // namespace waggle::protocols::http
