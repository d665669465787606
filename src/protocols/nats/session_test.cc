// SPDX-License-Identifier: Apache-2.0
// What is known of an answer of which a part was not seen.
#include <gtest/gtest.h>

#include "protocols/testing/tracker_test.h"

namespace waggle::protocols::testing {
namespace {

class NatsSession : public TrackerTest {};

TEST_F(NatsSession, AnAnswerWhoseStatusWasLostIsNotGood) {
    Socket& client = open({.role = WG_ROLE_CLIENT});
    call(client, true, "CONNECT {\"verbose\":false}\r\nPUB q _INBOX.r 2\r\nhi\r\n");
    call(client, false, "HMSG _INBOX.r 1 16 16\r\nNATS/1.");
    Move lost = moved(client, false, "0 503\r\n\r\n\r\n");
    lost.is_lost = true;
    host_.report(client, lost);
    call(client, true, "PING\r\n");
    call(client, false, "PONG\r\n");
    pass(kSecond);
    ASSERT_EQ(spans(), 1u);
    EXPECT_EQ(span().incomplete, spans::Incomplete::Hole);
    EXPECT_EQ(span().attributes.text(attr::error_type), "");
    EXPECT_GT(sum(host_.tracker().counts()).of(Cause::Hole), 0u);
}

}  // namespace
}  // namespace waggle::protocols::testing
