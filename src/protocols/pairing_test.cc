// SPDX-License-Identifier: Apache-2.0
// Exchanges whose order is hard to tell. A pair that cannot be proven is given up and counted; no pair is wrong,
// and no text inside a body becomes an exchange.
#include <gtest/gtest.h>

#include "protocols/testing/host.h"
#include "protocols/tracker.h"
#include "spans/attribute_names.h"

namespace waggle::protocols::testing {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::size_t kBody = 40000;
constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

// Looks like requests wherever a piece of it begins.
std::string trap(std::size_t size) {
    std::string text;
    while (text.size() < size) text += "GET /wrong HTTP/1.1\r\n\r\n";
    text.resize(size);
    return text;
}

class PairingTest : public ::testing::Test {
  protected:
    PairingTest() : host_({.options = {}, .threads_are_contexts = {}}) {}

    Socket& open(const SocketOptions& options = {}) { return host_.add(options); }
    Move moved(Socket& socket, bool is_request, std::string_view bytes) {
        const bool is_client = socket.options().role == WG_ROLE_CLIENT;
        return socket.moved(is_request == is_client ? WG_SEND : WG_RECEIVE, std::string(bytes), now_ns_ += 100'000);
    }
    void call(Socket& socket, bool is_request, std::string_view bytes) {
        host_.report(socket, moved(socket, is_request, bytes));
    }
    void in_pieces(Socket& socket, std::string_view bytes) {
        for (; !bytes.empty(); bytes.remove_prefix(std::min<std::size_t>(8000, bytes.size())))
            call(socket, true, bytes.substr(0, 8000));
    }
    static std::string upload(int number) {
        return "POST /" + std::to_string(number) + " HTTP/1.1\r\nContent-Length: " + std::to_string(kBody) + "\r\n\r\n";
    }
    // Answers when it has read the head, then reads the body.
    void answer_early(Socket& socket, int number) {
        call(socket, true, upload(number));
        call(socket, false, kOk);
        in_pieces(socket, trap(kBody));
    }
    void pass(std::uint64_t ns) { host_.tick(now_ns_ += ns); }
    std::size_t spans() { return host_.batch().size(); }
    std::string path(std::size_t index) {
        return std::string(host_.batch().begin()[index].attributes.text(attr::url_path));
    }
    std::uint64_t holes() { return host_.tracker().counts()[0].of(Cause::Hole); }
    void expect_no_inventions() {
        for (std::size_t i = 0; i < spans(); ++i) EXPECT_NE(path(i), "/wrong");
    }

    Host host_;
    std::uint64_t now_ns_ = 10 * kSecond;
};

TEST_F(PairingTest, TheRestOfABodyIsNoRequestWhenItsHeadWentByInATail) {
    for (const wg_role role : {WG_ROLE_SERVER, WG_ROLE_CLIENT}) {
        Socket& socket = open({.id = role + 1u, .role = role});
        for (int i = 0; i < 3; ++i) answer_early(socket, i);
        pass(5'000'000);
    }
    expect_no_inventions();
    ASSERT_GE(spans(), 2u);
    EXPECT_EQ(path(0), "/0");
    EXPECT_GT(holes(), 0u);
}

TEST_F(PairingTest, SeesTheNextHeadOfAServerThatAnswersEarly) {
    Socket& socket = open();
    for (int i = 0; i < 4; ++i) {
        call(socket, true, upload(i));
        call(socket, false, kOk);
        in_pieces(socket, trap(kBody / 2));
        pass(5'000'000);
        in_pieces(socket, trap(kBody / 2));
    }
    ASSERT_EQ(spans(), 4u);
    for (int i = 0; i < 4; ++i) {
        EXPECT_EQ(path(i), "/" + std::to_string(i));
        EXPECT_EQ(host_.batch().begin()[i].incomplete, spans::Incomplete::No);
    }
    EXPECT_EQ(holes(), 0u);
}

// Whether the answer was a refusal is not known then; the next request's look tells.
TEST_F(PairingTest, RequestsAfterARefusalThatWasLostAreRead) {
    for (const wg_role role : {WG_ROLE_SERVER, WG_ROLE_CLIENT}) {
        const std::size_t before = spans();
        const std::uint64_t lost = holes();
        Socket& socket = open({.id = role + 1u, .role = role});
        call(socket, true, "POST /0 HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1000\r\n\r\n");
        std::vector<std::string> dropped;  // the ring was full
        socket.report(moved(socket, false, "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n"), dropped);
        for (const std::string_view path : {"/1", "/2"}) {
            call(socket, true, "GET " + std::string(path) + " HTTP/1.1\r\n\r\n");
            call(socket, false, kOk);
        }
        pass(5'000'000);
        ASSERT_EQ(spans(), before + 3);
        for (const std::size_t i : {0, 1, 2}) EXPECT_EQ(path(before + i), "/" + std::to_string(i));
        EXPECT_EQ(host_.batch().begin()[before].incomplete, spans::Incomplete::Hole);
        EXPECT_EQ(host_.batch().begin()[before + 2].incomplete, spans::Incomplete::No);
        EXPECT_GT(holes(), lost);
    }
}

TEST_F(PairingTest, TheRestOfChunksBeyondTheRuleIsNoRequest) {
    Socket& socket = open();
    call(socket, true,
         "POST /0 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
         "7530\r\n");
    in_pieces(socket, trap(30000));
    call(socket, true, "\r\n7530\r\n");
    call(socket, false, kOk);
    in_pieces(socket, trap(30000));
    call(socket, true, "\r\n0\r\n\r\n");
    call(socket, false, kOk);
    pass(5'000'000);
    expect_no_inventions();
    EXPECT_EQ(spans(), 1u);
}

// The end of the answer is told by a tail, which the client's next request may overtake.
TEST_F(PairingTest, AClientHasReadTheLongAnswerBeforeItAsksAgain) {
    for (const bool asks_several : {false, true}) {
        Socket& socket = open({.id = asks_several + 1u, .role = WG_ROLE_CLIENT});
        call(socket, true, asks_several ? "incr b 1\r\nincr b 1\r\n" : "incr b 1\r\n");
        call(socket, false, asks_several ? "3\r\n4\r\n" : "4\r\n");
        for (int i = 0; i < 3; ++i) {
            call(socket, true, "get a\r\n");
            call(socket, false, "VALUE a 0 30000\r\n" + std::string(16000, 'x'));
            call(socket, false, std::string(8000, 'x'));
            call(socket, false, std::string(6000, 'x') + "\r\nEND\r\n");
            call(socket, true, "incr b 1\r\n");
            call(socket, false, "4\r\n");
        }
        EXPECT_EQ(spans(), asks_several ? 15u : 7u);
    }
    for (const spans::Span& span : host_.batch()) EXPECT_EQ(span.incomplete, spans::Incomplete::No) << span.name;
}

// What comes before anybody has looked at the connection is copied.
TEST_F(PairingTest, AListOfRedisIsReadFromTheFirstBytesOn) {
    Socket& socket = open({.role = WG_ROLE_CLIENT});
    const std::string ping = "*1\r\n$4\r\nPING\r\n";
    std::string list = "*900\r\n";
    for (int i = 0; i < 900; ++i) list += "$3\r\nabc\r\n";
    call(socket, true, ping + ping);
    call(socket, false, "+PONG\r\n+PONG\r\n");
    for (int i = 0; i < 3; ++i) {
        call(socket, true, "*4\r\n$6\r\nLRANGE\r\n$1\r\na\r\n$1\r\n0\r\n$2\r\n-1\r\n");
        call(socket, false, std::string_view(list).substr(0, 4096));
        call(socket, false, std::string_view(list).substr(4096));
        call(socket, true, ping);
        call(socket, false, "+PONG\r\n");
        pass(5'000'000);
    }
    ASSERT_EQ(spans(), 8u);
    for (const spans::Span& span : host_.batch()) EXPECT_EQ(span.incomplete, spans::Incomplete::No) << span.name;
}

TEST_F(PairingTest, AnUploadThatIsReadBeforeItsAnswerNeedsNoMore) {
    Socket& socket = open();
    for (int i = 0; i < 3; ++i) {
        call(socket, true, upload(i));
        in_pieces(socket, trap(kBody));
        call(socket, false, kOk);
        pass(5'000'000);
    }
    call(socket, true, upload(3));
    const std::uint64_t records = host_.records();
    in_pieces(socket, trap(kBody));
    EXPECT_LT(host_.records() - records, kBody / 8000);  // it is not copied call by call
    call(socket, false, kOk);
    EXPECT_EQ(spans(), 4u);
    EXPECT_EQ(holes(), 0u);
}

}  // namespace
}  // namespace waggle::protocols::testing
