// SPDX-License-Identifier: Apache-2.0
// FramedSession where messages are not whole; PostgreSQL stands for all of its protocols.
#include "protocols/testing/tracker_test.h"

namespace waggle::protocols::testing {
namespace {

std::string message(char type, std::string_view body) {
    const auto size = static_cast<std::uint32_t>(body.size() + 4);
    std::string out(1, type);
    for (const int shift : {24, 16, 8, 0}) out += static_cast<char>(size >> shift & 0xff);
    return out.append(body);
}

std::string text(std::string_view words) { return std::string(words) + '\0'; }

// An error that says it is longer than it is: what was to come of it ends its exchange no second time when requests
// were lost meanwhile.
TEST_F(TrackerTest, AnAnswerThatLacksItsLastBytesEndsItsExchangeOnce) {
    Socket& server = open();
    const std::string ready = message('Z', "I");
    call(server, true, std::string("\0\0\0\x10\0\3\0\0user\0a\0\0", 16));
    call(server, false, message('R', std::string(4, '\0')) + ready);
    const std::string nothing(1, '\0');
    call(server, true,
         message('P', nothing + text("SELECT 1") + std::string(2, '\0')) + message('B', std::string(8, '\0')) +
             message('E', nothing + std::string(4, '\0')) + message('S', ""));
    const std::string error = message('E', text("SERROR") + text("C42P01") + text("M" + std::string(6000, 'x')) + '\0');
    call(server, false, error.substr(0, 5000) + ready);
    Move lost = moved(server, true, message('Q', text("SELECT 2")));
    lost.is_lost = true;
    host_.report(server, lost);
    call(server, false, message('C', text("SELECT 1")) + ready);
    call(server, true, message('S', ""));
    call(server, false, ready);
    pass(kSecond);
    ASSERT_EQ(spans(), 1u);
    EXPECT_EQ(span().attributes.text(attr::db_response_status_code), "42P01");
    EXPECT_EQ(host_.tracker().open_exchanges(), 0u);
    call(server, true, message('Q', text("SELECT 3")));
    call(server, false, message('C', text("SELECT 1")) + ready);
    pass(kSecond);
    EXPECT_EQ(spans(), 2u);
}

}  // namespace
}  // namespace waggle::protocols::testing
