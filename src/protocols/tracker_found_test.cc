// SPDX-License-Identifier: Apache-2.0
// Plaintext of libraries that were found by their code: nothing is believed before it is proven, and then all of it.
#include <gtest/gtest.h>

#include "protocols/testing/host.h"
#include "protocols/tracker.h"
#include "spans/attribute_names.h"

namespace waggle::protocols::testing {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kPlain = 1ull << 63;
constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
const std::string kGet = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string kHello = std::string{22, 3, 1, 0, 100, 1, 0, 0, 96} + std::string(96, '\x80');

std::string sealed(std::size_t plaintext) {
    const std::size_t size = plaintext + 17;
    return std::string{23, 3, 3, static_cast<char>(size >> 8), static_cast<char>(size & 0xff)} +
           std::string(size, '\x80');
}

class TrackerFound : public ::testing::Test {
  protected:
    TrackerFound() : host_(TrackerConfig{}) {}

    Socket& socket(std::uint64_t id, wg_role role = WG_ROLE_SERVER) {
        Socket& made = host_.add({.id = id, .role = role, .client_port = static_cast<std::uint16_t>(40000 + id)});
        move(made, WG_RECEIVE, kHello);
        return made;
    }
    // Of which the kernel side says that it has used the socket; 0: it has used none.
    Socket& found(std::uint64_t id, std::uint64_t beneath, std::uint32_t pid = 100) {
        return host_.add({.id = kPlain + id,
                          .role = WG_ROLE_UNKNOWN,
                          .pid = pid,
                          .is_found = true,
                          .is_plain = true,
                          .beneath = beneath});
    }
    void move(Socket& at, wg_direction direction, std::string_view bytes) {
        host_.report(at, at.moved(direction, std::string(bytes), now_ns_ += 1000, 7));
    }
    // A library's calls on a socket's BIO: the records go by first.
    void read(Socket& plain, Socket& under, std::string_view bytes, std::size_t record) {
        move(under, WG_RECEIVE, sealed(record));
        move(plain, WG_RECEIVE, bytes);
    }
    void write(Socket& plain, Socket& under, std::string_view bytes, std::size_t record) {
        move(under, WG_SEND, sealed(record));
        move(plain, WG_SEND, bytes);
    }
    void pass(std::uint64_t ns) {
        for (const std::uint64_t end = now_ns_ + ns; now_ns_ < end;) host_.tick(now_ns_ += kSecond / 10);
    }
    std::uint64_t spans() {
        std::uint64_t count = 0;
        for (const spans::Span& span : host_.batch()) count += span.span_class != spans::SpanClass::Connection;
        return count;
    }

    Host host_;
    std::uint64_t now_ns_ = 10 * kSecond;
};

TEST_F(TrackerFound, IsBelievedWhenBothDirectionsAreAsLongAsTheRecords) {
    Socket& under = socket(1);
    Socket& above = found(1, 1);
    read(above, under, kGet, kGet.size());
    write(above, under, kOk, kOk.size());
    pass(kSecond / 10);
    ASSERT_EQ(spans(), 1u);
    EXPECT_EQ(host_.batch().begin()->attributes.number(attr::network_peer_port, 0), 40001);
    EXPECT_EQ(host_.batch().begin()->kind, spans::SpanKind::Server);
}

// Whatever it is that comes out of there, it is not what goes over the socket.
TEST_F(TrackerFound, IsNotBelievedWhenOneDirectionIsOfAnotherLength) {
    for (const bool is_read_wrong : {false, true}) {
        Socket& under = socket(1 + is_read_wrong);
        Socket& above = found(1 + is_read_wrong, 1 + is_read_wrong);
        for (int i = 0; i < 10; ++i) {
            read(above, under, kGet, kGet.size() + (is_read_wrong ? 1 : 0));
            write(above, under, kOk, kOk.size() + (is_read_wrong ? 0 : 1));
        }
    }
    pass(10 * kSecond);
    EXPECT_EQ(spans(), 0u);
    EXPECT_EQ(sum(host_.tracker().counts()).of(Cause::Encrypted), 2u);
    EXPECT_GT(host_.tracker().stats().unbound[static_cast<std::size_t>(Unbound::NoSocket)].events, 0u);
}

// Of the right lengths, but nothing that anybody speaks: another function of the library, whose bytes are not the
// plaintext.
TEST_F(TrackerFound, IsNotBelievedWhenWhatComesOutIsNoProtocols) {
    Socket& under = socket(1);
    Socket& above = found(1, 1);
    const std::string noise(100, '\x81');
    for (int i = 0; i < 10; ++i) {
        read(above, under, noise, noise.size());
        write(above, under, noise, noise.size());
    }
    pass(10 * kSecond);
    EXPECT_EQ(sum(host_.tracker().counts()).of(Cause::Encrypted), 1u);
    EXPECT_EQ(sum(host_.tracker().counts()).of(Cause::UnknownProtocol), 0u);
    EXPECT_GT(host_.tracker().stats().unbound[static_cast<std::size_t>(Unbound::NoSocket)].events, 0u);
}

TEST_F(TrackerFound, IsBelievedInTheMiddleAndFromMessagesInPieces) {
    Socket& under = socket(1);
    Socket& above = found(1, 1);
    read(above, under, "of a body", 9);
    read(above, under, kGet.substr(0, 3), 3);
    read(above, under, kGet.substr(3), kGet.size() - 3);
    write(above, under, kOk, kOk.size());
    read(above, under, kGet, kGet.size());  // the first begins in the middle of a turn
    write(above, under, kOk, kOk.size());
    pass(kSecond / 10);
    EXPECT_EQ(spans(), 1u);
}

TEST_F(TrackerFound, AnotherSocketsRecordsProveNothing) {
    Socket& other = socket(2);
    socket(1);
    Socket& above = found(1, 1);
    read(above, other, kGet, kGet.size());
    write(above, other, kOk, kOk.size());
    pass(10 * kSecond);
    EXPECT_EQ(spans(), 0u);
}

TEST_F(TrackerFound, WhatIsProvenOnceIsBelievedOfTheProcess) {
    Socket& first = socket(1);
    Socket& above = found(1, 1);
    read(above, first, kGet, kGet.size());
    write(above, first, kOk, kOk.size());
    socket(2);
    Socket& next = found(2, 2);
    move(next, WG_RECEIVE, kGet);
    move(next, WG_SEND, kOk);
    socket(3);
    Socket& others = found(3, 3, 200);
    move(others, WG_RECEIVE, kGet);
    move(others, WG_SEND, kOk);
    pass(kSecond / 10);
    EXPECT_EQ(spans(), 2u);
}

TEST_F(TrackerFound, OnMemoryBiosBothDirectionsMustPointToOneSocket) {
    Socket& under = socket(1);
    Socket& above = found(1, 0);
    read(above, under, kGet, kGet.size());
    move(above, WG_SEND, kOk);
    EXPECT_EQ(spans(), 0u);
    move(under, WG_SEND, sealed(kOk.size()));
    pass(kSecond / 10);
    EXPECT_EQ(spans(), 1u);
}

TEST_F(TrackerFound, ALongAnswerIsKnownByItsLastRecord) {
    const std::string body(20000, 'x');
    const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n" + body;
    Socket& under = socket(1);
    Socket& above = found(1, 1);
    read(above, under, kGet, kGet.size());
    move(under, WG_SEND, sealed(16384));
    move(under, WG_SEND, sealed(answer.size() - 16384));
    move(above, WG_SEND, answer);
    pass(kSecond / 10);
    EXPECT_EQ(spans(), 1u);
}

}  // namespace
}  // namespace waggle::protocols::testing
