// SPDX-License-Identifier: Apache-2.0
// Many FastCGI exchanges whose answers are known, several under way at a time, their records mixed: every span says
// what its own answer said, or that it is not whole. In the second test calls are lost anywhere; a pair is never wrong
// then either.
#include <gtest/gtest.h>

#include <map>

#include "base/strings.h"
#include "protocols/testing/encrypted.h"
#include "protocols/testing/worlds.h"
#include "spans/attribute_names.h"

namespace waggle::protocols::testing {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

std::string record(char type, std::uint64_t id, const std::string& content, std::size_t padding = 0) {
    const auto high = [](std::size_t value) { return static_cast<char>(value >> 8 & 0xff); };
    const auto low = [](std::size_t value) { return static_cast<char>(value & 0xff); };
    return std::string("\1") + type + high(id) + low(id) + high(content.size()) + low(content.size()) + low(padding) +
           '\0' + content + std::string(padding, '\0');
}

std::string pair(const std::string& name, const std::string& value) {
    return std::string{static_cast<char>(name.size()), static_cast<char>(value.size())} + name + value;
}

struct Question {
    std::uint64_t number = 0;
    std::uint64_t id = 0;  // on its connection
    bool is_mixed = false;
    bool is_lossy = false;
    std::uint64_t spans = 0;

    std::int64_t status() const { return static_cast<std::int64_t>(400 + number % 97); }
    std::string request(std::size_t size) const {
        std::string text =
            record(1, id, std::string("\0\1\1\0\0\0\0\0", 8)) +
            record(4, id, pair("REQUEST_METHOD", "POST") + pair("REQUEST_URI", "/q" + std::to_string(number)),
                   number % 8) +
            record(4, id, "");
        if (size) text += record(5, id, std::string(size, 'x'));
        return text + record(5, id, "");
    }
    // Bodies look like answers, for whoever begins in the midst of them.
    std::vector<std::string> answer(std::size_t size) const {
        const std::string lure = record(6, id, "Status: 599 wrong\n\n") + record(3, id, std::string(8, '\0'));
        std::string body;
        while (body.size() < size) body += lure;
        return {record(6, id, "Status: " + std::to_string(status()) + " so\r\n\r\n", 3), record(6, id, body),
                record(3, id, std::string(8, '\0'))};
    }
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
    // One request at a time, or up to three whose answers are mixed.
    void talk(Socket& socket) {
        const bool is_mixed = random_.chance(0.5);
        bool is_lossy = false;
        std::vector<std::uint64_t> asked;
        for (int turn = 0; turn < 12; ++turn) {
            std::vector<std::vector<std::string>> answers;
            const std::uint64_t count = is_mixed ? 1 + random_.below(3) : 1;
            for (std::uint64_t i = 0; i < count; ++i) {
                Question& question = questions_[++last_question_];
                question = {.number = last_question_, .id = i + 1, .is_mixed = is_mixed};
                asked.push_back(last_question_);
                answers.push_back(question.answer(size()));
                // What tells the protocol is seen.
                say(socket, true, question.request(size()), turn == 0 ? 0 : loss_, is_lossy);
            }
            std::string text;
            while (!answers.empty()) {
                auto& one = answers[random_.below(answers.size())];
                text += one.front();
                one.erase(one.begin());
                std::erase_if(answers, [](const auto& rest) { return rest.empty(); });
            }
            for (std::size_t at = 0; at < text.size();) {
                std::size_t call = std::min(text.size() - at, 8 + random_.below(9000));
                if (text.size() - at - call < 8) call = text.size() - at;
                say(socket, false, text.substr(at, call), loss_, is_lossy);
                at += call;
            }
            if (random_.chance(0.5)) host_.tick(now_ns_ += 150'000'000);
        }
        for (const std::uint64_t number : asked) questions_[number].is_lossy = is_lossy;
        host_.tick(now_ns_ += 300'000'000);
        host_.report_close(beneath(host_, socket), now_ns_ += 1000);
        host_.tick(now_ns_ += 5'000'000);
    }

    std::size_t size() { return random_.chance(0.15) ? random_.below(30'000) : random_.below(60); }

    void say(Socket& socket, bool is_request, const std::string& bytes, double loss, bool& is_lossy) {
        const bool is_send = is_request == (beneath(host_, socket).options().role == WG_ROLE_CLIENT);
        Move move = socket.moved(is_send ? WG_SEND : WG_RECEIVE, bytes, now_ns_ += 10'000);
        move.is_lost = random_.chance(loss);
        is_lossy |= move.is_lost;
        report_call(host_, random_, socket, move);
    }

    void check() {
        for (const spans::Span& span : host_.batch()) {
            const std::string_view path = span.attributes.text(attr::url_path);
            if (path.empty()) {
                ++others_;
                continue;
            }
            const auto found = questions_.find(parse_int<std::uint64_t>(path.substr(2)).value_or(0));
            ASSERT_NE(found, questions_.end()) << path;
            Question& question = found->second;
            SCOPED_TRACE(std::string(path) + (question.is_mixed ? " mixed" : "") + (question.is_lossy ? " lossy" : ""));
            ASSERT_EQ(++question.spans, 1u);
            const std::int64_t status = span.attributes.number(attr::http_response_status_code, 0);
            const bool is_whole = span.incomplete == spans::Incomplete::No && status != 0;
            (is_whole ? whole_ : others_) += 1;
            EXPECT_TRUE(is_whole || question.is_lossy || question.is_mixed) << static_cast<int>(span.incomplete);
            if (status) {
                EXPECT_EQ(status, question.status());
            }
        }
        for (const auto& [number, question] : questions_) {
            if (question.spans > 0) continue;
            ++others_;
            EXPECT_TRUE(question.is_lossy || question.is_mixed) << number << " is missing";
        }
        std::uint64_t seen = 0, exported = 0;
        for (const Counts& counts : host_.tracker().counts()) seen += counts.seen, exported += counts.exported;
        EXPECT_EQ(seen, exported);
    }

    Random random_;
    double loss_;
    Host host_;
    std::map<std::uint64_t, Question> questions_;
    std::uint64_t last_id_ = 0;
    std::uint64_t last_question_ = 0;
    std::uint64_t now_ns_ = kSecond;
    std::uint64_t whole_ = 0;
    std::uint64_t others_ = 0;
};

void play(double loss, std::uint64_t seeds) { play_worlds<World>(loss, seeds, 60, 4); }

TEST(FastCgiProperty, PairsAreRight) { play(0, 15); }
TEST(FastCgiProperty, NoPairIsWrongWhenCallsAreLost) { play(0.02, 30); }

}  // namespace
}  // namespace waggle::protocols::testing
