// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <thread>

#include "base/arena.h"
#include "base/base64.h"
#include "base/glob.h"
#include "base/parallel.h"
#include "base/result.h"
#include "base/secrets.h"
#include "base/strings.h"

namespace waggle {
namespace {

TEST(Arena, KeepsTextWhileItLives) {
    Arena arena;
    std::string text = "hello";
    const std::string_view copy = arena.copy(text);
    text = "gone.";
    EXPECT_EQ(copy, "hello");
    const Arena moved = std::move(arena);
    EXPECT_EQ(copy, "hello");
    EXPECT_EQ(Arena().copy("").size(), 0u);
}

TEST(Arena, TakesTextLongerThanABlock) {
    Arena arena;
    const std::string_view small = arena.copy("small");
    const std::string large(300'000, 'x');
    EXPECT_EQ(arena.copy(large), large);
    EXPECT_EQ(small, "small");
}

TEST(Arena, ReusesItsFirstBlock) {
    Arena arena;
    const char* first = arena.copy("one").data();
    for (int i = 0; i < 100; ++i) arena.copy(std::string(10'000, 'x'));
    const std::size_t grown = arena.bytes();
    arena.clear();
    EXPECT_LT(arena.bytes(), grown);
    EXPECT_EQ(arena.copy("two").data(), first);
    Arena().clear();
}

TEST(Arena, ReusesItsBlocksInOrder) {
    Arena arena;
    const std::string text(60'000, 'x');
    std::vector<const char*> first;
    for (int i = 0; i < 10; ++i) first.push_back(arena.copy(text).data());
    arena.copy(std::string(300'000, 'y'));  // has a block of its own, which is not kept
    arena.clear();
    std::vector<const char*> second;
    for (int i = 0; i < 10; ++i) second.push_back(arena.copy(text).data());
    EXPECT_EQ(first, second);
    EXPECT_EQ(arena.bytes(), 10 * 64 * 1024u);
}

TEST(Arena, TakesWhatAnotherHolds) {
    Arena to;
    const std::string_view own = to.copy("own");
    std::vector<std::string_view> taken;
    for (int i = 0; i < 50; ++i) {
        Arena from;
        from.copy("gone");
        from.clear();
        for (int j = 0; j < 3; ++j) taken.push_back(from.copy(std::string(40'000, static_cast<char>('a' + i % 26))));
        to.take(from);
        EXPECT_EQ(from.copy("more"), "more");
        EXPECT_EQ(to.copy("after"), "after");
    }
    EXPECT_EQ(own, "own");
    for (std::size_t i = 0; i < taken.size(); ++i)
        EXPECT_EQ(taken[i], std::string(40'000, static_cast<char>('a' + i / 3 % 26)));
    to.clear();
    Arena from;
    from.copy("first");
    to.copy("second");
    to.take(from);  // gets a free block for its own
    EXPECT_EQ(from.copy("third"), "third");
    EXPECT_EQ(to.copy("fourth"), "fourth");
}

TEST(Base64, Encodes) {
    EXPECT_EQ(base64(""), "");
    EXPECT_EQ(base64("f"), "Zg==");
    EXPECT_EQ(base64("fo"), "Zm8=");
    EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
    EXPECT_EQ(base64("\xff\xfe\xfd"), "//79");
}

TEST(Base64, DecodesInAnyPieces) {
    for (const std::string_view text : {"Zm9vYmFy", "Zm9vYmE=", "Zm9vYmE", "Zg==b28=YmFy", "", "//79"}) {
        std::string whole;
        EXPECT_TRUE(Base64Decoder().add(text, whole)) << text;
        Base64Decoder decoder;
        std::string out;
        for (const char c : text) EXPECT_TRUE(decoder.add({&c, 1}, out)) << text;
        EXPECT_EQ(out, whole);
    }
    std::string out;
    EXPECT_TRUE(Base64Decoder().add("Zg==b28=YmFy", out));
    EXPECT_EQ(out, "foobar");
}

TEST(Base64, SaysWhatIsNone) {
    for (const std::string_view text : {"Zm9v!", "Zm9v=", "Z===", "Zg=x", "Zm9v\n"}) {
        std::string out;
        EXPECT_FALSE(Base64Decoder().add(text, out)) << text;
        EXPECT_EQ(std::string("foo").compare(0, out.size(), out), 0) << text;
    }
}

TEST(Secrets, UrlsLoseUserAndQuery) {
    for (const auto& [url, masked] : {std::pair{"http://h:4318/v1", "http://h:4318/v1"},
                                      {"http://u:word@h/v1", "http://***@h/v1"},
                                      {"http://u:w@rd@h/v1", "http://***@h/v1"},
                                      {"http://u:w/rd@h/v1", "http://***/***"},
                                      {"http://u:w@x/rd@h", "http://***/***"},
                                      {"http://u:4711/x@h", "http://***/***"},
                                      {"https://token/rest@h", "https://***/***"},
                                      {"u:word@h", "***@h"},
                                      {"https://h/x?key=word#word", "https://h/x?***"},
                                      {"https://u:w?rd@h", "https://***/***"},
                                      {"http://h/?", "http://h/"},
                                      {"", ""}})
        EXPECT_EQ(mask_url(url), masked) << url;
}

TEST(Secrets, ArgumentsLoseValuesOfSecretNames) {
    using Arguments = std::vector<std::string>;
    for (const auto& [arguments, masked] :
         {std::pair{Arguments{"shop", "--port=80", "-v"}, "shop --port=80 -v"},
          {{"shop", "--db-password=word", "x"}, "shop --db-password=*** x"},
          {{"shop", "--password", "word", "x"}, "shop --password *** x"},
          {{"shop", "--no-auth", "--port", "80"}, "shop --no-auth --port 80"},
          {{"env", "API_KEY=word", "apiKey=word", "PATH=/bin"}, "env API_KEY=*** apiKey=*** PATH=/bin"},
          {{"curl", "-H", "Authorization: Bearer word", "http://u:word@h/?q"},
           "curl -H Authorization:*** http://***@h/?***"},
          {{"/usr/bin/mysql", "-uroot", "-pword", "-p", "shop"}, "/usr/bin/mysql -uroot -p*** -p ***"},
          {{"redis-cli", "-a", "word", "-p", "6379"}, "redis-cli -a *** -p 6379"},
          {{"curl", "-u", "user:word", "http://h/"}, "curl -u *** http://h/"},
          {{"curl", "-uuser:word"}, "curl -u***"},
          {{"nginx", "-p", "/etc"}, "nginx -p /etc"},
          {{"java", "-Djavax.net.ssl.trustStorePassword=word"}, "java -Djavax.net.ssl.trustStorePassword=***"},
          {{}, ""}})
        EXPECT_EQ(mask_arguments(arguments), masked);
}

TEST(Glob, MatchesByItsRules) {
    struct Row {
        const char* pattern;
        const char* text;
        bool is_match;
    };
    for (const Row& row : {Row{"a", "a", true},
                           {"a", "ab", false},
                           {"", "", true},
                           {"*", "", true},
                           {"*", "a/b", true},
                           {"a*c", "abbc", true},
                           {"a*c", "abb", false},
                           {"a**c", "ac", true},
                           {"?", "", false},
                           {"?b", "ab", true},
                           {"[a-c]x", "bx", true},
                           {"[!a-c]x", "bx", false},
                           {"[^a-c]x", "dx", true},
                           {"[]]", "]", true},
                           {"[a", "[a", true},
                           {"{a,b}c", "bc", true},
                           {"{a,b}c", "c", false},
                           {"{a,{b,c}}d", "cd", true},
                           {"{,x}y", "y", true},
                           {"{a", "{a", true},
                           {"a\\*", "a*", true},
                           {"a\\*", "ab", false},
                           {"*.{jpg,png}", "x.png", true},
                           {"/usr/*/nginx", "/usr/sbin/nginx", true}})
        EXPECT_EQ(glob_match(row.pattern, row.text), row.is_match) << row.pattern << " " << row.text;
}

TEST(Glob, StaysLinearInHostilePatterns) {
    std::string pattern;
    for (int i = 0; i < 200; ++i) pattern += "*a";
    EXPECT_FALSE(glob_match(pattern + "b", std::string(5000, 'a')));
    EXPECT_FALSE(glob_match(std::string(5000, '*'), "x"));  // longer than any pattern may be
    EXPECT_TRUE(glob_match(std::string(1000, '{'), std::string(1000, '{')));
}

TEST(Glob, TellsPatternsFromTexts) {
    EXPECT_FALSE(is_glob("/usr/bin/nginx"));
    for (const char* pattern : {"a*", "a?", "[a]", "{a,b}", "\\a"}) EXPECT_TRUE(is_glob(pattern)) << pattern;
}

TEST(InParallel, DoesEachOnce) {
    for (const std::size_t most : {0u, 1u, 3u, 64u}) {
        std::array<std::atomic<int>, 50> done{};
        in_parallel(done.size(), most, [&](std::size_t i) { ++done[i]; });
        for (const auto& times : done) EXPECT_EQ(times, 1);
    }
    in_parallel(0, 64, [](std::size_t) { FAIL(); });
}

// As many at a time as are allowed: each waits until all of them are there.
TEST(InParallel, AsManyAtATimeAsAreAllowed) {
    constexpr int kMost = 16;
    std::atomic<int> here = 0;
    std::atomic<int> alone = 0;
    in_parallel(kMost, kMost, [&](std::size_t) {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
        for (++here; here < kMost && std::chrono::steady_clock::now() < deadline;) std::this_thread::yield();
        alone += here < kMost;
    });
    EXPECT_EQ(alone, 0);
}

TEST(Strings, SplitKeepsEmptyParts) {
    EXPECT_EQ(split(std::string_view("a,,b,"), ','), (std::vector<std::string_view>{"a", "", "b", ""}));
    EXPECT_EQ(split(std::string_view(""), ',').size(), 1u);
}

TEST(Strings, TrimTakesBlanksOffBothEnds) {
    EXPECT_EQ(trim(" \t a b\r\n"), "a b");
    EXPECT_EQ(trim(" \n"), "");
    EXPECT_EQ(trim("xxaxx", "x"), "a");
}

TEST(Strings, ParseIntTakesWholeNumbersOnly) {
    EXPECT_EQ(parse_int<int>("-12"), -12);
    EXPECT_EQ(parse_int<std::uint8_t>("255"), 255);
    EXPECT_EQ(parse_int<std::uint32_t>("fF", 16), 255u);
    for (const char* text : {"", " 1", "1 ", "+1", "1.5", "256", "-1"})
        EXPECT_EQ(parse_int<std::uint8_t>(text), std::nullopt) << text;
}

TEST(Strings, ComparesWithoutCase) {
    EXPECT_TRUE(equals_ignoring_case("Content-LENGTH", "content-length"));
    EXPECT_FALSE(equals_ignoring_case("a", "ab"));
    EXPECT_FALSE(equals_ignoring_case("[", "{"));
}

Result<int> half(int value) {
    if (value % 2) return fail("odd", EINVAL);
    return value / 2;
}

Result<int> quarter(int value) { return TRY(half(TRY(half(value)))); }

TEST(Result, TryReturnsTheFirstError) {
    EXPECT_EQ(quarter(8), 2);
    const Result<int> failed = quarter(6);
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code, EINVAL);
    EXPECT_EQ(Error(failed.error()).context("quartering").message, "quartering: odd");
}

}  // namespace
}  // namespace waggle
