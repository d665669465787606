// SPDX-License-Identifier: Apache-2.0
#include "config/yaml_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace waggle::config {
namespace {

using testing::HasSubstr;

Node parsed(std::string_view text) {
    std::expected<Node, YamlError> root = parse_yaml(text);
    EXPECT_TRUE(root) << (root ? "" : root.error().message);
    return root ? *root : Node{};
}

std::string error_of(std::string_view text) {
    const std::expected<Node, YamlError> root = parse_yaml(text);
    return root ? "none" : std::to_string(root.error().line) + ": " + root.error().message;
}

TEST(YamlTree, KeepsLinesOfKeysAndValues) {
    const Node root = parsed("a: 1\nb:\n  c:\n    - x\n");
    ASSERT_EQ(root.entries.size(), 2u);
    EXPECT_EQ(root.entries[0].line, 1);
    EXPECT_EQ(root.entries[1].value.entries[0].line, 3);
    EXPECT_EQ(root.entries[1].value.entries[0].value.items[0].line, 4);
}

TEST(YamlTree, TellsNullFromQuotedWords) {
    EXPECT_EQ(flow(parsed("[~, null, \"null\", '', 80, \"80\", a b]")), R"([null, null, "null", "", 80, "80", "a b"])");
    EXPECT_TRUE(parsed("").is_null());
    EXPECT_TRUE(parsed("# only a comment\n").is_null());
}

TEST(YamlTree, ExpandsAliasesAndMerges) {
    EXPECT_EQ(flow(parsed("a: &x [1, 2]\nb: *x\n")), "{a: [1, 2], b: [1, 2]}");
    EXPECT_EQ(flow(parsed("base: &x {p: 1, q: 2}\nother: {<<: *x, q: 3}\n")),
              "{base: {p: 1, q: 2}, other: {q: 3, p: 1}}");
    EXPECT_EQ(flow(parsed("[&a {p: 1}, &b {q: 2}, {<<: [*a, *b]}]")), "[{p: 1}, {q: 2}, {p: 1, q: 2}]");
}

TEST(YamlTree, NamesTheLineOfAnError) {
    EXPECT_THAT(error_of("a: 1\nb: [1\n"), HasSubstr(": end of sequence"));
    EXPECT_EQ(error_of("a: 1\nb: 2\na: 3\n"), "3: key a is there twice");
    EXPECT_EQ(error_of("? [a]\n: 1\n"), "1: a key must be plain text");
    EXPECT_EQ(error_of("a: &x [*x]\n"), "1: an alias inside what it names");
    EXPECT_EQ(error_of("a: {<<: 3}\n"), "1: << merges a section or a list of sections");
    EXPECT_THAT(error_of("\na: *nowhere\n"), HasSubstr("2: "));
}

TEST(YamlTree, StopsAnAliasBomb) {
    std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
    for (int i = 1; i <= 9; ++i) {
        const std::string below = "*a" + std::to_string(i - 1);
        text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
        for (int j = 0; j < 10; ++j) text += below + (j < 9 ? ", " : "]\n");
    }
    EXPECT_THAT(error_of(text), HasSubstr("too large once its aliases are expanded"));
}

TEST(YamlTree, StopsDeepNesting) {
    EXPECT_THAT(error_of(std::string(100, '[') + std::string(100, ']')), HasSubstr("nested more than 32 levels"));
    EXPECT_NE(error_of(std::string(30000, '[')), "none");
    EXPECT_NE(error_of(std::string(30000, '{')), "none");
    std::string chain = "a0: &a0 [x]\n";  // depth through aliases
    for (int i = 1; i < 40; ++i)
        chain += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [*a" + std::to_string(i - 1) + "]\n";
    EXPECT_THAT(error_of(chain), HasSubstr("nested more than 32 levels"));
}

TEST(YamlTree, StopsManyKeysAndLargeFiles) {
    std::string keys;
    for (int i = 0; i < 5000; ++i) keys += "k" + std::to_string(i) + ": 1\n";
    EXPECT_EQ(error_of(keys), "4097: more than 4096 keys in one section");
    EXPECT_THAT(error_of(std::string(2 << 20, '#')), HasSubstr("larger than 1 MiB"));
}

}  // namespace
}  // namespace waggle::config
