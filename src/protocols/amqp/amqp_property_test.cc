// SPDX-License-Identifier: Apache-2.0
// Many AMQP messages on several channels whose fate is known: confirmed or not, returned, refused, got and delivered,
// their frames mixed. Every span says what happened to its own message, or that it is not known. In the second test
// calls are lost anywhere; a pair is never wrong then either.
#include <gtest/gtest.h>

#include <map>

#include "base/strings.h"
#include "protocols/testing/encrypted.h"
#include "protocols/testing/worlds.h"
#include "spans/attribute_names.h"

namespace waggle::protocols::testing {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

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
    bool is_lossy = false;
    std::uint64_t spans = 0;

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

    std::uint64_t sure() const { return sure_; }
    std::uint64_t others() const { return others_; }

  private:
    struct Channel {
        bool is_confirming = false;
        std::uint64_t published = 0;
    };

    void talk(Socket& socket) {
        bool is_lossy = false;
        has_large_ = random_.chance(0.3);
        std::vector<std::uint64_t> said;
        Channel channels[4];
        say(socket, true, std::string("AMQP\0\0\x09\x01", 8), 0, is_lossy);
        for (std::uint64_t channel = 1; channel < 4; ++channel) {
            std::string opening = method(channel, 20, 10, std::string(1, '\0'));
            if ((channels[channel].is_confirming = random_.chance(0.6)))
                opening += method(channel, 85, 10, std::string(1, '\0'));
            say(socket, true, opening, 0, is_lossy);
        }
        for (int turn = 0; turn < 12; ++turn) {
            std::vector<std::string> answers;
            for (std::uint64_t i = 1 + random_.below(3); i > 0; --i) {
                Message& message = messages_[++last_message_];
                message = {.kind = static_cast<Kind>(random_.below(3)),
                           .number = last_message_,
                           .channel = 1 + random_.below(3)};
                said.push_back(last_message_);
                Channel& channel = channels[message.channel];
                std::string question;
                exchange(message, channel, question, answers);
                if (!question.empty()) say(socket, true, question, loss_, is_lossy);
            }
            // Of one channel in order, of several mixed; here and there many in one write.
            std::string written;
            for (const std::string& answer : answers) {
                written += answer;
                if (random_.chance(0.5)) say(socket, false, std::exchange(written, {}), loss_, is_lossy);
            }
            if (!written.empty()) say(socket, false, written, loss_, is_lossy);
            if (random_.chance(0.5)) host_.tick(now_ns_ += 150'000'000);
        }
        for (const std::uint64_t message : said) messages_[message].is_lossy = is_lossy;
        host_.tick(now_ns_ += 300'000'000);
        host_.report_close(beneath(host_, socket), now_ns_ += 1000);
        host_.tick(now_ns_ += 5'000'000);
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

    void say(Socket& socket, bool is_request, const std::string& bytes, double loss, bool& is_lossy) {
        const bool is_send = is_request == (beneath(host_, socket).options().role == WG_ROLE_CLIENT);
        Move move = socket.moved(is_send ? WG_SEND : WG_RECEIVE, bytes, now_ns_ += 10'000);
        move.is_lost = random_.chance(loss);
        is_lossy |= move.is_lost || has_large_;
        report_call(host_, random_, socket, move);
    }

    void check() {
        for (const spans::Span& span : host_.batch()) {
            const std::string_view key = span.attributes.text(attr::messaging_rabbitmq_destination_routing_key);
            const std::string_view destination = span.attributes.text(attr::messaging_destination_name);
            SCOPED_TRACE(std::string(key) + " of " + std::string(destination));
            if (key.empty()) {
                ++others_;
                continue;
            }
            const auto found = messages_.find(parse_int<std::uint64_t>(key.substr(1)).value_or(0));
            ASSERT_NE(found, messages_.end());
            Message& message = found->second;
            ASSERT_EQ(++message.spans, 1u);
            // A get is told with the queue that it asked and with what it was given: both are one message's.
            if (message.kind == Kind::Get) {
                EXPECT_EQ(destination, "q" + std::to_string(message.number));
            }
            const bool is_sure =
                span.incomplete == spans::Incomplete::No && span.attributes.text(attr::waggle_unknown).empty();
            (is_sure ? sure_ : others_) += 1;
            EXPECT_TRUE(is_sure || message.is_lossy) << static_cast<int>(span.incomplete);
            const std::string_view error = span.attributes.text(attr::error_type);
            const bool is_told = !error.empty() && error != "connection_closed";
            if (is_sure || is_told) {
                EXPECT_EQ(error, message.error());
            }
        }
        for (const auto& [id, message] : messages_) {
            if (message.spans > 0) continue;
            ++others_;
            EXPECT_TRUE(message.is_lossy) << id << " is missing";
        }
        std::uint64_t seen = 0, exported = 0;
        for (const Counts& counts : host_.tracker().counts()) seen += counts.seen, exported += counts.exported;
        EXPECT_EQ(seen, exported);
    }

    Random random_;
    double loss_;
    bool has_large_ = false;
    Host host_;
    std::map<std::uint64_t, Message> messages_;
    std::uint64_t last_id_ = 0;
    std::uint64_t last_message_ = 0;
    std::uint64_t now_ns_ = kSecond;
    std::uint64_t sure_ = 0;
    std::uint64_t others_ = 0;
};

void play(double loss, std::uint64_t seeds) { play_worlds<World>(loss, seeds, 60, 4); }

TEST(AmqpProperty, EveryMessageHasItsOwnFate) { play(0, 15); }
TEST(AmqpProperty, NoFateIsWrongWhenCallsAreLost) { play(0.02, 30); }

}  // namespace
}  // namespace waggle::protocols::testing
