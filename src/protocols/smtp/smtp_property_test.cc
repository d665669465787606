// SPDX-License-Identifier: Apache-2.0
// Many SMTP transactions whose answers are known, command by command or several at once, with contents that look like
// commands and replies: every span says what its own transaction was answered, or that it is not whole. In the second
// test calls are lost anywhere; no transaction gets another's answer then either.
#include <gtest/gtest.h>

#include <map>

#include "protocols/testing/worlds.h"
#include "spans/attribute_names.h"

namespace waggle::protocols::testing {
namespace {

class SmtpWorld final : public World {
  public:
    using World::World;

  private:
    void talk() override {
        say(false, "220 mx.example ESMTP\r\n", 0);
        say(true, "EHLO shop.example\r\n", 0);
        say(false, "250-mx.example\r\n250 PIPELINING\r\n", 0);
        for (int turn = 0; turn < 10; ++turn) {
            // A transaction is known by when it began.
            const std::uint64_t begins = now_ns_ + 10'000;
            ask(begins);
            const std::uint64_t step = ++last_code_ % 150;
            const std::string code = std::to_string(400 + step + (step >= 21));  // 421 is the end
            const std::uint64_t refused =
                random_.below(6);  // by its sender, its recipient, its content; else not at all
            errors_[begins] = refused < 3 ? code : "";
            const std::string no = code + "-no\r\n" + code + " really not\r\n";
            const bool is_pipelined = random_.chance(0.5);
            const std::string first = refused == 0 ? no : "250 ok\r\n", second = refused == 1 ? no : "250 ok\r\n";
            const std::string third = refused < 2 ? "503 no recipients\r\n" : "354 go on\r\n";
            if (is_pipelined) {
                say(true, "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n");
                say(false, first + (refused == 0 ? "503 no\r\n" : second) + third);
            } else {
                say(true, "MAIL FROM:<a@b.example>\r\n");
                say(false, first);
                if (refused == 0) continue;
                say(true, "RCPT TO:<c@d.example>\r\n");
                say(false, second);
                say(true, refused == 1 ? "RSET\r\n" : "DATA\r\n");
                say(false, refused == 1 ? "250 ok\r\n" : third);
            }
            if (refused < 2) continue;
            std::string content;
            for (std::uint64_t i = random_.below(random_.chance(0.1) ? 2000 : 10); i > 0; --i)
                content += "599 wrong\r\nMAIL FROM:<wrong>\r\n..\r\n.a\r\n";
            say_in_calls(true, content + ".\r\n");
            if (random_.chance(0.5)) tick(5'000'000);
            if (turn == 9) end_asking();
            say(false, refused == 2 ? no : "250 queued\r\n");
            if (random_.chance(0.3)) tick(5'000'000);
        }
    }

    Reading read(const spans::Span& span) override {
        const auto found = errors_.find(span.start_ns);
        const bool is_whole = span.incomplete == spans::Incomplete::No;
        if (found == errors_.end()) {
            // What looks like one in the midst of a message that lost its beginning is none that is told as whole.
            EXPECT_FALSE(is_whole) << span.start_ns;
            return {.is_said = true};
        }
        const std::string_view error = span.attributes.text(attr::error_type);
        if (is_whole || (!error.empty() && error != "connection_closed")) {
            EXPECT_EQ(error, found->second);
        }
        return {span.start_ns, is_whole};
    }

    std::map<std::uint64_t, std::string> errors_;
    std::uint64_t last_code_ = 0;
};

void play(double loss, std::uint64_t seeds) {
    play_worlds([=](std::uint64_t seed) { return SmtpWorld(seed, loss); }, seeds, 40, loss > 0 ? 1 : 1000);
}

TEST(SmtpProperty, AnswersAreRight) { play(0, 10); }
TEST(SmtpProperty, NoAnswerIsWrongWhenCallsAreLost) { play(0.01, 20); }

}  // namespace
}  // namespace waggle::protocols::testing
