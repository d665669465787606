// SPDX-License-Identifier: Apache-2.0
#include "bpf/lib/tls_call.h"

#include <gtest/gtest.h>

namespace {

wg_tls_call call(__u64 session, __u64 stack) {
    wg_tls_call result{};
    result.session = session;
    result.stack = stack;
    return result;
}

class TlsCall : public ::testing::Test {
  protected:
    void enter(__u64 session, __u64 stack) {
        const wg_tls_call begun = call(session, stack);
        wg_tls_enter(&thread_, &begun);
    }
    // The session whose call has ended, 0: none.
    __u64 leave(__u64 stack) { return wg_tls_leave(&thread_, stack, &ended_) ? ended_.session : 0; }
    wg_tls_thread thread_{};
    wg_tls_call ended_{};
};

TEST_F(TlsCall, EndsOnce) {
    enter(1, 1000);
    EXPECT_EQ(leave(1008), 1u);
    EXPECT_EQ(leave(1008), 0u);
}

// Each link of the program passes each of a call's places.
TEST_F(TlsCall, SeenByTwoLinksEndsOnce) {
    enter(1, 1000);
    enter(1, 1000);
    enter(2, 500);
    enter(2, 500);
    EXPECT_EQ(leave(508), 2u);
    EXPECT_EQ(leave(508), 0u);
    EXPECT_EQ(leave(1008), 1u);
    EXPECT_EQ(leave(1008), 0u);
}

TEST_F(TlsCall, OneInsideAnother) {
    enter(1, 1000);
    enter(2, 500);
    EXPECT_EQ(leave(508), 2u);
    EXPECT_EQ(leave(1008), 1u);
}

TEST_F(TlsCall, TheOuterOneEndsWhenTheInnerOnesEndWasNotSeen) {
    enter(1, 1000);
    enter(2, 500);
    EXPECT_EQ(leave(1008), 1u);
    EXPECT_EQ(leave(508), 0u);
}

TEST_F(TlsCall, ANewOneTakesThePlaceOfWhatIsOver) {
    enter(1, 1000);
    enter(2, 1000);
    EXPECT_EQ(leave(1008), 2u);
    enter(3, 900);
    enter(4, 2000);  // so the one before has returned, seen or not
    EXPECT_EQ(leave(2008), 4u);
    EXPECT_EQ(leave(908), 0u);
}

TEST_F(TlsCall, AnEndBelowItIsNotIts) {
    enter(1, 1000);
    EXPECT_EQ(leave(400), 0u);
    EXPECT_EQ(leave(1008), 1u);
}

TEST_F(TlsCall, ForgetsWhatTheOneBeforeHasUsed) {
    enter(1, 1000);
    wg_tls_current(&thread_)->beneath = 77;
    EXPECT_EQ(leave(1008), 1u);
    EXPECT_EQ(ended_.beneath, 77u);
    enter(1, 1000);
    EXPECT_EQ(leave(1008), 1u);
    EXPECT_EQ(ended_.beneath, 0u);
}

// TLS in TLS: the socket is the one's that is nearest to it.
TEST_F(TlsCall, WhatTheInnerOneUsesIsNotTheOuterOnes) {
    enter(1, 1000);
    enter(2, 500);
    wg_tls_current(&thread_)->beneath = 77;
    EXPECT_EQ(leave(508), 2u);
    EXPECT_EQ(ended_.beneath, 77u);
    EXPECT_EQ(leave(1008), 1u);
    EXPECT_EQ(ended_.beneath, 0u);
}

}  // namespace
