// SPDX-License-Identifier: Apache-2.0
#include "protocols/http/graphql.h"

#include <algorithm>
#include <array>

#include "base/strings.h"
#include "protocols/json/scan.h"

namespace waggle::protocols::http {
namespace {

constexpr std::size_t kMaxDocument = 2048;
constexpr std::size_t kMaxName = 128;
constexpr auto kTypes = std::to_array<std::string_view>({"query", "mutation", "subscription"});

constexpr bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
constexpr bool is_of_name(char c) { return is_name_start(c) || (c >= '0' && c <= '9'); }

// A document's pieces as far as they matter here.
class Reader {
  public:
    explicit Reader(std::string_view text) : text_(text) {}

    bool is_empty() const { return text_.empty(); }
    char first() const { return text_.empty() ? '\0' : text_[0]; }
    void skip_blanks() {
        while (!text_.empty()) {
            if (text_[0] == '#')
                text_.remove_prefix(std::min(text_.find('\n'), text_.size()));
            else if (text_[0] == ' ' || text_[0] == ',' || text_[0] == '\t' || text_[0] == '\r' || text_[0] == '\n')
                text_.remove_prefix(1);
            else
                return;
        }
    }
    std::string_view name() {
        if (!is_name_start(first())) return {};
        std::size_t size = 1;
        while (size < text_.size() && is_of_name(text_[size])) ++size;
        const std::string_view name = text_.substr(0, size);
        text_.remove_prefix(size);
        return name;
    }
    // To the brace that opens the selection; false when it is not here, or something stands before it that may not.
    bool to_selection() {
        unsigned depth = 0;
        while (!text_.empty()) {
            const char c = text_[0];
            if (c == '"') {
                skip_text();
                continue;
            }
            if (c == '{' && depth == 0) return true;
            if (c == '(' || c == '[' || c == '{') ++depth;
            if (c == ')' || c == ']' || c == '}') {
                if (depth == 0) return false;
                --depth;
            }
            text_.remove_prefix(1);
        }
        return false;
    }
    // Behind the selection that begins here; false when its end is not.
    bool skip_selection() {
        unsigned depth = 0;
        while (!text_.empty()) {
            const char c = text_[0];
            if (c == '"') {
                skip_text();
                continue;
            }
            if (c == '#') {
                skip_blanks();
                continue;
            }
            depth += c == '{';
            text_.remove_prefix(1);
            if (c == '}' && --depth == 0) return true;
        }
        return false;
    }

  private:
    void skip_text() {
        const std::string_view quote = text_.starts_with("\"\"\"") ? "\"\"\"" : "\"";
        text_.remove_prefix(quote.size());
        while (!text_.empty() && !text_.starts_with(quote))
            text_.remove_prefix(std::min<std::size_t>(text_[0] == '\\' ? 2 : 1, text_.size()));
        text_.remove_prefix(std::min(quote.size(), text_.size()));
    }

    std::string_view text_;
};

std::string percent_decoded(std::string_view text, std::size_t most) {
    std::string out;
    for (std::size_t i = 0; i < text.size() && out.size() < most; ++i) {
        const auto code =
            text[i] == '%' && i + 2 < text.size() ? parse_int<unsigned>(text.substr(i + 1, 2), 16) : std::nullopt;
        out += code ? static_cast<char>(*code) : text[i] == '+' ? ' ' : text[i];
        if (code) i += 2;
    }
    return out;
}

}  // namespace

std::optional<GraphqlOperation> read_graphql(std::string_view document, std::string_view wanted) {
    Reader reader(document);
    std::optional<GraphqlOperation> first;
    // Where the one that is wanted was not seen, another says nothing of it.
    const auto found = [&]() -> std::optional<GraphqlOperation> {
        if (!first || wanted.empty() || first->name == wanted) return first;
        return GraphqlOperation{.type = {}, .name = std::string(wanted.substr(0, kMaxName))};
    };
    for (int count = 0; count < 32; ++count) {
        reader.skip_blanks();
        GraphqlOperation one;
        bool is_operation = true;
        if (reader.first() == '{') {
            one.type = kTypes[0];
        } else {
            const std::string_view word = reader.name();
            const auto type = std::ranges::find(kTypes, word);
            is_operation = type != kTypes.end();
            if (!is_operation && word != "fragment") break;
            if (is_operation) one.type = *type;
            reader.skip_blanks();
            one.name = reader.name().substr(0, kMaxName);
            reader.skip_blanks();
            // A selection, variables or directives follow; what ends here was cut, or is a word among others.
            const char next = reader.first();
            if (is_operation ? next != '{' && next != '(' && next != '@' : one.name.empty()) break;
        }
        if (is_operation && one.name == wanted && !wanted.empty()) return one;
        if (is_operation && !first) first = one;
        if (!reader.to_selection() || !reader.skip_selection()) break;
    }
    return found();
}

std::optional<GraphqlOperation> read_graphql_content(std::string_view content) {
    content = json::skip_blanks(content);
    if (!content.starts_with('{') && !content.starts_with('[')) return {};
    // Of a batch the first.
    if (content.starts_with('[')) content = json::skip_blanks(content.substr(1));
    json::Members members(content);
    std::string document, wanted;
    bool is_document = false;
    while (const auto member = members.next()) {
        if (!member->is_text) continue;
        if (member->key == "query") {
            document = json::text_of(member->value, kMaxDocument);
            is_document = true;
        } else if (member->key == "operationName" && !member->is_cut) {
            wanted = json::text_of(member->value, kMaxName);
        }
    }
    if (!is_document) return {};
    return read_graphql(document, wanted);
}

std::optional<GraphqlOperation> read_graphql_query(std::string_view query) {
    std::string document, wanted;
    for (const std::string_view part : split(query, '&')) {
        if (part.starts_with("query=")) document = percent_decoded(part.substr(6), kMaxDocument);
        if (part.starts_with("operationName=")) wanted = percent_decoded(part.substr(14), kMaxName);
    }
    if (document.empty()) return {};
    return read_graphql(document, wanted);
}

bool has_graphql_errors(std::string_view content) {
    json::Members members(content);
    while (const auto member = members.next())
        if (member->key == "errors")
            return member->value.starts_with('[') && json::skip_blanks(member->value.substr(1)).starts_with('{');
    return false;
}

}  // namespace waggle::protocols::http
