// SPDX-License-Identifier: Apache-2.0
// Whose answer it is where some of what went by was not seen.
#include <gtest/gtest.h>

#include "protocols/testing/fastcgi.h"
#include "protocols/testing/tracker_test.h"

namespace waggle::protocols::testing {
namespace {

std::string request(char id, const std::string& path) {
    return fastcgi_record(1, std::string("\0\1\1\0\0\0\0\0", 8), id) +
           fastcgi_record(
               4, std::string("\x0e\x03REQUEST_METHODGET\x0b") + static_cast<char>(path.size()) + "REQUEST_URI" + path,
               id) +
           fastcgi_record(4, "", id) + fastcgi_record(5, "", id);
}
std::string head(char id, const std::string& status) { return fastcgi_record(6, "Status: " + status + "\r\n\r\n", id); }
std::string body(char id, std::size_t size) { return fastcgi_record(6, std::string(size, 'x'), id); }
std::string end(char id) { return fastcgi_record(3, std::string(8, '\0'), id); }

class FastCgiSession : public TrackerTest {};

// The end of the answer to /b is not copied, so that the next turn of answers is not understood. The one after it may
// have nothing for who was asked before.
TEST_F(FastCgiSession, ATurnThatWasPassedOverMayHaveBeenTheAnswer) {
    Socket& client = open({.role = WG_ROLE_CLIENT});
    call(client, true, request(1, "/a"));
    call(client, true, request(2, "/b"));
    const std::string answers = head(1, "200") + end(1) + head(2, "200") + body(2, 20'000) + end(2);
    call(client, false, answers.substr(0, 17'000));
    call(client, false, answers.substr(17'000));
    call(client, true, request(1, "/c"));
    call(client, true, request(2, "/d"));
    call(client, false, head(1, "201") + end(1) + head(2, "202") + end(2));
    call(client, true, request(1, "/e"));
    Move lost = moved(client, true, request(2, "/f"));
    lost.is_lost = true;
    host_.report(client, lost);
    call(client, false, head(1, "203") + head(2, "500") + end(1) + end(2));
    pass(kSecond);
    std::size_t seen = 0;
    for (const spans::Span& span : host_.batch()) {
        if (span.attributes.text(attr::url_path) != "/d") continue;
        ++seen;
        EXPECT_EQ(span.attributes.number(attr::http_response_status_code, 0), 0);
        EXPECT_EQ(span.incomplete, spans::Incomplete::Hole);
    }
    EXPECT_EQ(seen, 1u);
}

// Its last bytes say that it ended, and nothing how.
TEST_F(FastCgiSession, AnAnswerWhoseHeadWasLostIsCounted) {
    Socket& server = open();
    call(server, true, request(1, "/a"));
    Move lost = moved(server, false, head(1, "500") + body(1, 100));
    lost.is_lost = true;
    host_.report(server, lost);
    call(server, false, body(1, 100) + end(1));
    call(server, true, request(1, "/b"));
    call(server, false, head(1, "201") + end(1));
    pass(kSecond);
    ASSERT_EQ(spans(), 2u);
    EXPECT_EQ(span().incomplete, spans::Incomplete::Hole);
    EXPECT_EQ(status(), 0);
    EXPECT_EQ(status(1), 201);
    EXPECT_EQ(sum(host_.tracker().counts()).of(Cause::Hole), 1u);
}

}  // namespace
}  // namespace waggle::protocols::testing
