// SPDX-License-Identifier: Apache-2.0
#include "config/yaml_tree.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <map>
#include <optional>
#include <sstream>

#include "config/values.h"

namespace waggle::config {
namespace {

constexpr size_t kMaxTree = 16 << 20;  // bytes, aliases expanded: an alias bomb stops here
constexpr size_t kMaxDepth = 32;
constexpr size_t kMaxKeys = 4096;  // in one map: finding a double key is linear

size_t size_of(const Node& node) {
    size_t size = sizeof(Node) + node.text.size();
    for (const Node& item : node.items) size += size_of(item);
    for (const Node::Entry& entry : node.entries) size += sizeof(Node::Entry) + entry.key.size() + size_of(entry.value);
    return size;
}

size_t depth_of(const Node& node) {
    size_t deepest = 0;
    for (const Node& item : node.items) deepest = std::max(deepest, depth_of(item));
    for (const Node::Entry& entry : node.entries) deepest = std::max(deepest, depth_of(entry.value));
    return deepest + 1;
}

const Node::Entry* find(const Node& map, std::string_view key) {
    const auto found = std::ranges::find(map.entries, key, &Node::Entry::key);
    return found == map.entries.end() ? nullptr : &*found;
}

// Builds the tree from yaml-cpp's events. After the first error the rest is ignored, since the
// parser can only be stopped by an exception.
class TreeBuilder final : public YAML::EventHandler {
  public:
    Node root;
    std::optional<YamlError> error;

    void OnDocumentStart(const YAML::Mark&) override {}
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { complete({.line = mark.line + 1}, anchor); }
    void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        if (error) return;
        const auto target = anchors_.find(anchor);
        if (target == anchors_.end()) return fail_at(mark.line + 1, "an alias inside what it names");
        if (open_.size() + depth_of(target->second) > kMaxDepth) return too_deep(mark.line + 1);
        if (!charge(size_of(target->second), mark.line + 1)) return;
        complete(target->second, YAML::NullAnchor);
    }
    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  const std::string& value) override {
        if (error) return;
        Node node = Node::scalar(value);
        node.line = mark.line + 1;
        node.is_quoted = tag == "!";
        complete(std::move(node), anchor);
    }
    void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value) override {
        open({.kind = Node::Kind::List, .line = mark.line + 1}, anchor);
    }
    void OnSequenceEnd() override { close(); }
    void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                    YAML::EmitterStyle::value) override {
        open({.kind = Node::Kind::Map, .line = mark.line + 1}, anchor);
    }
    void OnMapEnd() override {
        if (!error && !open_.empty()) merge(open_.back().node);
        close();
    }

  private:
    struct Open {
        Node node;
        YAML::anchor_t anchor;
        std::optional<Node::Entry> entry = {};  // a key waiting for its value
    };

    void fail_at(int line, std::string message) { error = YamlError{line, std::move(message)}; }
    void too_deep(int line) { fail_at(line, fmt::format("nested more than {} levels", kMaxDepth)); }

    bool charge(size_t bytes, int line) {
        size_ += bytes;
        if (size_ > kMaxTree) fail_at(line, "too large once its aliases are expanded");
        return size_ <= kMaxTree;
    }

    void open(Node node, YAML::anchor_t anchor) {
        if (error) return;
        if (open_.size() >= kMaxDepth) return too_deep(node.line);
        open_.push_back({std::move(node), anchor});
    }

    void close() {
        if (error || open_.empty()) return;
        Open done = std::move(open_.back());
        open_.pop_back();
        complete(std::move(done.node), done.anchor);
    }

    void complete(Node node, YAML::anchor_t anchor) {
        if (error) return;
        const size_t own_size = node.is_scalar() ? sizeof(Node) + node.text.size() : sizeof(Node);
        if (!charge(own_size, node.line)) return;
        if (anchor != YAML::NullAnchor) {
            if (!charge(size_of(node), node.line)) return;
            anchors_[anchor] = node;
        }
        if (open_.empty()) {
            root = std::move(node);
        } else if (Open& parent = open_.back(); parent.node.is_list()) {
            parent.node.items.push_back(std::move(node));
        } else if (!parent.entry) {
            add_key(parent, node);
        } else {
            parent.entry->value = std::move(node);
            parent.node.entries.push_back(*std::exchange(parent.entry, std::nullopt));
        }
    }

    void add_key(Open& parent, const Node& node) {
        if (!node.is_scalar()) return fail_at(node.line, "a key must be plain text");
        if (parent.node.entries.size() >= kMaxKeys)
            return fail_at(node.line, fmt::format("more than {} keys in one section", kMaxKeys));
        if (find(parent.node, node.text))
            return fail_at(node.line, fmt::format("key {} is there twice", quote(node.text)));
        parent.entry = {.key = node.text, .line = node.line, .value = {}};
    }

    // "<<: *defaults": the entries that the map does not have itself.
    void merge(Node& map) {
        const auto found = std::ranges::find(map.entries, "<<", &Node::Entry::key);
        if (found == map.entries.end()) return;
        const Node from = std::move(found->value);
        map.entries.erase(found);
        const auto add = [&](const Node& source) {
            for (const Node::Entry& entry : source.entries)
                if (!find(map, entry.key)) map.entries.push_back(entry);
        };
        if (from.is_map()) return add(from);
        const bool is_maps = from.is_list() && std::ranges::all_of(from.items, &Node::is_map);
        if (!is_maps) return fail_at(from.line, "<< merges a section or a list of sections");
        std::ranges::for_each(from.items, add);
    }

    std::vector<Open> open_;
    std::map<YAML::anchor_t, Node> anchors_;
    size_t size_ = 0;
};

// Numbers and words like true, as they were written.
bool is_bare(const Node& scalar) {
    return !scalar.is_quoted && !scalar.text.empty() && std::ranges::all_of(scalar.text, [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.';
    });
}

}  // namespace

Node Node::scalar(std::string_view text) { return {.kind = Kind::Scalar, .text = std::string(text)}; }

std::expected<Node, YamlError> parse_yaml(std::string_view text) {
    if (text.size() > kMaxYamlBytes)
        return std::unexpected(YamlError{0, "larger than 1 MiB: not a configuration file"});
    TreeBuilder builder;
    try {  // yaml-cpp's one call site
        std::istringstream stream{std::string(text)};
        YAML::Parser parser(stream);
        parser.HandleNextDocument(builder);
    } catch (const YAML::Exception& exception) {
        if (!builder.error) builder.error = YamlError{exception.mark.line + 1, exception.msg};
    } catch (const std::exception& exception) {
        if (!builder.error) builder.error = YamlError{0, exception.what()};
    }
    if (builder.error) return std::unexpected(std::move(*builder.error));
    return std::move(builder.root);
}

std::string flow(const Node& node) {
    std::string text;
    switch (node.kind) {
        case Node::Kind::Null:
            return "null";
        case Node::Kind::Scalar:
            return is_bare(node) ? node.text : quote(node.text);
        case Node::Kind::List:
            for (const Node& item : node.items) text += (text.empty() ? "" : ", ") + flow(item);
            return '[' + text + ']';
        case Node::Kind::Map:
            for (const Node::Entry& entry : node.entries)
                text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", quote(entry.key), flow(entry.value));
            return '{' + text + '}';
    }
    return text;
}

}  // namespace waggle::config
