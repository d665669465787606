// SPDX-License-Identifier: Apache-2.0
// Many Kafka exchanges whose answers are known, several under way at a time: every span says what its own answer
// said, or that it is not whole. In the second test calls are lost anywhere; a pair is never wrong then either.
#include <gtest/gtest.h>

#include <map>

#include "base/strings.h"
#include "protocols/testing/encrypted.h"
#include "protocols/testing/worlds.h"
#include "spans/attribute_names.h"

namespace waggle::protocols::testing {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

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
    bool is_pipelined = false;
    bool is_lossy = false;
    bool is_in_parts = false;  // read by several calls, of which the first may be all that is copied
    std::uint64_t spans = 0;

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
    // Waits for each answer, or asks several at once, or goes on asking while answers come.
    void talk(Socket& socket) {
        const std::uint64_t style = random_.below(3);
        bool is_lossy = false;
        std::vector<std::uint64_t> asked;
        std::string answers;
        for (int turn = 0; turn < 12; ++turn) {
            const std::uint64_t count = style == 0 ? 1 : 1 + random_.below(4);
            for (std::uint64_t i = 0; i < count; ++i) {
                const std::uint64_t id = ++last_question_;
                Question& question = questions_[id];
                question = {.id = id,
                            .is_fetch = random_.chance(0.5),
                            .is_error = random_.chance(0.3),
                            .is_pipelined = style != 0};
                asked.push_back(id);
                answers += question.answer(size());
                // What tells the protocol is seen. Clients write a request by one call.
                const std::string request = question.request(size());
                question.is_in_parts = socket.options().is_plain && request.size() > kMostRead;
                say(socket, true, request, turn == 0 ? 0 : loss_, is_lossy);
            }
            const bool is_part = style == 2 && turn < 11 && random_.chance(0.5);
            const std::size_t now = is_part ? random_.below(answers.size()) : answers.size();
            for (std::size_t at = 0; at < now;) {
                std::size_t call = std::min(now - at, 8 + random_.below(9000));
                if (now - at - call < 8) call = now - at;
                say(socket, false, answers.substr(at, call), loss_, is_lossy);
                at += call;
            }
            answers.erase(0, now);
            if (random_.chance(0.3)) host_.tick(now_ns_ += 5'000'000);
            if (answers.empty() && random_.chance(0.1)) host_.tick(now_ns_ += 2 * kSecond);
        }
        flush(socket);
        for (const std::uint64_t id : asked) questions_[id].is_lossy = is_lossy;
        host_.tick(now_ns_ += 5'000'000);
        host_.tick(now_ns_ += 300'000'000);
        host_.report_close(beneath(host_, socket), now_ns_ += 1000);
        host_.tick(now_ns_ += 5'000'000);
    }

    std::size_t size() { return random_.chance(0.15) ? random_.below(30'000) : random_.below(60); }

    void say(Socket& socket, bool is_request, const std::string& bytes, double loss, bool& is_lossy) {
        if (bytes.empty()) return;
        const bool is_send = is_request == (beneath(host_, socket).options().role == WG_ROLE_CLIENT);
        Move move = socket.moved(is_send ? WG_SEND : WG_RECEIVE, bytes, now_ns_ += 10'000);
        move.is_lost = random_.chance(loss);
        is_lossy |= move.is_lost;
        // A send is reported when its call has returned, maybe after the answer was read.
        if (is_send && is_request && !socket.options().is_plain && !late_ && random_.chance(0.2)) {
            late_ = move;
            return;
        }
        if (is_send) flush(socket);
        report_call(host_, random_, socket, move);
        flush(socket);
    }

    void flush(Socket& socket) {
        if (!late_) return;
        const Move move = *late_;
        late_.reset();
        report_call(host_, random_, socket, move);
    }

    void check() {
        for (const spans::Span& span : host_.batch()) {
            const std::string_view topic = span.attributes.text(attr::messaging_destination_name);
            const bool is_whole = span.incomplete == spans::Incomplete::No;
            if (topic.empty()) {  // its beginning was not captured
                EXPECT_NE(span.attributes.text(attr::waggle_unknown), "");
                ++others_;
                continue;
            }
            const auto found = questions_.find(parse_int<std::uint64_t>(topic.substr(1)).value_or(0));
            ASSERT_NE(found, questions_.end()) << topic;
            Question& question = found->second;
            SCOPED_TRACE(std::string(span.name) + (question.is_pipelined ? " pipelined" : "") +
                         (question.is_lossy ? " lossy" : ""));
            ASSERT_EQ(++question.spans, 1u);
            (is_whole ? whole_ : others_) += 1;
            EXPECT_EQ(span.name.starts_with("poll"), question.is_fetch);
            EXPECT_TRUE(is_whole || question.is_lossy || question.is_pipelined) << static_cast<int>(span.incomplete);
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
            const bool is_sure = span.attributes.text(attr::waggle_unknown).empty();
            if (is_whole && !question.is_error && error.empty() && is_sure) {
                EXPECT_GE(offset, 0);
            }
            EXPECT_TRUE(is_sure || question.is_lossy || question.is_pipelined || question.is_in_parts)
                << span.attributes.text(attr::waggle_unknown);
        }
        for (const auto& [id, question] : questions_) {
            if (question.spans > 0) continue;
            ++others_;
            EXPECT_TRUE(question.is_lossy || question.is_pipelined) << id << " is missing";
        }
        std::uint64_t seen = 0, exported = 0;
        for (const Counts& counts : host_.tracker().counts()) seen += counts.seen, exported += counts.exported;
        EXPECT_EQ(seen, exported);
    }

    Random random_;
    double loss_;
    Host host_;
    std::map<std::uint64_t, Question> questions_;
    std::optional<Move> late_;
    std::uint64_t last_id_ = 0;
    std::uint64_t last_question_ = 0;
    std::uint64_t now_ns_ = kSecond;
    std::uint64_t whole_ = 0;
    std::uint64_t others_ = 0;
};

void play(double loss, std::uint64_t seeds) { play_worlds<World>(loss, seeds, 60, 4); }

TEST(KafkaProperty, PairsAreRight) { play(0, 15); }
TEST(KafkaProperty, NoPairIsWrongWhenCallsAreLost) { play(0.02, 30); }

}  // namespace
}  // namespace waggle::protocols::testing
