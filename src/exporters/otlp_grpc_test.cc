// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdlib>
#include <protozero/pbf_writer.hpp>

#include "base/base64.h"
#include "exporters/grpc.h"
#include "exporters/otlp.h"
#include "exporters/test_grpc_server.h"
#include "http/gzip.h"
#include "metrics/test_spans.h"

namespace waggle::exporters {
namespace {

using namespace std::chrono_literals;

class OtlpGrpc : public testing::Test {
  protected:
    void SetUp() override {
        for (const char* name : {"http_proxy", "https_proxy", "all_proxy", "ALL_PROXY"}) ::unsetenv(name);
        spans::add_server_span(batch_, spans::test_resource());
    }
    Outcome send(const TestGrpcServer& server, bool gzip = false) {
        config::OtlpConfig target;
        target.endpoint = server.url();
        target.gzip = gzip;
        return (*make_otlp_grpc({.target = target}))->spans(batch_);
    }
    spans::SpanBatch batch_;
};

std::string partial_success() {
    std::string data;
    {
        protozero::pbf_writer response(data);
        protozero::pbf_writer inner(response, 1);
        inner.add_int64(1, 1);
        inner.add_string(2, "old");
    }
    return data;
}

TEST_F(OtlpGrpc, SendsOneFramedMessage) {
    const TestGrpcServer server({.body = grpc_frame("", false), .trailers = {{"grpc-status", "0"}}});
    const Outcome outcome = send(server);
    EXPECT_EQ(outcome.kind, Outcome::Kind::Accepted) << outcome.message;
    const auto message = grpc_message(server.body());
    ASSERT_TRUE(message);
    EXPECT_EQ(message->at(0), '\x0a');
    EXPECT_EQ(server.body().size(), message->size() + 5);
}

TEST_F(OtlpGrpc, CompressesTheMessage) {
    const TestGrpcServer server({.body = grpc_frame("", false), .trailers = {{"grpc-status", "0"}}});
    EXPECT_EQ(send(server, true).kind, Outcome::Kind::Accepted);
    EXPECT_EQ(server.body()[0], 1);
    ASSERT_TRUE(grpc_message(server.body()));
    EXPECT_EQ(grpc_message(server.body())->at(0), '\x0a');
}

TEST_F(OtlpGrpc, OneExporterCallsAgain) {
    const TestGrpcServer server({.body = grpc_frame("", false), .trailers = {{"grpc-status", "0"}}});
    config::OtlpConfig target;
    target.endpoint = server.url() + "/ignored/path";
    auto exporter = *make_otlp_grpc({.target = target});
    for (int i = 0; i < 3; ++i) EXPECT_EQ(exporter->spans(batch_).kind, Outcome::Kind::Accepted);
}

TEST_F(OtlpGrpc, PartialSuccessIsRead) {
    const TestGrpcServer server({.body = grpc_frame(partial_success(), false), .trailers = {{"grpc-status", "0"}}});
    const Outcome outcome = send(server);
    EXPECT_EQ(outcome.rejected, 1u);
    EXPECT_EQ(outcome.message, "old");
}

TEST_F(OtlpGrpc, StatusWithoutBodyIsInTheHeaders) {
    const TestGrpcServer server(
        {.headers = {{"content-type", "application/grpc"}, {"grpc-status", "14"}, {"grpc-message", "try%20later"}}});
    const Outcome outcome = send(server);
    EXPECT_EQ(outcome.kind, Outcome::Kind::Retry);
    EXPECT_NE(outcome.message.find("14 try later"), std::string::npos) << outcome.message;
}

TEST_F(OtlpGrpc, BadRequestIsPermanent) {
    const TestGrpcServer server({.trailers = {{"grpc-status", "3"}}});
    EXPECT_EQ(send(server).kind, Outcome::Kind::Permanent);
}

TEST_F(OtlpGrpc, ProxyErrorsAreJudgedByHttpStatus) {
    const TestGrpcServer busy({.http_status = 503, .headers = {}});
    EXPECT_EQ(send(busy).kind, Outcome::Kind::Retry);
    const TestGrpcServer wrong({.http_status = 404, .headers = {}, .body = "<html>"});
    EXPECT_EQ(send(wrong).kind, Outcome::Kind::Permanent);
}

TEST_F(OtlpGrpc, AnswerThatIsCutShortIsRetried) {
    const TestGrpcServer in_headers({.is_cut_short = true});
    const Outcome headers_only = send(in_headers);
    EXPECT_EQ(headers_only.kind, Outcome::Kind::Retry) << headers_only.message;
    const TestGrpcServer in_body({.body = grpc_frame("", false), .is_cut_short = true});
    const Outcome no_trailers = send(in_body);
    EXPECT_EQ(no_trailers.kind, Outcome::Kind::Retry) << no_trailers.message;
    // All ended well but for the status: what a stopping Collector sends.
    const TestGrpcServer without_status({.body = grpc_frame("", false)});
    EXPECT_EQ(send(without_status).kind, Outcome::Kind::Retry);
    // No gRPC speaks here: to ask again would not help.
    const TestGrpcServer web({.headers = {{"content-type", "text/html"}}, .body = "<html>"});
    EXPECT_EQ(send(web).kind, Outcome::Kind::Permanent);
}

TEST_F(OtlpGrpc, DeadServerIsRetried) {
    config::OtlpConfig target;
    target.endpoint = "http://127.0.0.1:1";
    EXPECT_EQ((*make_otlp_grpc({.target = target}))->spans(batch_).kind, Outcome::Kind::Retry);
}

std::string retry_details() {
    std::string data;
    {
        protozero::pbf_writer status(data);
        protozero::pbf_writer any(status, 3);
        any.add_string(1, "type.googleapis.com/google.rpc.RetryInfo");
        protozero::pbf_writer info(any, 2);
        protozero::pbf_writer delay(info, 1);
        delay.add_int64(1, 2);
        delay.add_int32(2, 500'000'000);
    }
    return data;
}

// As gRPC writes it.
std::string unpadded(std::string_view bytes) {
    const std::string text = base64(bytes);
    return text.substr(0, text.find_last_not_of('=') + 1);
}

TEST_F(OtlpGrpc, RetryInfoOfTheServerSetsTheDelay) {
    const TestGrpcServer server(
        {.trailers = {{"grpc-status", "8"}, {"grpc-status-details-bin", unpadded(retry_details())}}});
    const Outcome outcome = send(server);
    EXPECT_EQ(outcome.kind, Outcome::Kind::Retry);
    EXPECT_EQ(outcome.after, 2500ms);
}

TEST(GrpcStatus, ResourceExhaustedNeedsRetryInfo) {
    http::ClientResponse response{.status = 200, .trailers = {{"grpc-status", "8"}}};
    EXPECT_FALSE(grpc_may_retry(grpc_status(response)));
    response.trailers.emplace_back("grpc-status-details-bin", unpadded(retry_details()));
    EXPECT_EQ(grpc_status(response).retry_delay, 2500ms);
    EXPECT_TRUE(grpc_may_retry(grpc_status(response)));
}

TEST(GrpcStatus, DamagedDetailsAreIgnored) {
    const std::string whole = retry_details();
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const http::ClientResponse response{
            .status = 200,
            .trailers = {{"grpc-status", "8"}, {"grpc-status-details-bin", unpadded(whole.substr(0, size))}}};
        EXPECT_EQ(grpc_status(response).retry_delay, std::nullopt) << size;
    }
}

TEST(GrpcMessage, CutFramesAreNothing) {
    const std::string frame = grpc_frame("hello", false);
    EXPECT_EQ(grpc_message(frame), "hello");
    EXPECT_EQ(grpc_message(grpc_frame(http::gzip("hello"), true)), "hello");
    EXPECT_FALSE(grpc_message(frame.substr(0, 4)));
    EXPECT_FALSE(grpc_message(frame.substr(0, 9)));
    EXPECT_FALSE(grpc_message(grpc_frame("no gzip", true)));
}

}  // namespace
}  // namespace waggle::exporters
