// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <cstdlib>
#include <thread>

#include "base/fd.h"
#include "http/client.h"
#include "http/gzip.h"
#include "http/retry_after.h"
#include "http/server.h"

namespace waggle::http {
namespace {

using namespace std::chrono_literals;

class Http : public testing::Test {
  protected:
    void SetUp() override {
        for (const char* name : {"http_proxy", "https_proxy", "all_proxy", "ALL_PROXY"}) ::unsetenv(name);
    }

    Server& serve(ServerOptions options = {}) {
        options.address = "127.0.0.1";
        server_ = std::make_unique<Server>(std::move(*Server::listen(options)));
        server_->handle("/hello", [](const Request& r) { return Response{.body = "hi " + r.query}; });
        server_->handle("/echo", [](const Request& r) { return Response{.body = r.body}; }, "POST");
        server_->handle("/moved",
                        [](const Request&) { return Response{.status = 302, .headers = {{"Location", "/hello"}}}; });
        server_->start();
        return *server_;
    }
    std::string url(std::string_view path) const {
        return "http://127.0.0.1:" + std::to_string(server_->port()) + std::string(path);
    }
    Fd connect() const {
        Fd fd(::socket(AF_INET, SOCK_STREAM, 0));
        sockaddr_in to{.sin_family = AF_INET, .sin_port = htons(server_->port())};
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
        return fd;
    }
    // Sends the text and reads until the server closes.
    std::string talk(std::string_view text) const {
        const Fd fd = connect();
        ::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL);
        return read_all(fd);
    }
    static std::string read_all(const Fd& fd) {
        std::string out;
        char buffer[4096];
        for (ssize_t n = 0; (n = ::recv(fd.get(), buffer, sizeof buffer, 0)) > 0;)
            out.append(buffer, static_cast<std::size_t>(n));
        return out;
    }

    std::unique_ptr<Server> server_;
};

TEST_F(Http, ServerAnswersTheClient) {
    serve();
    Client client = std::move(*Client::create({}));
    for (int i = 0; i < 3; ++i) {
        const auto response = client.send({.method = "GET", .url = url("/hello?you")});
        ASSERT_TRUE(response) << response.error().message;
        EXPECT_EQ(response->status, 200);
        EXPECT_EQ(response->body, "hi you");
        EXPECT_EQ(find_header(response->headers, "CONTENT-LENGTH"), "6");
    }
    const std::string body(50'000, 'b');
    const auto echo = client.send({.url = url("/echo"), .body = body});
    ASSERT_TRUE(echo) << echo.error().message;
    EXPECT_EQ(echo->body, body);
    EXPECT_EQ(client.send({.method = "GET", .url = url("/none")})->status, 404);
    EXPECT_EQ(client.send({.url = url("/hello")})->status, 405);
}

TEST_F(Http, ClientDoesNotFollowRedirects) {
    serve();
    Client client = std::move(*Client::create({}));
    EXPECT_EQ(client.send({.method = "GET", .url = url("/moved")})->status, 302);
}

TEST_F(Http, ClientRefusesLargeResponsesAndHeadersWithLineBreaks) {
    serve();
    Client client = std::move(*Client::create({.max_response_bytes = 100}));
    const std::string body(101, 'b');
    EXPECT_FALSE(client.send({.url = url("/echo"), .body = body}));
    EXPECT_FALSE(client.send({.url = url("/echo"), .headers = {{"a", "b\r\nc: d"}}}));
    EXPECT_FALSE(client.send({.url = "ftp://127.0.0.1/"}));
}

TEST_F(Http, CancelEndsACallThatWaits) {
    const Fd listener(::socket(AF_INET, SOCK_STREAM, 0));  // takes connections, never answers
    sockaddr_in at{.sin_family = AF_INET};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&at), size), 0);
    ASSERT_EQ(::listen(listener.get(), 1), 0);
    ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&at), &size);
    Client client = std::move(*Client::create({.timeout = 60s}));
    std::jthread canceller([&] {
        const Fd accepted(::accept(listener.get(), nullptr, nullptr));
        char byte = 0;
        ::recv(accepted.get(), &byte, 1, 0);  // the call is under way
        client.cancel();
        ::recv(accepted.get(), &byte, 1, MSG_PEEK);
    });
    const auto began = std::chrono::steady_clock::now();
    const auto response = client.send({.url = "http://127.0.0.1:" + std::to_string(ntohs(at.sin_port)) + "/"});
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().code, ECANCELED);
    EXPECT_LT(std::chrono::steady_clock::now() - began, 30s);
}

TEST_F(Http, ServerAnswersPipelinedRequestsInOrder) {
    serve();
    const std::string out = talk(
        "GET /hello?1 HTTP/1.1\r\nHost: x\r\n\r\n"
        "GET /hello?2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    const std::size_t first = out.find("hi 1");
    ASSERT_NE(first, std::string::npos);
    EXPECT_GT(out.find("hi 2"), first);
}

TEST_F(Http, HeadHasNoBody) {
    serve();
    const std::string out = talk("HEAD /hello HTTP/1.0\r\n\r\n");
    EXPECT_NE(out.find("Content-Length: 3\r\n"), std::string::npos);
    EXPECT_TRUE(out.ends_with("\r\n\r\n"));
}

TEST_F(Http, ServerRefusesRubbish) {
    serve({.max_request_bytes = 2000});
    const std::pair<std::string, std::string> kCases[] = {
        {"GET\r\n\r\n", "400"},
        {"GET /hello HTTP/2.0\r\n\r\n", "505"},
        {"GET /hello HTTP/1.1\r\nno colon\r\n\r\n", "400"},
        {"GET /hello HTTP/1.1\r\nspace : x\r\n\r\n", "400"},
        {"GET /hello HTTP/1.1\r\nContent-Length: x\r\n\r\n", "400"},
        {"POST /echo HTTP/1.1\r\nContent-Length: 99999\r\n\r\n", "413"},
        {"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "411"},
        {"GET /" + std::string(3000, 'a'), "413"},
    };
    for (const auto& [text, status] : kCases)
        EXPECT_EQ(talk(text).substr(0, 12), "HTTP/1.1 " + status) << text.substr(0, 60);
}

TEST_F(Http, SlowRequestIsCutOff) {
    serve({.timeout = 50ms});
    EXPECT_EQ(talk("GET /hel"), "");
}

// A byte now and then does not buy time.
TEST_F(Http, DribbledRequestIsCutOff) {
    serve({.timeout = 100ms});
    const Fd fd = connect();
    const auto end = std::chrono::steady_clock::now() + 30s;
    char byte = 0;
    ssize_t got = -1;
    while (got < 0 && std::chrono::steady_clock::now() < end) {
        ::send(fd.get(), "G", 1, MSG_NOSIGNAL);
        got = ::recv(fd.get(), &byte, 1, MSG_DONTWAIT);
        if (got < 0 && errno == ECONNRESET) got = 0;
    }
    EXPECT_EQ(got, 0);
}

// Nor does taking a large answer in small pieces: the socket is writable again each time.
TEST_F(Http, DribbledAnswerIsCutOff) {
    Server& server = serve({.timeout = 200ms});
    server.stop();
    server_ = std::make_unique<Server>(std::move(*Server::listen({.address = "127.0.0.1", .timeout = 200ms})));
    constexpr std::size_t kLarge = 64u << 20;
    server_->handle("/large", [](const Request&) { return Response{.body = std::string(kLarge, 'x')}; });
    server_->start();
    const Fd fd = connect();
    ::send(fd.get(), "GET /large HTTP/1.1\r\n\r\n", 23, MSG_NOSIGNAL);
    std::vector<char> piece(32 * 1024);
    std::size_t taken = 0;
    for (ssize_t n = 0; (n = ::recv(fd.get(), piece.data(), piece.size(), 0)) > 0; taken += static_cast<std::size_t>(n))
        std::this_thread::sleep_for(2ms);
    EXPECT_LT(taken, kLarge);
}

TEST_F(Http, LongHeadsAndManyHeadersAreRefused) {
    serve();
    std::string many = "GET /hello HTTP/1.1\r\n";
    for (int i = 0; i < 101; ++i) many += "a: b\r\n";
    EXPECT_EQ(talk(many + "\r\n").substr(0, 12), "HTTP/1.1 400");
    EXPECT_EQ(talk("GET /hello HTTP/1.1\r\na: " + std::string(64 * 1024, 'x')).substr(0, 12), "HTTP/1.1 413");
}

TEST_F(Http, ManyConnectionsAreBounded) {
    serve({.max_connections = 8});
    std::vector<Fd> held;
    for (int i = 0; i < 200; ++i) held.push_back(connect());
    Client client = std::move(*Client::create({}));
    EXPECT_EQ(client.send({.method = "GET", .url = url("/hello")})->status, 200);
    // All but seven of them were closed.
    for (int i = 0; i < 193; ++i) EXPECT_EQ(read_all(held[static_cast<std::size_t>(i)]), "");
}

// Without descriptors who waited longest makes room.
TEST_F(Http, ServesAgainWithoutDescriptors) {
    serve({.timeout = 10min});
    rlimit before{};
    ::getrlimit(RLIMIT_NOFILE, &before);
    const Fd caller(::socket(AF_INET, SOCK_STREAM, 0));
    const Fd idle = connect();
    char byte = 0;
    ::send(idle.get(), "GET /hello HTTP/1.1\r\n\r\n", 23, MSG_NOSIGNAL);
    ASSERT_EQ(::recv(idle.get(), &byte, 1, 0), 1);  // it was accepted
    std::vector<Fd> fill;
    const rlimit low{256, before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
    for (int fd = 0; (fd = ::dup(0)) >= 0;) fill.emplace_back(fd);
    sockaddr_in to{.sin_family = AF_INET, .sin_port = htons(server_->port())};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(::connect(caller.get(), reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
    ::send(caller.get(), "GET /hello?a HTTP/1.1\r\nConnection: close\r\n\r\n", 45, MSG_NOSIGNAL);
    const timeval patience{.tv_sec = 30};
    ::setsockopt(caller.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    const std::string answer = read_all(caller);
    ::setrlimit(RLIMIT_NOFILE, &before);
    EXPECT_NE(answer.find("hi a"), std::string::npos);
}

TEST_F(Http, FullServerDropsTheOldestConnection) {
    serve({.max_connections = 2});
    const Fd first = connect();
    ::send(first.get(), "GET /h", 6, MSG_NOSIGNAL);
    const Fd second = connect();
    const Fd third = connect();
    EXPECT_EQ(read_all(first), "");  // closed
    Client client = std::move(*Client::create({}));
    EXPECT_EQ(client.send({.method = "GET", .url = url("/hello")})->status, 200);
}

TEST_F(Http, StopFreesThePort) {
    const std::uint16_t port = serve().port();
    server_->stop();
    EXPECT_TRUE(Server::listen({.address = "127.0.0.1", .port = port}));
}

TEST_F(Http, ListenErrorsSayWhere) {
    const auto bad = Server::listen({.address = "nowhere"});
    ASSERT_FALSE(bad);
    EXPECT_NE(bad.error().message.find("nowhere"), std::string::npos);
    const std::uint16_t port = serve().port();
    EXPECT_EQ(Server::listen({.address = "127.0.0.1", .port = port}).error().code, EADDRINUSE);
}

TEST(Gzip, RoundTrip) {
    const std::string text(100'000, 'x');
    const std::string packed = gzip(text);
    EXPECT_LT(packed.size(), 2000u);
    EXPECT_EQ(*gunzip(packed, 200'000), text);
    EXPECT_EQ(*gunzip(gzip(""), 10), "");
    EXPECT_FALSE(gunzip(packed, 99'999));
    EXPECT_FALSE(gunzip(packed.substr(0, packed.size() - 9), 200'000));
    EXPECT_FALSE(gunzip("rubbish", 100));
}

TEST(Gzip, AcceptEncoding) {
    EXPECT_TRUE(accepts_gzip("gzip"));
    EXPECT_TRUE(accepts_gzip("deflate, GZIP;q=0.5"));
    EXPECT_FALSE(accepts_gzip("gzip;q=0"));
    EXPECT_FALSE(accepts_gzip("identity"));
    EXPECT_FALSE(accepts_gzip(""));
}

TEST(RetryAfter, SecondsAndDates) {
    EXPECT_EQ(parse_retry_after("3", 0), 3s);
    EXPECT_EQ(parse_retry_after("999999999", 0), 24h);
    EXPECT_EQ(parse_retry_after("Thu, 01 Jan 1970 00:01:00 GMT", 50), 10s);
    EXPECT_EQ(parse_retry_after("Thu, 01 Jan 1970 00:01:00 GMT", 70), 0s);
    EXPECT_FALSE(parse_retry_after("soon", 0));
    EXPECT_FALSE(parse_retry_after("", 0));
    EXPECT_FALSE(parse_retry_after("-1", 0));
}

}  // namespace
}  // namespace waggle::http
