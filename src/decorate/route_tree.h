// SPDX-License-Identifier: Apache-2.0
// RouteTree: the routes guessed for one service, as a tree of path segments. It only merges: a
// position with too many different names becomes the wildcard for good, and too big a tree is made
// narrower. So a service has few routes whatever a crawler asks for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "decorate/path_classes.h"

namespace waggle::decorate {

class RouteTree {
  public:
    static constexpr size_t kMaxNodes = 512;

    explicit RouteTree(std::uint32_t max_children) : max_children_(max_children) {}

    // Writes the route of a path to route. Names from confirmed paths (those that were answered
    // with success) are kept when a position has too many, before the others.
    void fit(std::span<const PathPart> parts, bool is_confirmed, std::string_view wildcard, std::string& route);

    size_t nodes() const { return nodes_; }

  private:
    struct Node {
        std::string word;
        std::vector<Node> children;  // by word
        std::unique_ptr<Node> any;   // the wildcard
        bool is_confirmed = false;
        bool is_full = false;    // takes confirmed names only
        bool is_merged = false;  // takes no names
    };

    void walk(std::span<const PathPart> parts, bool is_confirmed, std::string_view wildcard, std::string& route);
    Node& step(Node& node, const PathPart& part, bool is_confirmed);
    Node& any_of(Node& node);
    void make_room(Node& node, size_t limit, bool for_confirmed);
    void merge(Node& node, bool with_confirmed);
    void absorb(Node& to, Node&& from);
    void narrow(Node& node);

    size_t max_children_;
    size_t nodes_ = 0;
    Node root_;
};

}  // namespace waggle::decorate
