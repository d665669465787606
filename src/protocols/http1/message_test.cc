// SPDX-License-Identifier: Apache-2.0
#include "protocols/http1/message.h"

#include <gtest/gtest.h>

#include "protocols/http/target.h"
#include "protocols/http1/describe.h"

namespace waggle::protocols::http1 {
namespace {

RequestHead request(std::string_view text, bool is_final = false) {
    RequestHead head;
    const auto size = parse_request(text, is_final, head);
    EXPECT_TRUE(size) << text;
    return head;
}

std::optional<Stop> request_stop(std::string_view text, bool is_final = false) {
    RequestHead head;
    const auto size = parse_request(text, is_final, head);
    return size ? std::nullopt : std::optional(size.error());
}

TEST(Http1Request, ReadsTheFieldsItNeeds) {
    const RequestHead head = request(
        "PUT /a?b HTTP/1.0\r\nHOST:  shop:80 \r\nUser-agent: x y\r\ncontent-LENGTH: 12\r\n"
        "Connection: foo, Close\r\ntraceparent: t\r\ntracestate: s\r\n\r\nbody");
    EXPECT_EQ(head.at(head.method), "PUT");
    EXPECT_EQ(head.at(head.target), "/a?b");
    EXPECT_EQ(head.minor, 0);
    EXPECT_EQ(head.at(head.host), "shop:80");
    EXPECT_EQ(head.at(head.user_agent), "x y");
    EXPECT_EQ(head.at(head.traceparent), "t");
    EXPECT_EQ(head.at(head.tracestate), "s");
    EXPECT_TRUE(head.has_length && head.closes && !head.is_chunked && !head.is_cut);
    EXPECT_EQ(head.length, 12u);
}

TEST(Http1Request, RefusesWhatIsNone) {
    for (const std::string_view text :
         {"GET /\r\n\r\n", "GET  HTTP/1.1\r\n\r\n", "GET / HTTP/2.0\r\n\r\n", "GET / HTTP/1.2\r\n\r\n",
          "{\"a\": 1}\r\n", "\x16\x03\x01\x02", "(GET) / HTTP/1.1\r\n\r\n", "1 /x HTTP/1.1\r\n\r\n",
          "GET a b HTTP/1.1\r\n\r\n", "AMETHODTHATISLONGERTHANANYBODYHASSEEN / HTTP/1.1\r\n\r\n",
          "PRI * HTTP/2.0\r\n\r\n"})
        EXPECT_EQ(request_stop(text), Stop::Invalid) << text;
}

TEST(Http1Request, WaitsForTheRestOfItsHead) {
    const std::string_view text = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";
    for (std::size_t size = 0; size < text.size(); ++size)
        EXPECT_EQ(request_stop(text.substr(0, size)), Stop::NeedMore) << size;
    EXPECT_EQ(request_stop("GET /x HT", true), Stop::Invalid);
}

// However much of it is here.
TEST(Http1Request, HasNoZeroByteInItsFirstLine) {
    const std::string_view text("GET /a\0b HTTP/1.1\r\nHost: x\r\n\r\n", 30);
    for (std::size_t size = 7; size <= text.size(); ++size)
        EXPECT_EQ(request_stop(text.substr(0, size)), Stop::Invalid) << size;
}

TEST(Http1Request, IsCutWhereCaptureEnds) {
    const RequestHead head = request("GET /x HTTP/1.1\r\nHost: a\r\nUser-Agent: half of i", true);
    EXPECT_TRUE(head.is_cut);
    EXPECT_EQ(head.at(head.host), "a");
    EXPECT_TRUE(head.user_agent.is_empty());
    const RequestHead line = request("GET /" + std::string(kMaxHead, 'x'));
    EXPECT_TRUE(line.is_cut);
    EXPECT_EQ(line.at(line.target).size(), kMaxHead + 1);
}

TEST(Http1Request, TakesLengthsThatAreNumbers) {
    const auto length = [](std::string_view value) {
        const RequestHead head = request("PUT / HTTP/1.1\r\nContent-Length: " + std::string(value) + "\r\n\r\n");
        return head.has_length ? std::optional(head.length) : std::nullopt;
    };
    EXPECT_EQ(length("0"), 0u);
    EXPECT_EQ(length("5, 5"), 5u);
    EXPECT_EQ(length("5 , 5"), 5u);
    for (const std::string_view bad : {"", "-1", "+1", "1x", "0x10", "18446744073709551615", "99999999999999999999"})
        EXPECT_EQ(length(bad), std::nullopt) << bad;
}

TEST(Http1Response, ReadsStatusAndFraming) {
    ResponseHead head;
    const std::string_view text = "HTTP/1.1 204 \r\nTransfer-Encoding: gzip , Chunked\r\n\r\n";
    ASSERT_EQ(parse_response(text, false, head), text.size());
    EXPECT_EQ(head.status, 204);
    EXPECT_TRUE(head.is_chunked);
    ASSERT_TRUE(parse_response("HTTP/1.0 200\r\n\r\n", false, head));
    EXPECT_EQ(head.minor, 0);
    EXPECT_FALSE(head.is_chunked);
}

TEST(Http1Response, RefusesWhatIsNone) {
    ResponseHead head;
    for (const std::string_view text : {"HTTP/2 200 OK\r\n\r\n", "HTTP/1.1 20x OK\r\n\r\n", "HTTP/1.1 099 OK\r\n\r\n",
                                        "HTTP/1.1  200 OK\r\n", "HTTP/1.2 200 OK\r\n\r\n", "ICY 200 OK\r\n"})
        EXPECT_EQ(parse_response(text, false, head), std::unexpected(Stop::Invalid)) << text;
    EXPECT_EQ(parse_response("HTTP/1.1 2", false, head), std::unexpected(Stop::NeedMore));
    EXPECT_EQ(parse_response("HTTP/1.1 2", true, head), std::unexpected(Stop::Invalid));
}

TEST(Http1Chunk, ReadsSizeLines) {
    struct Row {
        std::string_view text;
        Parsed<std::uint64_t> size;
    };
    const std::unexpected<Stop> invalid(Stop::Invalid);
    const std::unexpected<Stop> more(Stop::NeedMore);
    for (const Row& row : {Row{"0\r\n", 0},
                           {"1aF\r\n", 0x1af},
                           {"5;x=\"y\"\r\n", 5},
                           {"5 \n", 5},
                           {"5", more},
                           {"5\r", more},
                           {"\r\n", invalid},
                           {"-1\r\n", invalid},
                           {"x\r\n", invalid},
                           {"fffffffffffffffff\r\n", invalid}}) {
        std::size_t consumed = 0;
        EXPECT_EQ(parse_chunk_size(row.text, consumed), row.size) << row.text;
    }
    std::size_t consumed = 0;
    EXPECT_EQ(parse_chunk_size(std::string(300, '1'), consumed), invalid);
}

TEST(Http1Sniff, KnowsMessagesFromOtherText) {
    EXPECT_EQ(sniff("GET / HTTP/1.1\r\n", Side::Request), Sniff::Yes);
    EXPECT_EQ(sniff("BREW /pot HTTP/1.0\r\n", Side::Request), Sniff::Yes);
    EXPECT_EQ(sniff("GET /" + std::string(2000, 'a'), Side::Request), Sniff::Yes);
    EXPECT_EQ(sniff("GE", Side::Request), Sniff::NeedMore);
    EXPECT_EQ(sniff("GET key\r\n", Side::Request), Sniff::No);
    EXPECT_EQ(sniff("EHLO mail.example\r\n", Side::Request), Sniff::No);
    EXPECT_EQ(sniff("*1\r\n$4\r\nPING\r\n", Side::Request), Sniff::No);
    EXPECT_EQ(sniff("HTTP/1.1 2", Side::Response), Sniff::Yes);
    EXPECT_EQ(sniff("HTTP", Side::Response), Sniff::NeedMore);
    EXPECT_EQ(sniff("HTTP/2", Side::Response), Sniff::No);
}

TEST(Http1Target, SplitsEveryForm) {
    struct Row {
        std::string_view text, method, host, path, query;
    };
    for (const Row& row : {Row{"/a?b#c", "GET", "", "/a", "b"},
                           {"*", "OPTIONS", "", "*", ""},
                           {"http://h:1/p?q", "GET", "h:1", "/p", "q"},
                           {"http://h", "GET", "h", "/", ""},
                           {"http://h?q", "GET", "h", "/", "q"},
                           {"h:443", "CONNECT", "h:443", "", ""},
                           {"/x?u=http://y/", "GET", "", "/x", "u=http://y/"},
                           {"?q", "GET", "", "/", "q"}}) {
        const http::Target target = http::parse_target(row.text, row.method);
        EXPECT_EQ(target.host, row.host) << row.text;
        EXPECT_EQ(target.path, row.path) << row.text;
        EXPECT_EQ(target.query, row.query) << row.text;
    }
}

TEST(Http1Query, MasksSecretsAndKeepsTheRest) {
    Arena arena;
    const auto redacted = [&](std::string_view query) { return http::redact_query(query, {"pin"}, arena); };
    EXPECT_EQ(redacted("a=1&b=2"), "a=1&b=2");
    EXPECT_EQ(redacted("PIN=1&a=2&client_secret=x=y"), "PIN=REDACTED&a=2&client_secret=REDACTED");
    EXPECT_EQ(redacted("token=&sig&&api_key=1&"), "token=&sig&&api_key=REDACTED&");
    EXPECT_EQ(redacted("pint=1&xtoken=2"), "pint=1&xtoken=2");
}

}  // namespace
}  // namespace waggle::protocols::http1
