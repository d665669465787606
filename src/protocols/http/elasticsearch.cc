// SPDX-License-Identifier: Apache-2.0
#include "protocols/http/elasticsearch.h"

#include <algorithm>
#include <array>

#include "base/strings.h"

namespace waggle::protocols::http {
namespace {

// The word of a path, and what an operation is called by method; the last column is for what is not listed.
struct Row {
    std::string_view word;
    std::string_view get;
    std::string_view put;
    std::string_view remove;
    std::string_view head;
    std::string_view post;
};
constexpr auto kRows = std::to_array<Row>({
    {"_doc", "get", "index", "delete", "exists", "index"},
    {"_source", "get_source", "", "", "exists_source", ""},
    {"_create", "", "create", "", "", "create"},
    {"_alias", "indices.get_alias", "indices.put_alias", "indices.delete_alias", "indices.exists_alias",
     "indices.put_alias"},
    {"_aliases", "indices.get_alias", "", "", "", "indices.update_aliases"},
    {"_mapping", "indices.get_mapping", "indices.put_mapping", "", "", "indices.put_mapping"},
    {"_settings", "indices.get_settings", "indices.put_settings", "", "", ""},
    {"_index_template", "indices.get_index_template", "indices.put_index_template", "indices.delete_index_template",
     "indices.exists_index_template", "indices.put_index_template"},
    {"_refresh", "indices.refresh", "", "", "", "indices.refresh"},
    {"_flush", "indices.flush", "", "", "", "indices.flush"},
    {"_forcemerge", "", "", "", "", "indices.forcemerge"},
    {"_analyze", "indices.analyze", "", "", "", "indices.analyze"},
    {"_open", "", "", "", "", "indices.open"},
    {"_close", "", "", "", "", "indices.close"},
    {"_stats", "indices.stats", "", "", "", ""},
    {"_pit", "", "", "close_point_in_time", "", "open_point_in_time"},
});
// Of these the next word belongs to the name.
constexpr auto kGroups = std::to_array<std::string_view>(
    {"cluster", "cat", "nodes", "tasks", "snapshot", "ingest", "security", "ml", "ilm"});

std::string_view by_method(const Row& row, std::string_view method) {
    if (method == "GET") return row.get;
    if (method == "PUT") return row.put;
    if (method == "DELETE") return row.remove;
    if (method == "HEAD") return row.head;
    return row.post;
}

bool is_name(std::string_view text) {
    return !text.empty() && text.size() <= 64 &&
           std::ranges::all_of(text, [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
}

// An expression for several is no name of one.
std::string_view one_index(std::string_view text) {
    return text.find_first_of(",*<%") == std::string_view::npos && !text.starts_with('_') ? text : std::string_view{};
}

std::string name_of(std::string_view word, std::string_view behind, std::string_view method) {
    const auto row = std::ranges::find(kRows, word, &Row::word);
    if (row != kRows.end())
        if (const std::string_view name = by_method(*row, method); !name.empty()) return std::string(name);
    const std::string_view bare = word.substr(1);
    if (!is_name(bare)) return {};
    if (word == "_search" && behind == "scroll") return method == "DELETE" ? "clear_scroll" : "scroll";
    if (word == "_search" && behind == "template") return "search_template";
    if (std::ranges::find(kGroups, bare) == kGroups.end()) return std::string(bare);
    return std::string(bare) + (is_name(behind) ? "." + std::string(behind) : bare == "nodes" ? ".info" : "");
}

}  // namespace

std::string_view search_engine(std::string_view user_agent, std::string_view product) {
    if (equals_ignoring_case(product, "elasticsearch")) return "elasticsearch";
    if (user_agent.starts_with("opensearch")) return "opensearch";
    constexpr std::array<std::string_view, 5> kClients = {"elasticsearch-", "elastic-", "go-elasticsearch",
                                                          "elasticsearch/", "elasticsearch_"};
    const auto is_client = [&](std::string_view client) { return user_agent.starts_with(client); };
    return std::ranges::any_of(kClients, is_client) ? "elasticsearch" : "";
}

SearchCall read_search_call(std::string_view method, std::string_view path) {
    SearchCall call;
    std::array<std::string_view, 4> words;
    std::size_t count = 0;
    for (std::size_t at = path.find_first_not_of('/'); at < path.size() && count < words.size();
         at = path.find_first_not_of('/', at)) {
        const std::size_t end = std::min(path.find('/', at), path.size());
        words[count++] = path.substr(at, end - at);
        at = end;
    }
    if (count == 0) {
        call.operation = method == "HEAD" ? "ping" : "info";
        return call;
    }
    const bool has_index = !words[0].starts_with('_') || words[0] == "_all";
    if (has_index) call.index = one_index(words[0]);
    const std::size_t at = has_index ? 1 : 0;
    if (at < count && words[at].starts_with('_')) {
        call.operation = name_of(words[at], at + 1 < count ? words[at + 1] : std::string_view{}, method);
        return call;
    }
    if (count > 1) return call;
    call.operation = method == "PUT"      ? "indices.create"
                     : method == "DELETE" ? "indices.delete"
                     : method == "HEAD"   ? "indices.exists"
                                          : "indices.get";
    return call;
}

}  // namespace waggle::protocols::http
