// SPDX-License-Identifier: Apache-2.0
// What sessions keep of requests that nobody answers counts as memory of their connection.
#include <gtest/gtest.h>

#include <string>

#include "protocols/testing/host.h"

namespace waggle::protocols::testing {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::size_t kTopic = 1000;
constexpr int kRequests = 1000;

class SessionMemory : public ::testing::Test {
  protected:
    static TrackerConfig small() {
        TrackerConfig config;
        config.max_held_bytes = 1u << 20;
        return config;
    }
    void send(std::string bytes) { move(WG_SEND, std::move(bytes)); }
    void receive(std::string bytes) { move(WG_RECEIVE, std::move(bytes)); }
    void move(wg_direction direction, std::string bytes) {
        host_.report(socket_, socket_.moved(direction, std::move(bytes), now_ns_ += 1'000));
    }
    // From then on the front of every call is captured, as the tracker wants it for such protocols.
    void tick() { host_.tick(now_ns_ += 1'000'000); }
    std::uint64_t dropped() { return sum(host_.tracker().counts()).of(Cause::MemoryLimit); }

    Host host_{small()};
    Socket& socket_ = host_.add({.role = WG_ROLE_CLIENT});
    std::uint64_t now_ns_ = 10 * kSecond;
};

std::string topic(int number) {
    std::string text = std::to_string(number);
    return text + std::string(kTopic - text.size(), 'x');
}

struct NatsMemory : SessionMemory {
    void SetUp() override {
        receive("INFO {\"server_id\":\"x\"}\r\n");
        send("CONNECT {\"verbose\":false}\r\n");
        tick();
    }
};

TEST_F(NatsMemory, RequestsThatNobodyAnswersAreWeighed) {
    for (int i = 0; i < kRequests; ++i) send("PUB " + topic(i) + " _INBOX.a 0\r\n\r\n");
    EXPECT_EQ(dropped(), 1u);
    tick();  // the kernel side counts what comes then
    EXPECT_EQ(socket_.rule(WG_SEND).mode, WG_RULE_COUNT);
}

TEST_F(NatsMemory, GroupsAreWeighedOnceEach) {
    for (int i = 0; i < 100 * kRequests; ++i)
        send("SUB a " + std::string(200, 'g') + " " + std::to_string(i % 10) + "\r\n");
    EXPECT_EQ(dropped(), 0u);
}

TEST_F(NatsMemory, WhatIsAnsweredIsGivenBackAtRest) {
    for (int i = 0; i < 100; ++i) send("PUB " + topic(i) + " _INBOX." + std::to_string(i) + " 0\r\n\r\n");
    for (int i = 0; i < 100; ++i) receive("MSG _INBOX." + std::to_string(i) + " 1 0\r\n\r\n");
    EXPECT_EQ(host_.batch().size(), 100u);
    const std::size_t before = host_.tracker().held_bytes();
    EXPECT_GT(before, 100 * kTopic);
    host_.tick(now_ns_ += 5 * kSecond);
    EXPECT_LT(host_.tracker().held_bytes(), before / 10);
}

std::string packet(char type, const std::string& body) {
    std::string size;
    std::size_t left = body.size();
    do {
        size += static_cast<char>(left % 128 | (left >= 128 ? 128 : 0));
        left /= 128;
    } while (left > 0);
    return type + size + body;
}

std::string text(const std::string& value) {
    return std::string{static_cast<char>(value.size() >> 8), static_cast<char>(value.size() & 0xff)} + value;
}

std::string id_of(int number) { return {static_cast<char>(number >> 8), static_cast<char>(number & 0xff)}; }

TEST_F(SessionMemory, MqttMessagesThatNobodyAnswersAreWeighed) {
    using namespace std::string_literals;
    send(packet('\x10', text("MQTT") + "\x04\x02\x00\x3c"s + text("me")));
    receive("\x20\x02\x00\x00"s);
    tick();
    for (int i = 1; i <= kRequests; ++i) send(packet('\x32', text(topic(i)) + id_of(i) + "x"));
    EXPECT_EQ(dropped(), 1u);
}

}  // namespace
}  // namespace waggle::protocols::testing
