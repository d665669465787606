// SPDX-License-Identifier: Apache-2.0
#include "protocols/tls_hello.h"

#include <gtest/gtest.h>

#include "protocols/testing/tls_hello.h"
#include "spans/attribute_names.h"

namespace waggle::protocols {
namespace {

using namespace std::string_literals;
using testing::client_hello;
using testing::server_hello;

constexpr unsigned kClient = 0;
constexpr unsigned kServer = 1;

TEST(TlsHello, SaysWhoIsAskedForAndWhatIsOffered) {
    const auto hello =
        read_client_hello(client_hello({.server_name = "shop.example", .protocols = {"h2", "http/1.1", "\x0a\x0a"}}));
    ASSERT_TRUE(hello);
    EXPECT_EQ(hello->server_name, "shop.example");
    EXPECT_EQ(hello->protocols, "h2,http/1.1");
    EXPECT_FALSE(hello->has_early_data);
    EXPECT_TRUE(read_client_hello(client_hello({.has_early_data = true}))->has_early_data);
    EXPECT_EQ(read_client_hello(client_hello({}))->server_name, "");
    EXPECT_EQ(read_client_hello(client_hello({.server_name = "two\nlines"}))->server_name, "");
}

TEST(TlsHello, SaysWhatIsAgreedUpon) {
    const auto old = read_server_hello(server_hello({.version = 0x0303, .cipher = 0xC02F, .protocol = "h2"}));
    ASSERT_TRUE(old);
    EXPECT_EQ(old->version, 0x0303);
    EXPECT_EQ(cipher_name(old->cipher), "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256");
    EXPECT_EQ(old->protocol, "h2");
    const auto now = read_server_hello(server_hello({.version = 0x0304, .cipher = 0x1301, .has_shared_key = true}));
    ASSERT_TRUE(now);
    EXPECT_EQ(now->version, 0x0304);
    EXPECT_TRUE(now->has_shared_key);
    EXPECT_FALSE(now->is_retry);
    EXPECT_TRUE(read_server_hello(server_hello({.version = 0x0304, .is_retry = true}))->is_retry);
    EXPECT_EQ(cipher_name(0xFAFA), "0xFAFA");
}

TEST(TlsHello, WhatIsCutOffIsNone) {
    for (const std::string& whole :
         {client_hello({.server_name = "a.b", .protocols = {"h2"}}), server_hello({.protocol = "h2"})})
        for (std::size_t size = 0; size < whole.size(); ++size) {
            EXPECT_FALSE(read_client_hello(whole.substr(0, size)));
            EXPECT_FALSE(read_server_hello(whole.substr(0, size)));
        }
    EXPECT_FALSE(read_client_hello(server_hello({})));
    EXPECT_FALSE(read_server_hello(client_hello({})));
}

class Handshake : public ::testing::Test {
  protected:
    void take(unsigned direction, std::uint8_t type, std::string_view body = "x", std::uint64_t now_ns = 0) {
        handshake_.on_record(direction, type, body, now_ns ? now_ns : ++clock_);
    }
    const TlsFacts& facts() { return handshake_.facts(); }
    TlsHandshake handshake_;
    std::uint64_t clock_ = 1000;
};

TEST_F(Handshake, Of13EndsWithTheClientsFirstProtectedRecord) {
    take(kClient, 22, client_hello({.server_name = "a.b"}), 100);
    take(kServer, 22, server_hello({.version = 0x0304, .cipher = 0x1302}), 200);
    take(kServer, 20);
    take(kServer, 23, "", 210);
    EXPECT_FALSE(handshake_.is_over());
    take(kClient, 20);
    take(kClient, 23, "", 300);
    EXPECT_TRUE(handshake_.is_over());
    EXPECT_EQ(facts().began_ns, 100u);
    EXPECT_EQ(facts().ended_ns, 300u);
    EXPECT_EQ(facts().version, "1.3");
    EXPECT_EQ(facts().cipher, "TLS_AES_256_GCM_SHA384");
    EXPECT_EQ(facts().is_resumed, std::optional(false));
}

TEST_F(Handshake, Of12EndsWhenBothHaveChangedTheirCipher) {
    take(kClient, 22, client_hello({}), 100);
    take(kServer, 22, server_hello({.version = 0x0303}), 200);
    take(kServer, 22, "certificate");
    take(kClient, 22, "key");
    take(kClient, 20);
    take(kClient, 22, "finished", 300);
    EXPECT_EQ(facts().ended_ns, 0u);
    take(kServer, 20);
    take(kServer, 22, "finished", 400);
    EXPECT_EQ(facts().ended_ns, 400u);
    EXPECT_EQ(facts().version, "1.2");
    EXPECT_EQ(facts().is_resumed, std::optional(false));
}

TEST_F(Handshake, Of12IsResumedWhenTheServerRepeatsTheSession) {
    take(kClient, 22, client_hello({.session = "0123"}));
    take(kServer, 22, server_hello({.version = 0x0303, .session = "0123"}));
    EXPECT_EQ(facts().is_resumed, std::optional(true));
}

TEST_F(Handshake, EventsOfTheTwoSidesComeInAnyOrder) {
    take(kClient, 22, client_hello({}), 100);
    take(kClient, 23, "", 300);
    take(kServer, 22, server_hello({.version = 0x0304, .has_shared_key = true}), 200);
    take(kServer, 23, "", 210);
    EXPECT_EQ(facts().ended_ns, 300u);
    EXPECT_EQ(facts().is_resumed, std::optional(true));
}

TEST_F(Handshake, ASecondHelloThatTheServerAskedForIsRead) {
    take(kClient, 22, client_hello({.server_name = "a.b"}), 100);
    take(kServer, 22, server_hello({.version = 0x0304, .is_retry = true}));
    EXPECT_EQ(facts().version, "");
    take(kServer, 20);
    take(kClient, 22, client_hello({.server_name = "a.b"}), 200);
    take(kServer, 22, server_hello({.version = 0x0304}));
    take(kServer, 23);
    take(kClient, 23, "", 5000);
    EXPECT_EQ(facts().began_ns, 100u);
    EXPECT_EQ(facts().ended_ns, 5000u);
}

TEST_F(Handshake, EarlyDataHidesItsEnd) {
    take(kClient, 22, client_hello({.has_early_data = true}));
    take(kClient, 23);
    take(kServer, 22, server_hello({.version = 0x0304, .has_shared_key = true}));
    take(kServer, 23);
    EXPECT_TRUE(handshake_.is_over());
    EXPECT_EQ(facts().ended_ns, 0u);
    EXPECT_EQ(facts().is_resumed, std::optional(true));
}

TEST_F(Handshake, OfAConnectionInItsMiddleIsUnknown) {
    take(kServer, 23);
    EXPECT_TRUE(handshake_.is_over());
    EXPECT_EQ(facts().began_ns, 0u);
    spans::SpanBatch batch;
    describe_tls(facts(), batch, batch.add());
    EXPECT_EQ(batch.begin()->attributes.size(), 0u);
}

TEST_F(Handshake, IsDescribedByTheConventions) {
    take(kClient, 22, client_hello({.server_name = "a.b"}));
    take(kServer, 22, server_hello({.version = 0x0303, .cipher = 0xC02F, .protocol = "h2"}));
    spans::SpanBatch batch;
    spans::Span& span = batch.add();
    describe_tls(facts(), batch, span);
    EXPECT_EQ(span.attributes.text(attr::tls_protocol_name), "tls");
    EXPECT_EQ(span.attributes.text(attr::tls_protocol_version), "1.2");
    EXPECT_EQ(span.attributes.text(attr::tls_cipher), "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256");
    EXPECT_EQ(span.attributes.text(attr::tls_next_protocol), "h2");
    EXPECT_EQ(span.attributes.text(attr::tls_client_server_name), "a.b");
    EXPECT_EQ(*span.attributes.find(attr::tls_resumed), spans::Value(false));
}

}  // namespace
}  // namespace waggle::protocols
