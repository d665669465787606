// SPDX-License-Identifier: Apache-2.0
// YAML as a plain tree with line numbers. The only file of the project that includes yaml-cpp is
// yaml_tree.cc. Size, depth and the expansion of aliases are bounded: a hostile file is an error.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace waggle::config {

constexpr size_t kMaxYamlBytes = 1 << 20;

struct Node {
    enum class Kind : std::uint8_t { Null, Scalar, List, Map };
    struct Entry;

    Kind kind = Kind::Null;
    bool is_quoted = false;  // a scalar in quotes, or a block of text
    int line = 0;            // from 1; 0: not from a file
    std::string text;
    std::vector<Node> items;
    std::vector<Entry> entries;  // in the file's order, no key twice

    bool is_null() const { return kind == Kind::Null; }
    bool is_scalar() const { return kind == Kind::Scalar; }
    bool is_list() const { return kind == Kind::List; }
    bool is_map() const { return kind == Kind::Map; }
    static Node scalar(std::string_view text);
};

struct Node::Entry {
    std::string key;
    int line = 0;
    Node value;
};

struct YamlError {
    int line = 0;  // 0: of the file as a whole
    std::string message;
};

// The first document; a null node when there is none.
std::expected<Node, YamlError> parse_yaml(std::string_view text);

// YAML flow text of a node, on one line.
std::string flow(const Node& node);

}  // namespace waggle::config
