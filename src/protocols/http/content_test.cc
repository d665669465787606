// SPDX-License-Identifier: Apache-2.0
#include "protocols/http/content.h"

#include <gtest/gtest.h>

#include "protocols/http/elasticsearch.h"
#include "protocols/http/graphql.h"

namespace waggle::protocols::http {
namespace {

std::string graphql(std::string_view document, std::string_view wanted = {}) {
    const auto operation = read_graphql(document, wanted);
    return operation ? std::string(operation->type) + "/" + operation->name : "none";
}

TEST(Graphql, NamesTheOperation) {
    EXPECT_EQ(graphql("{ me { name } }"), "query/");
    EXPECT_EQ(graphql("query Me { me }"), "query/Me");
    EXPECT_EQ(graphql("# comment { \n  mutation Buy($a: Int = 1, $b: In! = {c: 1}) @x(y: \"{\") { buy }"),
              "mutation/Buy");
    EXPECT_EQ(graphql("subscription($id: ID!) { changes(id: $id) }"), "subscription/");
    EXPECT_EQ(graphql("fragment F on User { name } query Q { me { ...F } }"), "query/Q");
    EXPECT_EQ(graphql("fragment query on User { text(a: \"\"\" } \"\"\") } mutation M { a }"), "mutation/M");
}

TEST(Graphql, TakesTheOneThatIsWanted) {
    EXPECT_EQ(graphql("query A { a } mutation B { b }", "B"), "mutation/B");
    EXPECT_EQ(graphql("query A { a } mutation B { b }", "A"), "query/A");
    // It stands in what was cut off.
    EXPECT_EQ(graphql("query A { a } query Lo", "B"), "/B");
    EXPECT_EQ(graphql("query A($x: Int", "A"), "query/A");
}

TEST(Graphql, IsNotSeenInWhatIsNone) {
    for (const std::string_view text :
         {"", "shoes", "query", "query shoes and hats", "SELECT 1", "mutation of genes", "fragment", "queryA { a }"})
        EXPECT_EQ(graphql(text), "none") << text;
}

TEST(Graphql, ReadsContentsAndQueries) {
    EXPECT_EQ(read_graphql_content(
                  R"({"operationName":"B","variables":{"query":"x"},"query":"query A {a}\n mutation B {b}"})")
                  ->type,
              "mutation");
    EXPECT_EQ(read_graphql_content(R"([{"query":"{a(b: \"c\")}"},{"query":"mutation {d}"}])")->type, "query");
    EXPECT_EQ(read_graphql_content(R"({"query":"query Long($a: Int) { one two thr)")->name, "Long");
    EXPECT_FALSE(read_graphql_content(R"({"query":{"match_all":{}}})"));
    EXPECT_FALSE(read_graphql_content(R"({"query":"red shoes"})"));
    EXPECT_EQ(read_graphql_query("a=b&query=query%20Me%7Bme%7D&operationName=Me")->name, "Me");
    EXPECT_EQ(read_graphql_query("query=%7Bme%7D")->type, "query");
    EXPECT_FALSE(read_graphql_query("query=red+shoes"));
    EXPECT_TRUE(has_graphql_errors(R"({"data":null,"errors":[{"message":"no"}]})"));
    EXPECT_TRUE(has_graphql_errors(R"({"errors":[{"mess)"));
    EXPECT_FALSE(has_graphql_errors(R"({"data":{"errors":[{}]},"errors":[]})"));
}

TEST(Content, MayBeACallByItsFirstKey) {
    for (const std::string_view text : {R"({"query":)", R"( [ {"jsonrpc")", "{\"qu", "{", "", "[", R"({"id":1)"})
        EXPECT_TRUE(may_be_call(text)) << text;
    for (const std::string_view text : {R"({"name":"query"})", "[1]", "query {a}", R"({"queries":1})", "{}"})
        EXPECT_FALSE(may_be_call(text)) << text;
}

TEST(SearchEngine, NamesOperationAndIndex) {
    struct Case {
        std::string_view method, path, operation, index;
    };
    for (const Case& one : std::initializer_list<Case>{{"POST", "/orders/_search", "search", "orders"},
                                                       {"GET", "/_search", "search", ""},
                                                       {"POST", "/a,b/_search", "search", ""},
                                                       {"POST", "/logs-*/_count", "count", ""},
                                                       {"PUT", "/orders/_doc/17", "index", "orders"},
                                                       {"GET", "/orders/_doc/17", "get", "orders"},
                                                       {"HEAD", "/orders/_doc/17", "exists", "orders"},
                                                       {"DELETE", "/orders/_doc/17", "delete", "orders"},
                                                       {"POST", "/orders/_update/17", "update", "orders"},
                                                       {"PUT", "/orders/_create/17", "create", "orders"},
                                                       {"POST", "/_bulk", "bulk", ""},
                                                       {"POST", "/orders/_bulk", "bulk", "orders"},
                                                       {"PUT", "/orders", "indices.create", "orders"},
                                                       {"DELETE", "/orders", "indices.delete", "orders"},
                                                       {"HEAD", "/orders", "indices.exists", "orders"},
                                                       {"POST", "/orders/_refresh", "indices.refresh", "orders"},
                                                       {"GET", "/_cluster/health", "cluster.health", ""},
                                                       {"GET", "/_cat/indices", "cat.indices", ""},
                                                       {"POST", "/_search/scroll", "scroll", ""},
                                                       {"GET", "/", "info", ""},
                                                       {"HEAD", "/", "ping", ""},
                                                       {"GET", "/orders/17/18", "", "orders"},
                                                       {"GET", "/_Bad$", "", ""}}) {
        const SearchCall call = read_search_call(one.method, one.path);
        EXPECT_EQ(call.operation, one.operation) << one.method << one.path;
        EXPECT_EQ(call.index, one.index) << one.method << one.path;
    }
}

TEST(SearchEngine, IsKnownByWhatItsEndsSay) {
    EXPECT_EQ(search_engine("elasticsearch-py/8.15.0 (Python/3.11.2)", ""), "elasticsearch");
    EXPECT_EQ(search_engine("elastic-transport-js/8.9", ""), "elasticsearch");
    EXPECT_EQ(search_engine("opensearch-py/2.7.1 (Python 3.11.2)", ""), "opensearch");
    EXPECT_EQ(search_engine("curl/7.88", "Elasticsearch"), "elasticsearch");
    EXPECT_EQ(search_engine("curl/7.88", ""), "");
}

}  // namespace
}  // namespace waggle::protocols::http
