// SPDX-License-Identifier: Apache-2.0
// Many Kafka exchanges whose answers are known, several under way at a time: every span says what its own answer
// said, or that it is not whole. In the second test calls are lost anywhere; a pair is never wrong then either.
#include <gtest/gtest.h>

#include <map>

#include "base/strings.h"
#include "protocols/testing/worlds.h"
#include "spans/attribute_names.h"

namespace waggle::protocols::testing {
namespace {

std::string number(std::uint64_t value, unsigned bytes) {
    std::string text;
    while (bytes--) text += static_cast<char>(bytes < 8 ? value >> 8 * bytes : 0);
    return text;
}

std::string string(const std::string& text) { return number(text.size(), 2) + text; }
std::string framed(const std::string& body) { return number(body.size(), 4) + body; }

// One record in a batch, of so many bytes.
std::string batch(std::uint64_t base, std::size_t size) {
    const std::string rest = number(0, 4) + '\2' + number(0, 4) + number(0, 2) + number(0, 4) + number(0, 16) +
                             number(~0ull, 8) + number(~0ull, 6) + number(1, 4) + std::string(size, 'x');
    return number(base, 8) + number(rest.size(), 4) + rest;
}

// A question carries its number in its topic, its answer in the offset, or in the partition where it failed.
struct Question {
    std::uint64_t id = 0;
    bool is_fetch = false;
    bool is_error = false;

    std::string topic() const { return "t" + std::to_string(id); }
    std::uint64_t partition() const { return id % 7; }
    std::string request(std::size_t size) const {
        const std::string head =
            number(is_fetch ? 1 : 0, 2) + number(is_fetch ? 4 : 3, 2) + number(id, 4) + string("shop");
        if (is_fetch)
            return framed(head + number(~0ull, 4) + number(500, 4) + number(1, 4) + number(1 << 20, 4) + number(0, 1) +
                          number(1, 4) + string(topic()) + number(1, 4) + number(partition(), 4) + number(id, 8) +
                          number(1 << 20, 4));
        const std::string records = batch(0, size);
        return framed(head + number(0xffff, 2) + number(0xffff, 2) + number(30000, 4) + number(1, 4) + string(topic()) +
                      number(1, 4) + number(partition(), 4) + number(records.size(), 4) + records);
    }
    std::string answer(std::size_t size) const {
        const std::string error = number(is_error ? 3 : 0, 2);
        if (!is_fetch)
            return framed(number(id, 4) + number(1, 4) + string(topic()) + number(1, 4) + number(partition(), 4) +
                          error + number(id, 8) + number(~0ull, 8) + number(0, 4));
        const std::string records = is_error ? "" : batch(id, size);
        return framed(number(id, 4) + number(0, 4) + number(1, 4) + string(topic()) + number(1, 4) +
                      number(partition(), 4) + error + number(0, 16) + number(0xffffffff, 4) +
                      number(records.size(), 4) + records);
    }
};

class KafkaWorld final : public World {
  public:
    using World::World;

  private:
    // Waits for each answer, or asks several at once, or goes on asking while answers come.
    void talk() override {
        const std::uint64_t style = random_.below(3);
        if (style != 0) excuse();
        std::string answers;
        for (int turn = 0; turn < 12; ++turn) {
            const std::uint64_t count = style == 0 ? 1 : 1 + random_.below(4);
            for (std::uint64_t i = 0; i < count; ++i) {
                const std::uint64_t id = ++last_question_;
                ask(id);
                Question& question = questions_[id];
                question = {.id = id, .is_fetch = random_.chance(0.5), .is_error = random_.chance(0.3)};
                answers += question.answer(size());
                // What tells the protocol is seen. Clients write a request by one call.
                const std::string request = question.request(size());
                // Read by several calls, of which the first may be all that is copied.
                if (socket_->options().is_plain && request.size() > kMostRead) excuse();
                say(true, request, turn == 0 ? 0 : loss_);
            }
            if (turn == 11) end_asking();
            const bool is_part = style == 2 && turn < 11 && random_.chance(0.5);
            const std::size_t now = is_part ? random_.below(answers.size()) : answers.size();
            say_in_calls(false, answers.substr(0, now));
            answers.erase(0, now);
            if (random_.chance(0.3)) tick(5'000'000);
            if (answers.empty() && random_.chance(0.1)) tick(2 * kSecond);
        }
    }

    std::size_t size() { return random_.chance(0.15) ? random_.below(30'000) : random_.below(60); }
    bool may_be_late(bool is_client) const override { return is_client; }

    Reading read(const spans::Span& span) override {
        const std::string_view topic = span.attributes.text(attr::messaging_destination_name);
        const std::string_view unknown = span.attributes.text(attr::waggle_unknown);
        const bool is_whole = span.incomplete == spans::Incomplete::No;
        if (topic.empty()) {  // its beginning was not captured
            EXPECT_NE(unknown, "");
            return {.is_said = true};
        }
        const Question& question = questions_[parse_int<std::uint64_t>(topic.substr(1)).value_or(0)];
        EXPECT_EQ(span.name.starts_with("poll"), question.is_fetch);
        const std::string_view error = span.attributes.text(attr::error_type);
        if (error == "UNKNOWN_TOPIC_OR_PARTITION") {
            EXPECT_TRUE(question.is_error);
        } else if (error.empty()) {
            EXPECT_FALSE(is_whole && question.is_error);
        } else {
            EXPECT_EQ(error, "connection_closed");
        }
        const std::int64_t offset = span.attributes.number(attr::messaging_kafka_offset, -1);
        if (offset >= 0) {
            EXPECT_EQ(offset, static_cast<std::int64_t>(question.id));
        }
        // Of Fetches that overlap nobody knows where they began.
        if (is_whole && !question.is_error && error.empty() && unknown.empty()) {
            EXPECT_GE(offset, 0);
        }
        return {question.id, is_whole && unknown.empty(), is_whole && !unknown.empty()};
    }

    std::map<std::uint64_t, Question> questions_;
    std::uint64_t last_question_ = 0;
};

void play(double loss, std::uint64_t seeds) {
    play_worlds([=](std::uint64_t seed) { return KafkaWorld(seed, loss); }, seeds, 60, loss > 0 ? 1 : 4);
}

TEST(KafkaProperty, PairsAreRight) { play(0, 15); }
TEST(KafkaProperty, NoPairIsWrongWhenCallsAreLost) { play(0.02, 30); }

}  // namespace
}  // namespace waggle::protocols::testing
