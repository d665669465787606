// SPDX-License-Identifier: Apache-2.0
// Many FastCGI exchanges whose answers are known, several under way at a time, their records mixed: every span says
// what its own answer said, or that it is not whole. In the second test calls are lost anywhere; a pair is never wrong
// then either.
#include <gtest/gtest.h>

#include <map>

#include "base/strings.h"
#include "protocols/testing/worlds.h"
#include "spans/attribute_names.h"

namespace waggle::protocols::testing {
namespace {

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
                record(7, id, lure), record(3, id, std::string(8, '\0'))};
    }
};

class FastCgiWorld final : public World {
  public:
    using World::World;

  private:
    // One request at a time, or up to three whose answers are mixed.
    void talk() override {
        const bool is_mixed = random_.chance(0.5);
        if (is_mixed) excuse();
        for (int turn = 0; turn < 12; ++turn) {
            std::vector<std::vector<std::string>> answers;
            const std::uint64_t count = is_mixed ? 1 + random_.below(3) : 1;
            for (std::uint64_t i = 0; i < count; ++i) {
                ask(++last_question_);
                const Question question = {.number = last_question_, .id = i + 1};
                answers.push_back(question.answer(size()));
                // What tells the protocol is seen.
                say(true, question.request(size()), turn == 0 ? 0 : loss_);
            }
            if (turn == 11) end_asking();
            std::string text;
            while (!answers.empty()) {
                auto& one = answers[random_.below(answers.size())];
                text += one.front();
                one.erase(one.begin());
                std::erase_if(answers, [](const auto& rest) { return rest.empty(); });
            }
            say_in_calls(false, text);
            if (random_.chance(0.5)) tick(150'000'000);
        }
    }

    std::size_t size() { return random_.chance(0.15) ? random_.below(30'000) : random_.below(60); }

    Reading read(const spans::Span& span) override {
        const std::string_view path = span.attributes.text(attr::url_path);
        if (path.empty()) return {.is_said = true};
        const Question question{.number = parse_int<std::uint64_t>(path.substr(2)).value_or(0)};
        const std::int64_t status = span.attributes.number(attr::http_response_status_code, 0);
        if (status) {
            EXPECT_EQ(status, question.status());
        }
        return {question.number, span.incomplete == spans::Incomplete::No && status != 0};
    }

    std::uint64_t last_question_ = 0;
};

void play(double loss, std::uint64_t seeds) {
    play_worlds([=](std::uint64_t seed) { return FastCgiWorld(seed, loss); }, seeds, 60, loss > 0 ? 1 : 3);
}

TEST(FastCgiProperty, PairsAreRight) { play(0, 15); }
TEST(FastCgiProperty, NoPairIsWrongWhenCallsAreLost) { play(0.02, 30); }

}  // namespace
}  // namespace waggle::protocols::testing
