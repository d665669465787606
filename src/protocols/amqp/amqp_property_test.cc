// SPDX-License-Identifier: Apache-2.0
// Many AMQP messages on several channels whose fate is known: confirmed or not, returned, refused, got and delivered,
// their frames mixed. Every span says what happened to its own message, or that it is not known. In the second test
// calls are lost anywhere; a pair is never wrong then either.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/strings.h"
#include "protocols/testing/worlds.h"
#include "spans/attribute_names.h"

namespace waggle::protocols::testing {
namespace {

std::string number(std::uint64_t value, int size) {
    std::string text;
    for (int i = size - 1; i >= 0; --i) text += static_cast<char>(value >> 8 * i & 0xff);
    return text;
}
std::string short_text(const std::string& text) { return number(text.size(), 1) + text; }

std::string frame(int type, std::uint64_t channel, const std::string& payload) {
    return number(static_cast<std::uint64_t>(type), 1) + number(channel, 2) + number(payload.size(), 4) + payload +
           "\xce";
}
std::string method(std::uint64_t channel, std::uint64_t of, std::uint64_t id, const std::string& arguments = {}) {
    return frame(1, channel, number(of, 2) + number(id, 2) + arguments);
}

enum class Kind { Publish, Get, Deliver };

struct Message {
    Kind kind = Kind::Publish;
    std::uint64_t number = 0;
    std::uint64_t channel = 0;
    bool is_confirmed = false;

    std::string key() const { return "k" + std::to_string(number); }
    bool is_returned() const { return is_confirmed && number % 5 == 0; }
    bool is_refused() const { return is_confirmed && !is_returned() && number % 7 == 0; }
    std::string error() const { return is_returned() ? "312" : is_refused() ? "nack" : ""; }
};

// The head of a message and its body, which looks like frames.
std::string content(std::uint64_t channel, std::size_t size) {
    const std::string lure =
        method(channel, 60, 80, number(1, 8) + number(1, 1)) + method(channel, 20, 40, number(406, 2));
    std::string text, body;
    while (body.size() < size) body += lure;
    text = frame(2, channel, number(60, 2) + number(0, 2) + number(body.size(), 8) + number(0, 2));
    for (std::size_t at = 0; at < body.size(); at += 4096) text += frame(3, channel, body.substr(at, 4096));
    return text;
}

class AmqpWorld final : public World {
  public:
    using World::World;

  private:
    struct Channel {
        bool is_confirming = false;
        std::uint64_t published = 0;
    };

    void talk() override {
        has_large_ = random_.chance(0.3);
        if (has_large_) excuse();
        Channel channels[4];
        say(true, std::string("AMQP\0\0\x09\x01", 8), 0);
        for (std::uint64_t channel = 1; channel < 4; ++channel) {
            std::string opening = method(channel, 20, 10, std::string(1, '\0'));
            if ((channels[channel].is_confirming = random_.chance(0.6)))
                opening += method(channel, 85, 10, std::string(1, '\0'));
            say(true, opening, 0);
        }
        for (int turn = 0; turn < 12; ++turn) {
            std::vector<std::string> answers;
            std::set<std::uint64_t> gets;  // channels: a get is asked when the one before is answered
            for (std::uint64_t i = 1 + random_.below(3); i > 0; --i) {
                Message& message = messages_[++last_message_];
                message = {.kind = static_cast<Kind>(random_.below(3)),
                           .number = last_message_,
                           .channel = 1 + random_.below(3)};
                if (message.kind == Kind::Get && !gets.insert(message.channel).second) message.kind = Kind::Deliver;
                ask(last_message_);
                Channel& channel = channels[message.channel];
                std::string question;
                exchange(message, channel, question, answers);
                if (!question.empty()) say(true, question);
            }
            if (turn == 11) end_asking();
            // What the broker says by itself: it takes no more publishes, a consumer is gone, it is there.
            if (random_.chance(0.2)) answers.push_back(method(0, 10, 60, short_text("low on memory")));
            if (random_.chance(0.2)) answers.push_back(method(1, 60, 30, short_text("tag") + number(1, 1)));
            if (random_.chance(0.2)) answers.push_back(frame(8, 0, ""));
            // Of one channel in order, of several mixed; here and there many in one write.
            std::string written;
            for (const std::string& answer : answers) {
                written += answer;
                if (random_.chance(0.5)) say(false, std::exchange(written, {}));
            }
            if (!written.empty()) say(false, written);
            if (random_.chance(0.5)) tick(150'000'000);
        }
    }

    void exchange(Message& message, Channel& channel, std::string& question, std::vector<std::string>& answers) {
        const std::string tag = number(message.number, 8);
        const std::string names = short_text("") + short_text(message.key());
        switch (message.kind) {
            case Kind::Publish: {
                question = method(message.channel, 60, 40, number(0, 2) + names + number(1, 1)) +
                           content(message.channel, size());
                message.is_confirmed = channel.is_confirming;
                if (!channel.is_confirming) return;
                const std::string own = number(++channel.published, 8);
                std::string answer;
                if (message.is_returned())
                    answer = method(message.channel, 60, 50, number(312, 2) + short_text("NO_ROUTE") + names) +
                             content(message.channel, size());
                answers.push_back(answer +
                                  method(message.channel, 60, message.is_refused() ? 120 : 80, own + number(0, 1)));
                return;
            }
            case Kind::Get:
                question = method(message.channel, 60, 70,
                                  number(0, 2) + short_text("q" + std::to_string(message.number)) + number(1, 1));
                answers.push_back(method(message.channel, 60, 71, tag + number(0, 1) + names + number(0, 4)) +
                                  content(message.channel, size()));
                return;
            case Kind::Deliver:
                answers.push_back(method(message.channel, 60, 60, short_text("tag") + tag + number(0, 1) + names) +
                                  content(message.channel, size()));
                return;
        }
    }

    // What follows a long message in the same call is not copied.
    std::size_t size() { return has_large_ && random_.chance(0.15) ? random_.below(30'000) : random_.below(60); }

    Reading read(const spans::Span& span) override {
        const std::string_view key = span.attributes.text(attr::messaging_rabbitmq_destination_routing_key);
        const std::string_view destination = span.attributes.text(attr::messaging_destination_name);
        if (key.empty()) return {.is_said = true};
        const Message& message = messages_[parse_int<std::uint64_t>(key.substr(1)).value_or(0)];
        // A get is told with the queue that it asked and with what it was given: both are one message's.
        if (message.kind == Kind::Get) {
            EXPECT_EQ(destination, "q" + std::to_string(message.number));
        }
        const bool is_whole = span.incomplete == spans::Incomplete::No;
        const bool is_sure = is_whole && span.attributes.text(attr::waggle_unknown).empty();
        const std::string_view error = span.attributes.text(attr::error_type);
        const bool is_told = !error.empty() && error != "connection_closed";
        if (is_sure || is_told) {
            EXPECT_EQ(error, message.error());
        }
        return {message.number, is_sure, is_whole && !is_sure};
    }

    bool has_large_ = false;
    std::map<std::uint64_t, Message> messages_;
    std::uint64_t last_message_ = 0;
};

void play(double loss, std::uint64_t seeds) {
    play_worlds([=](std::uint64_t seed) { return AmqpWorld(seed, loss); }, seeds, 60, loss > 0 ? 1 : 4);
}

TEST(AmqpProperty, EveryMessageHasItsOwnFate) { play(0, 15); }
TEST(AmqpProperty, NoFateIsWrongWhenCallsAreLost) { play(0.02, 30); }

}  // namespace
}  // namespace waggle::protocols::testing
