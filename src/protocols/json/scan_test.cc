// SPDX-License-Identifier: Apache-2.0
#include "protocols/json/scan.h"

#include <gtest/gtest.h>

#include "protocols/json/rpc.h"

namespace waggle::protocols::json {
namespace {

TEST(JsonScan, FindsWhereAValueEnds) {
    for (const std::string_view text :
         {"{}", "[]", R"({"a":[1,{"b":"}]"}],"c":"\"{"})", R"("a\\")", "  [true,null,-1.5e+3]", R"({"é":"\u00e9"})"}) {
        EXPECT_EQ(value_size(std::string(text) + "{x"), text.size()) << text;
        for (std::size_t size = 0; size < text.size(); ++size)
            EXPECT_EQ(value_size(text.substr(0, size)), std::unexpected(Stop::NeedMore)) << text.substr(0, size);
    }
    EXPECT_EQ(value_size("true,"), 4u);
    EXPECT_EQ(value_size("true"), std::unexpected(Stop::NeedMore));
}

TEST(JsonScan, RefusesWhatIsNone) {
    for (const std::string_view text : {"{]", "[}", "}", ",", "{\"a\n\":1}", "<a>", "{;}"}) {
        const auto size = value_size(text);
        EXPECT_TRUE(!size && size.error() == Stop::Invalid) << text;
    }
}

TEST(JsonScan, RefusesWhatIsDeeperThanTheLimit) {
    EXPECT_EQ(value_size(std::string(kMaxDepth, '[') + std::string(kMaxDepth, ']')), 2 * kMaxDepth);
    EXPECT_EQ(value_size(std::string(kMaxDepth + 1, '[')), std::unexpected(Stop::Invalid));
}

TEST(JsonScan, GivesMembersOfWhatIsCut) {
    Members members(R"( { "a" : "x\"y", "b":[1, 2], "c": {"d": "never en)");
    auto member = members.next();
    ASSERT_TRUE(member);
    EXPECT_EQ(member->key, "a");
    EXPECT_EQ(member->value, R"(x\"y)");
    EXPECT_TRUE(member->is_text);
    member = members.next();
    ASSERT_TRUE(member);
    EXPECT_EQ(member->value, "[1, 2]");
    EXPECT_FALSE(member->is_text);
    member = members.next();
    ASSERT_TRUE(member);
    EXPECT_EQ(member->key, "c");
    EXPECT_TRUE(member->is_cut);
    EXPECT_FALSE(members.next());
    EXPECT_FALSE(members.is_whole());
}

TEST(JsonScan, SaysWhatTextsSay) {
    EXPECT_EQ(text_of(R"(a\n\"b\"\u0041\\)", 100), "a\n\"b\"A\\");
    EXPECT_EQ(text_of("abcdef", 3), "abc");
    EXPECT_EQ(text_of(R"(a\)", 3), "a");
    EXPECT_EQ(text_of(R"(a\u00)", 3), "a");
}

TEST(JsonRpc, ReadsCallsAndAnswers) {
    const auto call = read_rpc(R"({"method":"sum","params":{"method":"no","id":5},"id":"a1","jsonrpc":"2.0"})");
    ASSERT_TRUE(call);
    EXPECT_EQ(call->method, "sum");
    EXPECT_EQ(call->id, "\"a1\"");
    EXPECT_FALSE(call->is_answer);
    EXPECT_TRUE(call->is_whole);
    const auto notification = read_rpc(R"({"jsonrpc":"2.0","method":"log","params":[)");
    ASSERT_TRUE(notification);
    EXPECT_EQ(notification->id, "");
    EXPECT_FALSE(notification->is_whole);
    const auto error =
        read_rpc(R"({"jsonrpc":"2.0","id":7,"error":{"message":"code","data":{"code":1},"code":-32601}})");
    ASSERT_TRUE(error);
    EXPECT_TRUE(error->is_answer);
    EXPECT_EQ(error->error, -32601);
    EXPECT_EQ(error->id, "7");
    const auto old = read_rpc(R"({"method":"sum","params":[1],"id":3})");
    ASSERT_TRUE(old);
    EXPECT_EQ(old->version, "1.0");
}

TEST(JsonRpc, KnowsNoCodeThatMayStandInWhatIsCut) {
    const std::string text = R"({"jsonrpc":"2.0","id":1,"error":{"message":"never en)";
    ASSERT_TRUE(read_rpc(text));
    EXPECT_TRUE(read_rpc(text)->is_error);
    EXPECT_FALSE(read_rpc(text)->error);
    EXPECT_EQ(read_rpc(text + R"(ds"}})")->error, 0);
}

TEST(JsonRpc, IsNotSeenInWhatIsNone) {
    for (const std::string_view text :
         {R"({"method":"GET","path":"/"})", R"({"jsonrpc":"3.0","method":"a"})", R"({"jsonrpc":"2.0","method":"a b"})",
          R"({"jsonrpc":"2.0","method":5})", R"({"jsonrpc":"2.0"})", R"({"id":1,"result":null})", "[]", "5", ""})
        EXPECT_FALSE(read_rpc(text)) << text;
}

}  // namespace
}  // namespace waggle::protocols::json
