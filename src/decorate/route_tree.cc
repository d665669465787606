// SPDX-License-Identifier: Apache-2.0
#include "decorate/route_tree.h"

#include <algorithm>
#include <utility>

namespace waggle::decorate {

void RouteTree::fit(std::span<const PathPart> parts, bool is_confirmed, std::string_view wildcard, std::string& route) {
    walk(parts, is_confirmed, wildcard, route);
    if (nodes_ <= kMaxNodes) return;
    while (nodes_ > kMaxNodes && max_children_ > 0) {
        max_children_ /= 2;
        narrow(root_);
    }
    walk(parts, is_confirmed, wildcard, route);
}

void RouteTree::walk(std::span<const PathPart> parts, bool is_confirmed, std::string_view wildcard,
                     std::string& route) {
    route.clear();
    Node* node = &root_;
    for (size_t i = 0; i < parts.size(); ++i) {
        if (i > 0) route += '/';
        // Before the first slash and after the last: not a segment.
        const bool is_outside = i == 0 || i + 1 == parts.size();
        if (is_outside && parts[i].text.empty()) continue;
        Node* next = &step(*node, parts[i], is_confirmed);
        if (next == node->any.get())
            route += wildcard;
        else
            route += parts[i].text;
        node = next;
    }
}

RouteTree::Node& RouteTree::step(Node& node, const PathPart& part, bool is_confirmed) {
    if (part.is_id || node.is_merged) return any_of(node);
    const auto known = std::ranges::lower_bound(node.children, part.text, {}, &Node::word);
    if (known != node.children.end() && known->word == part.text) {
        known->is_confirmed |= is_confirmed;
        return *known;
    }
    if (node.children.size() >= max_children_) make_room(node, max_children_, is_confirmed);
    if (node.is_merged || (node.is_full && !is_confirmed)) return any_of(node);
    const auto at = std::ranges::lower_bound(node.children, part.text, {}, &Node::word);
    ++nodes_;
    return *node.children.insert(at, {.word = std::string(part.text), .is_confirmed = is_confirmed});
}

RouteTree::Node& RouteTree::any_of(Node& node) {
    if (!node.any) {
        node.any = std::make_unique<Node>();
        ++nodes_;
    }
    return *node.any;
}

// Afterwards there are fewer than limit names, or the node is closed for names.
void RouteTree::make_room(Node& node, size_t limit, bool for_confirmed) {
    node.is_full = true;
    merge(node, false);
    if (!for_confirmed || node.children.size() < limit) return;
    node.is_merged = true;
    merge(node, true);
}

void RouteTree::merge(Node& node, bool with_confirmed) {
    std::vector<Node> leaving;
    std::vector<Node> staying;
    for (Node& child : node.children)
        (child.is_confirmed && !with_confirmed ? staying : leaving).push_back(std::move(child));
    node.children = std::move(staying);
    for (Node& child : leaving) absorb(any_of(node), std::move(child));
}

// from's routes become to's. Depth is that of the tree: kMaxSeparators.
void RouteTree::absorb(Node& to, Node&& from) {
    --nodes_;
    to.is_confirmed |= from.is_confirmed;
    to.is_full |= from.is_full;
    to.is_merged |= from.is_merged;
    if (from.any && to.any)
        absorb(*to.any, std::move(*from.any));
    else if (from.any)
        to.any = std::move(from.any);
    for (Node& child : from.children) {
        const auto at = std::ranges::lower_bound(to.children, child.word, {}, &Node::word);
        if (at != to.children.end() && at->word == child.word)
            absorb(*at, std::move(child));
        else
            to.children.insert(at, std::move(child));
    }
    if (to.is_merged)
        merge(to, true);
    else if (to.is_full || to.children.size() > max_children_)
        make_room(to, max_children_ + 1, true);
}

void RouteTree::narrow(Node& node) {
    if (node.children.size() > max_children_) make_room(node, max_children_ + 1, true);
    for (Node& child : node.children) narrow(child);
    if (node.any) narrow(*node.any);
}

}  // namespace waggle::decorate
