// SPDX-License-Identifier: Apache-2.0
// Elasticsearch and OpenSearch are spoken over HTTP: the operation and the index are in method and path. Documents and
// queries are never told. Pure.
#pragma once

#include <string>
#include <string_view>

namespace waggle::protocols::http {

// "elasticsearch" or "opensearch": what the client calls itself, or the server says that it is; else empty.
std::string_view search_engine(std::string_view user_agent, std::string_view product);

struct SearchCall {
    std::string operation;   // as the clients call it: search, indices.create, cluster.health, …
    std::string_view index;  // empty: none, or several
};
// path: without the query.
SearchCall read_search_call(std::string_view method, std::string_view path);

}  // namespace waggle::protocols::http
