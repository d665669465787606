// SPDX-License-Identifier: Apache-2.0
// Where memory is short: whom the tracker forgets and refuses, and that each request of theirs is counted once.
#include "protocols/testing/tracker_test.h"

namespace waggle::protocols::testing {
namespace {

class SmallTrackerTest : public TrackerTest {
  protected:
    SmallTrackerTest() : TrackerTest({.options = {}, .max_connections = 2, .threads_are_contexts = {}}) {}
};

TEST_F(SmallTrackerTest, EvictsTheOldestWithoutInventingAnOutcome) {
    for (std::uint64_t id = 1; id <= 3; ++id) call(open({.id = id}), true, kGet);
    pass(kSecond);
    EXPECT_EQ(host_.tracker().connections(), 2u);
    EXPECT_EQ(host_.tracker().stats().evicted, 1u);
    ASSERT_EQ(spans(), 1u);
    EXPECT_EQ(span().connection, 1u);
    EXPECT_EQ(span().incomplete, spans::Incomplete::Hole);
    EXPECT_EQ(span().status, spans::Status::Unset);
}

TEST_F(TrackerTest, CountsTheRequestsOfConnectionsThatItRefuses) {
    host_.tracker().set_shedding(true);
    Socket& server = open({.id = 1});
    Socket& unknown = open({.id = 2, .is_connection_lost = true});
    Socket& encrypted = open({.id = 3});
    for (Socket* socket : {&server, &unknown}) {
        call(*socket, true, kGet.substr(0, 9));  // in two parts, one turn
        call(*socket, true, kGet.substr(9));
        call(*socket, false, kOk);
    }
    call(encrypted, true, std::string_view("\x16\x03\x01\0\x02\x01\0", 7));
    EXPECT_EQ(host_.tracker().stats().refused, 2u);
    EXPECT_EQ(host_.tracker().stats().refused_requests, 2u);
    // From then on the kernel side counts those of the first two.
    std::map<std::uint64_t, wg_rule_mode> modes;
    for (const RuleChange& change : host_.tracker().rule_changes())
        modes[change.connection] = change.rules.by_direction[0].mode;
    EXPECT_EQ(modes,
              (std::map<std::uint64_t, wg_rule_mode>{{1, WG_RULE_COUNT}, {2, WG_RULE_COUNT}, {3, WG_RULE_MUTE}}));
    EXPECT_EQ(spans(), 0u);
    pass(kSecond);
    host_.tracker().set_shedding(false);
    pass(kSecond);
    call(server, true, kGet);
    call(server, false, kOk);
    EXPECT_EQ(spans(), 1u);
}

// A send is told when its call returns: the peer may have read it, and closed, before.
TEST_F(TrackerTest, AnAnswerAfterTheCloseIsNoRequestOfARefusedConnection) {
    host_.tracker().set_shedding(true);
    Socket& server = open();
    call(server, true, kGet);
    const Move answer = moved(server, false, kOk);
    host_.report_close(server, now_ns_ += 1000);
    host_.tracker().on_tick(now_ns_ += 10'000'000, host_.batch());
    host_.tracker().on_tick(now_ns_ += 10'000'000, host_.batch());
    host_.report(server, answer);
    EXPECT_EQ(host_.tracker().stats().refused_requests, 1u);
    // Nothing stays of it, not its rule either.
    host_.tracker().on_tick(now_ns_ += kSecond, host_.batch());
    EXPECT_EQ(host_.tracker().gone_rules(), std::vector<std::uint64_t>{server.id()});
    EXPECT_EQ(host_.tracker().rule_changes().size(), 1u);
    host_.tracker().set_shedding(false);
    EXPECT_EQ(host_.tracker().rule_changes().size(), 1u);
}

TEST_F(TrackerTest, AnAnswerAfterTheCloseIsNoRequestOfAConnectionThatWasFollowed) {
    Socket& server = open();
    call(server, true, kGet);
    const Move answer = moved(server, false, kOk);
    host_.report_close(server, now_ns_ += 1000);
    host_.tracker().set_shedding(true);
    pass(10'000'000);
    pass(10'000'000);
    EXPECT_EQ(spans(), 1u);
    host_.report(server, answer);
    EXPECT_EQ(host_.tracker().stats().refused_requests, 0u);
    // Of one that has ended the kernel side keeps no rule.
    pass(kSecond);
    host_.tracker().set_shedding(false);
    EXPECT_EQ(server.rule(WG_RECEIVE).mode, WG_RULE_HEAD);
}

TEST_F(TrackerTest, KeepsNoRuleOfARefusedConnectionThatEndsAsMemoryIsEnoughAgain) {
    host_.tracker().set_shedding(true);
    Socket& server = open();
    call(server, true, kGet);
    host_.report_close(server, now_ns_ += 1000);
    host_.tracker().set_shedding(false);
    EXPECT_EQ(host_.tracker().gone_rules(), std::vector<std::uint64_t>{server.id()});
}

TEST_F(TrackerTest, AnAnswerWithoutItsRequestIsNoRequestWhenMemoryIsEnoughAgain) {
    host_.tracker().set_shedding(true);
    Socket& server = open();
    call(server, true, kGet);
    host_.tracker().set_shedding(false);
    call(server, false, kOk);
    pass(kSecond);
    call(server, true, kGet);
    call(server, false, kOk);
    pass(kSecond);
    EXPECT_EQ(host_.tracker().stats().refused_requests, 1u);
    EXPECT_EQ(spans(), 1u);
    EXPECT_EQ(sum(host_.tracker().counts()).seen, 1u);
}

TEST_F(TrackerTest, CountsTheRequestsOfConnectionsThatItForgets) {
    for (std::uint64_t id = 1; id <= 8; ++id) {
        call(open({.id = id}), true, kGet);
        call(host_.socket(id), false, kOk);
    }
    host_.tracker().set_shedding(true);
    pass(40 * kSecond);
    EXPECT_EQ(host_.tracker().stats().evicted, 1u);
    // The kernel side counts only, and what was under way before it knew is counted here.
    ASSERT_EQ(host_.socket(1).rule(WG_RECEIVE).mode, WG_RULE_COUNT);
    host_.socket(1).set_rules({.by_direction = {{.bytes = kRequestBytes}, {.bytes = kRequestBytes}}});
    call(host_.socket(1), true, kGet);
    call(host_.socket(1), false, kOk);
    EXPECT_EQ(host_.tracker().stats().refused_requests, 1u);
    EXPECT_EQ(spans(), 8u);
}

}  // namespace
}  // namespace waggle::protocols::testing
