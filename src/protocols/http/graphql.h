// SPDX-License-Identifier: Apache-2.0
// What a GraphQL request asks for: the operation's type and name, from a document that may be cut anywhere. Fields,
// arguments and variables are never told. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace waggle::protocols::http {

struct GraphqlOperation {
    std::string_view type;  // query, mutation, subscription; empty: not seen, or unclear
    std::string name;
};

// Of a document; wanted: the operation that is to run where there are several. Nothing when it is no document.
std::optional<GraphqlOperation> read_graphql(std::string_view document, std::string_view wanted);
// Of a POST's content: {"query":"…","operationName":"…"}, or the document itself.
std::optional<GraphqlOperation> read_graphql_content(std::string_view content);
// Of a GET's query: query=…&operationName=…
std::optional<GraphqlOperation> read_graphql_query(std::string_view query);
// Does the answer begin with, or have where it was seen, a list of errors?
bool has_graphql_errors(std::string_view content);

}  // namespace waggle::protocols::http
