// SPDX-License-Identifier: Apache-2.0
#include "agent/mask.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <string_view>

#include "protocols/testing/talk.h"

namespace waggle::agent {
namespace {

// Feeds a direction's bytes as events, cut into pieces, and gives back what the file would hold.
class Talk {
  public:
    explicit Talk(wg_direction direction = WG_RECEIVE) : direction_(direction) {}

    std::string say(std::string text, bool is_turn_start = true, std::size_t piece = std::string::npos) {
        std::string out;
        while (!text.empty()) {
            std::string part = text.substr(0, piece);
            text.erase(0, part.size());
            wg_data_event event{};
            event.connection = 7;
            event.position = position_;
            event.size = event.captured = static_cast<std::uint32_t>(part.size());
            event.direction = direction_;
            event.flags = is_turn_start ? WG_DATA_TURN_START : 0;
            is_turn_start = false;
            position_ += part.size();
            mask_.data(event, std::span(part));
            out += part;
        }
        return out;
    }
    void miss(std::size_t bytes) { position_ += bytes; }

  private:
    PayloadMask mask_;
    wg_direction direction_;
    std::uint64_t position_ = 1000;
};

constexpr std::string_view kHead =
    "POST /cart/42?token=s3cret&name=Ann HTTP/1.1\r\nHost: shop:80\r\nAuthorization: Bearer "
    "s3cret\r\n"
    "Content-Length: 11\r\n\r\n";
constexpr std::string_view kMaskedHead =
    "POST /cart/42?token=xxxxxx&name=xxx HTTP/1.1\r\nHost: shop:80\r\nAuthorization: xxxxxx "
    "xxxxxx\r\n"
    "Content-Length: 11\r\n\r\n";

TEST(PayloadMask, KeepsWhatParsersNeedAndHidesTheRest) {
    Talk talk;
    EXPECT_EQ(talk.say(std::string(kHead) + "{\"a\": \"bc\"}"), std::string(kMaskedHead) + "{\"x\": \"xx\"}");
}

TEST(PayloadMask, GivesTheSameHoweverTheBytesAreCut) {
    const std::string head = "POST /cart/42 HTTP/1.1\r\nHost: shop:80\r\nX-Key: s3cret\r\nContent-Length: 11\r\n\r\n";
    const std::string masked_head =
        "POST /cart/42 HTTP/1.1\r\nHost: shop:80\r\nX-Key: xxxxxx\r\nContent-Length: 11\r\n\r\n";
    const std::string text = head + "hello world" + head + "hello world";
    const std::string masked = masked_head + "xxxxx xxxxx" + masked_head + "xxxxx xxxxx";
    for (std::size_t piece = 1; piece <= text.size(); ++piece) {
        Talk talk;
        ASSERT_EQ(talk.say(text, true, piece), masked) << "pieces of " << piece;
    }
}

// A parameter that is cut off may be a name or the secret itself.
TEST(PayloadMask, HidesHalfAParameter) {
    Talk talk;
    EXPECT_EQ(talk.say("GET /a?name=b&s3c"), "GET /a?name=x&xxx");
    EXPECT_EQ(talk.say("ret=d&e=f HTTP/1.1\r\n\r\n", false), "ret=x&e=x HTTP/1.1\r\n\r\n");
}

TEST(PayloadMask, FollowsChunks) {
    const std::string text =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1a;key=val\r\nGET /secret "
        "HTTP/1.1\r\n....\r\n2\r\nab\r\n0\r\n"
        "X-Sum: abc\r\n\r\nHTTP/1.1 204 No Content\r\nSet-Cookie: id=1\r\n\r\n";
    const std::string masked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1a;xxx=xxx\r\nxxx /xxxxxx "
        "xxxx/x.x\r\n....\r\n2\r\nxx\r\n0\r\n"
        "X-Sum: xxx\r\n\r\nHTTP/1.1 204 No Content\r\nSet-Cookie: xx=x\r\n\r\n";
    for (std::size_t piece = 1; piece <= text.size(); ++piece) {
        Talk talk(WG_SEND);
        ASSERT_EQ(talk.say(text, true, piece), masked) << "pieces of " << piece;
    }
}

TEST(PayloadMask, KnowsABodysEndAcrossBytesThatWereNotCaptured) {
    Talk talk;
    talk.say("POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\nabc");
    talk.miss(97);
    EXPECT_EQ(talk.say("GET /x HTTP/1.1\r\n\r\n", false), "GET /x HTTP/1.1\r\n\r\n");
}

TEST(PayloadMask, AResponseToHeadHasNoBody) {
    Talk talk(WG_SEND);
    const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n";
    EXPECT_EQ(talk.say(head), head);
    EXPECT_EQ(talk.say(head), head);
}

TEST(PayloadMask, HidesWhatIsNoHttp) {
    for (const char* text : {"AUTH s3cret\r\n", "+OK s3cret\r\n", "PASSWORD", "\x01\x02s3cret GET / HTTP/1.1"}) {
        Talk talk;
        const std::string masked = talk.say(text);
        EXPECT_EQ(masked.find("s3cret"), std::string::npos) << text;
        EXPECT_EQ(masked.find("PASS"), std::string::npos) << text;
    }
}

TEST(PayloadMask, OfOtherProtocolsNothingStays) {
    using protocols::testing::read_talk;
    std::size_t talks = 0;
    for (const auto& path : protocols::testing::talks()) {
        if (path.parent_path().parent_path().filename() == "http1" || path.filename() == "h2c.talk") continue;
        ++talks;
        PayloadMask mask;
        std::uint64_t position[2] = {1000, 1000};
        bool is_first[2] = {true, true};
        for (const protocols::testing::TalkStep& step : read_talk(path).steps) {
            if (step.text == "switched") break;
            if (step.what != '>' && step.what != '<') continue;
            std::string text = step.text;
            wg_data_event event{};
            event.position = position[step.is_client];
            event.size = event.captured = static_cast<std::uint32_t>(text.size());
            event.direction = step.is_client ? WG_RECEIVE : WG_SEND;
            event.flags = WG_DATA_TURN_START;
            position[step.is_client] += text.size();
            mask.data(event, std::span(text));
            // A first line that HTTP could begin with ends as one.
            const bool is_http2 = is_first[step.is_client] && step.text.starts_with("PRI * HTTP/2.0\r\n");
            is_first[step.is_client] = false;
            if (is_http2) continue;
            EXPECT_EQ(text, std::string(text.size(), 'x')) << path;
        }
    }
    EXPECT_GT(talks, 50u);
}

TEST(PayloadMask, HidesUsersInAbsoluteTargets) {
    Talk talk;
    EXPECT_EQ(talk.say("GET http://ann:pw@host/a?s3cret HTTP/1.1\r\n\r\n"),
              "GET http://xxx:xx@host/a?xxxxxx HTTP/1.1\r\n\r\n");
}

TEST(PayloadMask, OfATailOnlyTheLastChunkStays) {
    std::uint8_t last[8];
    std::memcpy(last, "a\r\n0\r\n\r\n", 8);
    PayloadMask::tail(last);
    EXPECT_EQ(std::memcmp(last, "x\r\n0\r\n\r\n", 8), 0);
    std::uint8_t body[8];
    std::memcpy(body, "s3cret!\n", 8);
    PayloadMask::tail(body);
    EXPECT_EQ(std::memcmp(body, "xxxxxx!\n", 8), 0);
}

TEST(PayloadMask, HidesTheNamesOfDatagrams) {
    using namespace std::string_literals;
    const std::string head = "\x12\x34\x01\0\0\1\0\0\0\0\0\0"s;
    const auto masked = [&](std::string rest) {
        std::string bytes = head + rest;
        PayloadMask::datagram(std::span(bytes));
        EXPECT_EQ(bytes.substr(0, head.size()), head);
        return bytes.substr(head.size());
    };
    EXPECT_EQ(masked("\4shop\7example\0\0\1\0\1"s), "\4xxxx\7xxxxxxx\0\0\1\0\1"s);
    EXPECT_EQ(masked("\4shop\0\0\1\0\1\xc0\x0c\0\1"s), "\4xxxx\0\0\1\0\1xxxx"s);
    EXPECT_EQ(masked("\4shop\7exam"s), "\4xxxx\7xxxx"s);
    EXPECT_EQ(masked("no name, as it seems"s), "nxxxxxxxxxxxxxxxxxxx"s);
    EXPECT_EQ(masked(""s), ""s);
}

}  // namespace
}  // namespace waggle::agent
