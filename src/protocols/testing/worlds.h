// SPDX-License-Identifier: Apache-2.0
// World: what property tests of all protocols share. Connections one after the other, of either end, some above TLS,
// some older than the agent, some half closed before their last answers; calls are lost as often as is asked for. A
// protocol's world says what is asked and answered (talk), and reads spans: which question is one of, and does it say
// all? Checked here: each question has one span at most, and what is missing or not whole had a reason and was counted.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "protocols/testing/encrypted.h"
#include "protocols/testing/seeds.h"

namespace waggle::protocols::testing {

inline constexpr std::uint64_t kSecond = 1'000'000'000;

class World {
  public:
    World(std::uint64_t seed, double loss)
        : random_(seed), loss_(loss), host_({.options = {}, .seed = seed, .threads_are_contexts = {}}) {}
    virtual ~World() = default;

    void run(int connections) {
        for (; connections > 0; --connections) {
            begin();
            talk();
            end();
        }
        host_.tracker().finish(now_ns_ += kSecond, host_.batch());
        check();
    }

    // Of connections that were seen from their beginning: spans that state all facts, and the rest.
    std::uint64_t sure() const { return sure_; }
    std::uint64_t others() const { return others_; }
    // Of older ones, those that state all.
    std::uint64_t joined() const { return joined_; }

  protected:
    struct Reading {
        std::uint64_t question = 0;  // 0: of none
        bool is_sure = false;        // it states all
        bool is_said = false;        // it does not, and names what it does not state
    };

    virtual void talk() = 0;
    virtual Reading read(const spans::Span& span) = 0;
    // A send is reported when its call has returned, maybe after the answer was read.
    virtual bool may_be_late(bool /*is_client*/) const { return false; }

    // Numbers are the caller's, and not 0.
    void ask(std::uint64_t question) {
        questions_[question] = {.connection = connections_.size() - 1};
        newest_.push_back(question);
    }
    // Nothing has to be lost for that something of this connection is not known.
    void excuse() { connections_.back().is_excused = true; }
    // Is this connection older than the agent?
    bool is_older() const { return connections_.back().is_older; }

    // Where in the stream it stands.
    std::uint64_t say(bool is_client, const std::string& bytes, double loss) {
        if (bytes.empty()) return 0;
        Connection& connection = connections_.back();
        const bool is_send = is_client == (beneath(host_, *socket_).options().role == WG_ROLE_CLIENT);
        if (calls_before_ > 0) {  // the agent comes
            --calls_before_;
            for (const std::uint64_t question : newest_) questions_[question].is_older = true;
            return 0;
        }
        Move move = socket_->moved(is_send ? WG_SEND : WG_RECEIVE, bytes, now_ns_ += 10'000);
        move.is_lost = random_.chance(loss);
        connection.is_lossy |= move.is_lost;
        connection.is_end_lost[is_send] = move.is_lost;
        if (is_send && !socket_->options().is_plain && !late_ && may_be_late(is_client) && random_.chance(0.2)) {
            late_ = move;
            return move.position;
        }
        if (is_send) flush();
        report_call(host_, random_, *socket_, move);
        flush();
        return move.position;
    }
    std::uint64_t say(bool is_client, const std::string& bytes) { return say(is_client, bytes, loss_); }

    // By calls of any size. The last bytes of a call are told as eight: shorter calls have some that nobody knows.
    void say_in_calls(bool is_client, const std::string& bytes, double loss) {
        for (std::size_t at = 0; at < bytes.size();) {
            std::size_t call = std::min(bytes.size() - at, 8 + random_.below(9000));
            if (bytes.size() - at - call < 8) call = bytes.size() - at;
            say(is_client, bytes.substr(at, call), loss);
            at += call;
        }
    }
    void say_in_calls(bool is_client, const std::string& bytes) { say_in_calls(is_client, bytes, loss_); }

    // Everything is asked; the client may close its side before the last answers.
    void end_asking() {
        if (socket_->options().is_plain || calls_before_ > 0 || !random_.chance(0.3)) return;
        flush();
        if (socket_->options().role == WG_ROLE_CLIENT)
            host_.report_close(*socket_, now_ns_ += 1000, true);
        else
            host_.report_end(*socket_, now_ns_ += 1000);
    }

    void tick(std::uint64_t after_ns) { host_.tick(now_ns_ += after_ns); }

    Random random_;
    const double loss_;
    Host host_;
    Socket* socket_ = nullptr;
    std::uint64_t now_ns_ = kSecond;

  private:
    struct Connection {
        bool is_older = false;
        bool is_plain = false;
        bool is_lossy = false;
        bool is_excused = false;
        std::array<bool, 2> is_end_lost{};  // nothing came after what was lost
        std::uint64_t counted = 0;
        std::vector<std::uint64_t> unknown;  // questions that are missing or not whole
        std::uint64_t nameless = 0;          // spans that say that they do not know which question is theirs
    };
    struct Asked {
        std::size_t connection = 0;
        bool is_older = false;  // than the agent
        bool is_sure = false;
        std::uint64_t spans = 0;
    };

    void begin() {
        const SocketOptions options{.id = connections_.size() + 1,
                                    .role = random_.chance(0.5) ? WG_ROLE_SERVER : WG_ROLE_CLIENT,
                                    .is_attached = random_.chance(0.15)};
        socket_ = &(options.is_attached ? host_.add(options)
                                        : add_some_encrypted(host_, options, random_, now_ns_ += 10'000));
        calls_before_ = options.is_attached ? 1 + random_.below(8) : 0;
        connections_.push_back({.is_older = options.is_attached, .is_plain = socket_->options().is_plain});
        newest_.clear();
    }

    void end() {
        flush();
        tick(5'000'000);
        tick(300'000'000);
        tick(300'000'000);
        host_.report_close(beneath(host_, *socket_), now_ns_ += 1000);
        for (int i = 0; i < 100 && host_.tracker().connections() > 0; ++i) tick(50'000'000);
        const Counts counts = sum(host_.tracker().counts());
        std::uint64_t counted = 0;
        for (const std::uint64_t cause : counts.by_cause) counted += cause;
        counted -= counts.of(Cause::Encrypted);
        connections_.back().counted = counted - counted_;
        counted_ = counted;
    }

    void flush() {
        if (!late_) return;
        const Move move = *late_;
        late_.reset();
        report_call(host_, random_, *socket_, move);
    }

    void check() {
        for (const spans::Span& span : host_.batch()) {
            SCOPED_TRACE(std::string(span.name) + " of connection " + std::to_string(span.connection & ~WG_PLAIN_ID));
            check(span);
            if (::testing::Test::HasFatalFailure()) return;
        }
        for (const auto& [number, question] : questions_) {
            if (question.spans > 0 || question.is_older) continue;
            connections_[question.connection].unknown.push_back(number);
            EXPECT_TRUE(is_excused(question)) << number << " is missing";
        }
        for (std::size_t i = 0; i < connections_.size(); ++i) check(connections_[i], i + 1);
        const Counts counts = sum(host_.tracker().counts());
        EXPECT_EQ(counts.seen, counts.exported);
    }

    void check(const spans::Span& span) {
        const Reading reading = read(span);
        Connection& own = connections_.at((span.connection & ~WG_PLAIN_ID) - 1);
        if (!own.is_older) others_ += reading.is_said;
        if (!reading.question) {
            own.nameless += reading.is_said;
            return;
        }
        const auto found = questions_.find(reading.question);
        ASSERT_NE(found, questions_.end()) << reading.question;
        Asked& question = found->second;
        ASSERT_EQ(++question.spans, 1u);
        ASSERT_EQ(&own, &connections_[question.connection]);
        EXPECT_TRUE(reading.is_sure || is_excused(question)) << static_cast<int>(span.incomplete);
        if (question.is_older) return;
        if (reading.is_sure)
            (own.is_older ? joined_ : sure_) += 1;
        else if (!reading.is_said)
            own.unknown.push_back(reading.question);
    }

    void check(const Connection& connection, std::size_t id) {
        if (!connection.is_older) others_ += connection.unknown.size();
        // How far plaintext went nobody tells: only the kernel side has counted what was lost at its end.
        if (connection.is_plain && (connection.is_end_lost[0] || connection.is_end_lost[1])) return;
        if (connection.unknown.size() <= connection.nameless) return;
        EXPECT_GT(connection.counted, 0u)
            << ::testing::PrintToString(connection.unknown) << " of connection " << id << " are not known"
            << (connection.is_lossy ? ", lossy" : "") << (connection.is_older ? ", older" : "");
    }

    bool is_excused(const Asked& question) const {
        const Connection& connection = connections_[question.connection];
        return connection.is_lossy || connection.is_excused || connection.is_older;
    }

    std::map<std::uint64_t, Asked> questions_;
    std::vector<Connection> connections_;
    std::vector<std::uint64_t> newest_;  // of this connection
    std::optional<Move> late_;
    std::uint64_t calls_before_ = 0;
    std::uint64_t counted_ = 0;
    std::uint64_t sure_ = 0;
    std::uint64_t others_ = 0;
    std::uint64_t joined_ = 0;
};

// Plays worlds of many seeds: so many times as many spans are sure as are not.
template <typename MakeWorld>
void play_worlds(const MakeWorld& make_world, std::uint64_t seeds, int connections, double ratio) {
    std::uint64_t sure = 0, others = 0, joined = 0;
    for (std::uint64_t seed = 1, last = seeds_to_play(seeds); seed <= last; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        auto world = make_world(seed);
        world.run(connections);
        sure += world.sure();
        others += world.others();
        joined += world.joined();
        if (::testing::Test::HasFailure()) return;
    }
    EXPECT_GT(static_cast<double>(sure), ratio * static_cast<double>(others)) << others;
    EXPECT_GT(joined, 0u);
}

}  // namespace waggle::protocols::testing
