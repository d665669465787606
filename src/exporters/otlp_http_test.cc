// SPDX-License-Identifier: Apache-2.0
// The OTLP/HTTP exporter against servers on this host that behave and that do not.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdlib>
#include <thread>

#include "base/fd.h"
#include "exporters/otlp.h"
#include "http/gzip.h"
#include "http/server.h"
#include "metrics/test_spans.h"

namespace waggle::exporters {
namespace {

using namespace std::chrono_literals;

class OtlpHttp : public testing::Test {
  protected:
    void SetUp() override {
        for (const char* name : {"http_proxy", "https_proxy", "all_proxy", "ALL_PROXY"}) ::unsetenv(name);
        spans::add_server_span(batch_, spans::test_resource());
        auto server = http::Server::listen({.address = "127.0.0.1", .max_request_bytes = 1 << 20});
        ASSERT_TRUE(server);
        server_ = std::make_unique<http::Server>(std::move(*server));
        server_->handle(
            "/v1/traces",
            [this](const http::Request& request) {
                last_ = request;
                return answer_;
            },
            "POST");
        server_->start();
    }
    config::OtlpConfig target() const {
        config::OtlpConfig out;
        out.endpoint = "http://127.0.0.1:" + std::to_string(server_->port()) + "/v1/traces";
        out.timeout = 10s;
        return out;
    }
    Outcome send(const config::OtlpConfig& target) {
        return (*make_otlp_http_protobuf({.target = target}))->spans(batch_);
    }

    spans::SpanBatch batch_;
    http::Request last_;
    http::Response answer_;
    std::unique_ptr<http::Server> server_;
};

TEST_F(OtlpHttp, PostsProtobuf) {
    config::OtlpConfig to = target();
    to.headers = {{"X-Key", "secret"}};
    EXPECT_EQ(send(to).kind, Outcome::Kind::Accepted);
    EXPECT_EQ(http::find_header(last_.headers, "content-type"), "application/x-protobuf");
    EXPECT_EQ(http::find_header(last_.headers, "x-key"), "secret");
    EXPECT_EQ(last_.body[0], '\x0a');
}

TEST_F(OtlpHttp, PostsJsonAndGzip) {
    config::OtlpConfig to = target();
    to.gzip = true;
    auto exporter = *make_otlp_http_json({.target = to});
    EXPECT_EQ(exporter->spans(batch_).kind, Outcome::Kind::Accepted);
    EXPECT_EQ(http::find_header(last_.headers, "content-type"), "application/json");
    EXPECT_EQ(http::find_header(last_.headers, "content-encoding"), "gzip");
    EXPECT_TRUE(http::gunzip(last_.body, 1 << 20)->starts_with(R"({"resourceSpans":[)"));
}

TEST_F(OtlpHttp, StatusDecides) {
    const std::pair<int, Outcome::Kind> kCases[] = {
        {200, Outcome::Kind::Accepted},  {202, Outcome::Kind::Accepted},  {400, Outcome::Kind::Permanent},
        {401, Outcome::Kind::Permanent}, {404, Outcome::Kind::Permanent}, {302, Outcome::Kind::Permanent},
        {500, Outcome::Kind::Permanent}, {429, Outcome::Kind::Retry},     {502, Outcome::Kind::Retry},
        {503, Outcome::Kind::Retry},     {504, Outcome::Kind::Retry},
    };
    auto exporter = *make_otlp_http_protobuf({.target = target()});
    for (const auto& [status, kind] : kCases) {
        answer_ = {.status = status};
        EXPECT_EQ(exporter->spans(batch_).kind, kind) << status;
    }
}

TEST_F(OtlpHttp, RetryAfterIsHeeded) {
    answer_ = {.status = 429, .headers = {{"Retry-After", "7"}}};
    EXPECT_EQ(send(target()).after, 7s);
    answer_ = {.status = 503, .headers = {{"Retry-After", "rubbish"}}};
    EXPECT_EQ(send(target()).after, std::nullopt);
}

TEST_F(OtlpHttp, PartialSuccessIsRead) {
    answer_ = {.content_type = "application/json",
               .body = R"({"partialSuccess":{"rejectedSpans":"1","errorMessage":"old"}})"};
    const Outcome outcome = (*make_otlp_http_json({.target = target()}))->spans(batch_);
    EXPECT_EQ(outcome.rejected, 1u);
    EXPECT_EQ(outcome.message, "old");
}

TEST_F(OtlpHttp, RubbishBodyOfASuccessIsIgnored) {
    answer_ = {.body = std::string(1000, '\xff')};
    EXPECT_EQ(send(target()).kind, Outcome::Kind::Accepted);
}

TEST_F(OtlpHttp, DeadServerIsRetried) {
    const config::OtlpConfig to = target();
    server_->stop();
    const Outcome outcome = send(to);
    EXPECT_EQ(outcome.kind, Outcome::Kind::Retry);
    EXPECT_NE(outcome.message.find("127.0.0.1"), std::string::npos);
}

TEST_F(OtlpHttp, MessagesHoldNoSecret) {
    config::OtlpConfig to = target();
    answer_.status = 401;
    const std::string address = to.endpoint.substr(7);
    to.endpoint = "http://user:sesame@" + address + "?key=sesame";
    to.headers = {{"X-Key", "sesame"}};
    const std::string refused = send(to).message;
    EXPECT_EQ(refused, "http://***@" + address + "?***: HTTP status 401");
    server_->stop();
    const std::string dead = send(to).message;
    EXPECT_TRUE(dead.starts_with("http://***@" + address + "?***: ")) << dead;
    EXPECT_EQ(dead.find("sesame"), std::string::npos) << dead;
}

TEST_F(OtlpHttp, BadUrlIsPermanent) {
    config::OtlpConfig to;
    to.endpoint = "http://[::bad";
    EXPECT_EQ(send(to).kind, Outcome::Kind::Permanent);
}

// Answers the text to every connection, or nothing at all.
class RawServer {
  public:
    explicit RawServer(std::string answer) : answer_(std::move(answer)) {
        sockaddr_in at{.sin_family = AF_INET};
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof at;
        ::bind(listener_.get(), reinterpret_cast<sockaddr*>(&at), size);
        ::listen(listener_.get(), 8);
        ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&at), &size);
        port_ = ntohs(at.sin_port);
        thread_ = std::thread([this] { run(); });
    }
    ~RawServer() {
        ::shutdown(listener_.get(), SHUT_RDWR);
        thread_.join();
    }
    std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/"; }

  private:
    void run() {
        for (;;) {
            Fd fd(::accept(listener_.get(), nullptr, nullptr));
            if (!fd.is_open()) return;
            char buffer[64 * 1024];
            ::recv(fd.get(), buffer, sizeof buffer, 0);
            if (answer_.empty()) {
                held_.push_back(std::move(fd));  // silence
            } else {
                ::send(fd.get(), answer_.data(), answer_.size(), MSG_NOSIGNAL);
            }
        }
    }
    std::string answer_;
    Fd listener_{::socket(AF_INET, SOCK_STREAM, 0)};
    std::uint16_t port_ = 0;
    std::vector<Fd> held_;
    std::thread thread_;
};

TEST_F(OtlpHttp, SlowServerTimesOut) {
    const RawServer server("");
    config::OtlpConfig to;
    to.endpoint = server.url();
    to.timeout = 30ms;
    EXPECT_EQ(send(to).kind, Outcome::Kind::Retry);
}

TEST_F(OtlpHttp, RubbishIsRetried) {
    for (const std::string answer :
         {"rubbish\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ncut", "\0\0\0\0"}) {
        const RawServer server(answer.empty() ? std::string(4, '\0') : answer);
        config::OtlpConfig to;
        to.endpoint = server.url();
        to.timeout = 10s;
        EXPECT_EQ(send(to).kind, Outcome::Kind::Retry) << answer;
    }
}

}  // namespace
}  // namespace waggle::exporters
