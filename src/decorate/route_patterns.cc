// SPDX-License-Identifier: Apache-2.0
#include "decorate/route_patterns.h"

#include <map>

#include "base/strings.h"

namespace waggle::decorate {
namespace {

// Takes the first segment off the path.
std::string_view take_segment(std::string_view& path) {
    const size_t slash = path.find('/');
    const std::string_view segment = path.substr(0, slash);
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
    return segment;
}

bool is_placeholder(std::string_view segment) {
    return segment == "*" || segment.starts_with(':') || (segment.starts_with('{') && segment.ends_with('}'));
}

}  // namespace

struct RoutePatterns::Node {
    std::string route;  // of a pattern that ends here
    std::string rest;   // of a pattern that goes on with '*'
    std::map<std::string, Node, std::less<>> literals;
    std::unique_ptr<Node> placeholder;
};

RoutePatterns::RoutePatterns(const std::vector<std::string>& patterns)
    : root_(std::make_unique<Node>()), is_empty_(patterns.empty()) {
    for (const std::string& pattern : patterns) add(pattern);
}

RoutePatterns::~RoutePatterns() = default;

void RoutePatterns::add(std::string_view pattern) {
    Node* node = root_.get();
    for (std::string_view left = trim(pattern, "/"); !left.empty();) {
        const std::string_view segment = take_segment(left);
        if (segment == "*" && left.empty()) {
            node->rest = pattern;
            return;
        }
        if (!is_placeholder(segment)) {
            node = &node->literals[std::string(segment)];
            continue;
        }
        if (!node->placeholder) node->placeholder = std::make_unique<Node>();
        node = node->placeholder.get();
    }
    node->route = pattern;
}

std::string_view RoutePatterns::find(std::string_view path) const {
    const Node* node = root_.get();
    for (std::string_view left = trim(path, "/"); !left.empty();) {
        const std::string_view segment = take_segment(left);
        if (const auto literal = node->literals.find(segment); literal != node->literals.end())
            node = &literal->second;
        else if (!node->rest.empty())
            return node->rest;
        else if (node->placeholder)
            node = node->placeholder.get();
        else
            return {};
    }
    return node->route.empty() ? node->rest : node->route;
}

}  // namespace waggle::decorate
