// SPDX-License-Identifier: Apache-2.0
#include "spans/utf8.h"

#include <gtest/gtest.h>

namespace waggle::spans {
namespace {

std::string repaired(std::string_view text) {
    std::string storage;
    return std::string(valid_utf8(text, storage));
}

TEST(Utf8, WellFormedTextIsLeftAlone) {
    for (const std::string_view text : {"", "plain ascii text", "größe", "日本語", "🐝 wag"})
        EXPECT_EQ(repaired(text), text);
}

TEST(Utf8, BadBytesAreReplaced) {
    const std::string kBad = "\xef\xbf\xbd";
    EXPECT_EQ(repaired("a\xff"
                       "b"),
              "a" + kBad + "b");
    EXPECT_EQ(repaired("\xc0\xaf"), kBad + kBad);                                         // overlong
    EXPECT_EQ(repaired("\xed\xa0\x80"), kBad + kBad + kBad);                              // surrogate
    EXPECT_EQ(repaired("\xf4\x90\x80\x80x"), kBad + kBad + kBad + kBad + "x");            // above U+10FFFF
    EXPECT_EQ(repaired("long enough text \xe2\x82"), "long enough text " + kBad + kBad);  // cut off
}

}  // namespace
}  // namespace waggle::spans
