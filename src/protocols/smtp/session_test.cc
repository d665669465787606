// SPDX-License-Identifier: Apache-2.0
// Whose answer it is where some of what went by was not seen.
#include <gtest/gtest.h>

#include "protocols/testing/tracker_test.h"

namespace waggle::protocols::testing {
namespace {

class SmtpSession : public TrackerTest {};

// Nothing before the first MAIL tells what is spoken: what the server had said by then is read no later than that.
TEST_F(SmtpSession, WhatWasAnsweredBeforeTheAgentCameIsNotTheNextAnswer) {
    for (const wg_role role : {WG_ROLE_SERVER, WG_ROLE_CLIENT}) {
        Socket& socket = open({.id = role + 1u, .role = role, .is_attached = true});
        call(socket, true, "DATA\r\n");
        call(socket, false, "354 go on\r\n");
        call(socket, true, "Subject: hello\r\n\r\nhello\r\n.\r\n");
        call(socket, false, "432 no\r\n");
        call(socket, true, "MAIL FROM:<a@b.example>\r\n");
        call(socket, false, "250 ok\r\n");
        call(socket, true, "RCPT TO:<c@d.example>\r\n");
        call(socket, false, "250 ok\r\n");
        call(socket, true, "DATA\r\n");
        call(socket, false, "354 go on\r\n");
        call(socket, true, "hello\r\n.\r\n");
        call(socket, false, "250 queued\r\n");
    }
    pass(kSecond);
    std::size_t sent = 0;
    for (const spans::Span& span : host_.batch()) {
        ++sent;
        EXPECT_EQ(span.incomplete, spans::Incomplete::No);
        EXPECT_EQ(span.attributes.text(attr::error_type), "");
    }
    EXPECT_EQ(sent, 2u);
}

}  // namespace
}  // namespace waggle::protocols::testing
