// SPDX-License-Identifier: Apache-2.0
// Many SMTP transactions whose answers are known, command by command or several at once, with contents that look like
// commands and replies: every span says what its own transaction was answered, or that it is not whole. In the second
// test calls are lost anywhere; no transaction gets another's answer then either.
#include <gtest/gtest.h>

#include <map>

#include "protocols/testing/encrypted.h"
#include "protocols/testing/worlds.h"
#include "spans/attribute_names.h"

namespace waggle::protocols::testing {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

struct Question {
    std::string error;  // empty: it went well
    bool is_lossy = false;
    std::uint64_t spans = 0;
};

class World {
  public:
    World(std::uint64_t seed, double loss)
        : random_(seed), loss_(loss), host_({.options = {}, .seed = seed, .threads_are_contexts = {}}) {}

    void run(int connections) {
        for (int i = 0; i < connections; ++i) {
            const SocketOptions options{.id = ++last_id_,
                                        .role = random_.chance(0.5) ? WG_ROLE_SERVER : WG_ROLE_CLIENT};
            talk(add_some_encrypted(host_, options, random_, now_ns_ += 10'000));
            host_.tick(now_ns_ += 5'000'000);
        }
        host_.tracker().finish(now_ns_ += kSecond, host_.batch());
        check();
    }

    std::uint64_t sure() const { return whole_; }
    std::uint64_t others() const { return others_; }

  private:
    void talk(Socket& socket) {
        is_lossy_ = false;
        std::vector<std::uint64_t> asked;
        const double loss = std::exchange(loss_, 0);
        say(socket, false, "220 mx.example ESMTP\r\n");
        say(socket, true, "EHLO shop.example\r\n");
        say(socket, false, "250-mx.example\r\n250 PIPELINING\r\n");
        loss_ = loss;
        for (int turn = 0; turn < 10; ++turn) {
            // A transaction is known by when it began.
            const std::uint64_t begins = now_ns_ + 10'000;
            asked.push_back(begins);
            const std::uint64_t step = ++last_code_ % 150;
            const std::string code = std::to_string(400 + step + (step >= 21));  // 421 is the end
            const std::uint64_t refused =
                random_.below(6);  // by its sender, its recipient, its content; else not at all
            questions_[begins].error = refused < 3 ? code : "";
            const std::string no = code + "-no\r\n" + code + " really not\r\n";
            const bool is_pipelined = random_.chance(0.5);
            const std::string first = refused == 0 ? no : "250 ok\r\n", second = refused == 1 ? no : "250 ok\r\n";
            const std::string third = refused < 2 ? "503 no recipients\r\n" : "354 go on\r\n";
            if (is_pipelined) {
                say(socket, true, "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n");
                say(socket, false, first + (refused == 0 ? "503 no\r\n" : second) + third);
            } else {
                say(socket, true, "MAIL FROM:<a@b.example>\r\n");
                say(socket, false, first);
                if (refused == 0) continue;
                say(socket, true, "RCPT TO:<c@d.example>\r\n");
                say(socket, false, second);
                say(socket, true, refused == 1 ? "RSET\r\n" : "DATA\r\n");
                say(socket, false, refused == 1 ? "250 ok\r\n" : third);
            }
            if (refused < 2) continue;
            std::string content;
            for (std::uint64_t i = random_.below(random_.chance(0.1) ? 2000 : 10); i > 0; --i)
                content += "599 wrong\r\nMAIL FROM:<wrong>\r\n..\r\n.a\r\n";
            content += ".\r\n";
            for (std::size_t at = 0; at < content.size();) {
                std::size_t call = std::min(content.size() - at, 8 + random_.below(9000));
                if (content.size() - at - call < 8) call = content.size() - at;
                say(socket, true, content.substr(at, call));
                at += call;
            }
            if (random_.chance(0.5)) host_.tick(now_ns_ += 5'000'000);
            say(socket, false, refused == 2 ? no : "250 queued\r\n");
            if (random_.chance(0.3)) host_.tick(now_ns_ += 5'000'000);
        }
        for (const std::uint64_t begins : asked) questions_[begins].is_lossy = is_lossy_;
        host_.tick(now_ns_ += 300'000'000);
        host_.report_close(beneath(host_, socket), now_ns_ += 1000);
        host_.tick(now_ns_ += 5'000'000);
    }

    void say(Socket& socket, bool is_client, const std::string& bytes) {
        const bool is_send = is_client == (beneath(host_, socket).options().role == WG_ROLE_CLIENT);
        Move move = socket.moved(is_send ? WG_SEND : WG_RECEIVE, bytes, now_ns_ += 10'000);
        move.is_lost = random_.chance(loss_);
        is_lossy_ |= move.is_lost;
        report_call(host_, random_, socket, move);
    }

    void check() {
        for (const spans::Span& span : host_.batch()) {
            const auto found = questions_.find(span.start_ns);
            const bool is_whole = span.incomplete == spans::Incomplete::No;
            if (found == questions_.end()) {
                // What looks like one in the midst of a message that lost its beginning is none that is told as whole.
                EXPECT_FALSE(is_whole) << span.start_ns;
                ++others_;
                continue;
            }
            Question& question = found->second;
            ASSERT_EQ(++question.spans, 1u);
            (is_whole ? whole_ : others_) += 1;
            EXPECT_TRUE(is_whole || question.is_lossy) << static_cast<int>(span.incomplete);
            if (is_whole) {
                EXPECT_EQ(span.attributes.text(attr::error_type), question.error);
            }
        }
        for (const auto& [begins, question] : questions_) {
            if (question.spans > 0) continue;
            ++others_;
            EXPECT_TRUE(question.is_lossy) << begins << " is missing";
        }
        const Counts counts = sum(host_.tracker().counts());
        EXPECT_EQ(counts.seen, counts.exported);
    }

    Random random_;
    double loss_;
    Host host_;
    std::map<std::uint64_t, Question> questions_;
    bool is_lossy_ = false;
    std::uint64_t last_id_ = 0;
    std::uint64_t last_code_ = 0;
    std::uint64_t now_ns_ = kSecond;
    std::uint64_t whole_ = 0;
    std::uint64_t others_ = 0;
};

void play(double loss, std::uint64_t seeds) { play_worlds<World>(loss, seeds, 40, 1000); }

TEST(SmtpProperty, AnswersAreRight) { play(0, 10); }
TEST(SmtpProperty, NoAnswerIsWrongWhenCallsAreLost) { play(0.01, 20); }

}  // namespace
}  // namespace waggle::protocols::testing
