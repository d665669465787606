// SPDX-License-Identifier: Apache-2.0
// Plaintext above a socket: which one it is, and what is counted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "protocols/testing/fastcgi.h"
#include "protocols/testing/host.h"
#include "protocols/testing/tls_hello.h"
#include "protocols/tracker.h"
#include "spans/attribute_names.h"

namespace waggle::protocols::testing {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kPlain = 1ull << 63;
constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

std::string get(int number) { return "GET /" + std::to_string(number) + " HTTP/1.1\r\nHost: a\r\n\r\n"; }

std::string sealed(std::size_t plaintext) {
    const std::size_t size = plaintext + 17;
    return std::string{23, 3, 3, static_cast<char>(size >> 8), static_cast<char>(size & 0xff)} +
           std::string(size, '\x80');
}

const std::string kHello = std::string{22, 3, 1, 0, 100, 1, 0, 0, 96} + std::string(96, '\x80');

class TrackerTls : public ::testing::Test {
  protected:
    TrackerTls() : host_(TrackerConfig{}) {}

    Socket& socket(std::uint64_t id, wg_role role = WG_ROLE_SERVER) {
        return host_.add({.id = id, .role = role, .client_port = static_cast<std::uint16_t>(40000 + id)});
    }
    Socket& plain(std::uint64_t id, std::uint64_t beneath = 0) {
        return host_.add({.id = kPlain + id, .role = WG_ROLE_UNKNOWN, .is_plain = true, .beneath = beneath});
    }
    void move(Socket& at, wg_direction direction, std::string_view bytes, std::uint64_t thread = 7) {
        host_.report(at, at.moved(direction, std::string(bytes), now_ns_ += 1000, thread));
    }
    void receive(Socket& at, std::string_view bytes, std::uint64_t thread = 7) { move(at, WG_RECEIVE, bytes, thread); }
    void send(Socket& at, std::string_view bytes, std::uint64_t thread = 7) { move(at, WG_SEND, bytes, thread); }
    void pass(std::uint64_t ns) {
        for (const std::uint64_t end = now_ns_ + ns; now_ns_ < end;) host_.tick(now_ns_ += kSecond / 10);
    }
    // Client's port by path of each span.
    std::map<std::string, std::int64_t> ports() {
        std::map<std::string, std::int64_t> found;
        for (const spans::Span& span : host_.batch())
            found[std::string(span.attributes.text(attr::url_path))] =
                span.attributes.number(attr::network_peer_port, 0);
        return found;
    }
    std::uint64_t lost(Cause cause) { return sum(host_.tracker().counts()).of(cause); }

    std::vector<const spans::Span*> connections() {
        std::vector<const spans::Span*> found;
        for (const spans::Span& span : host_.batch())
            if (span.span_class == spans::SpanClass::Connection) found.push_back(&span);
        return found;
    }
    void shake_hands(Socket& server) {
        receive(server, tls_record(22, client_hello({.server_name = "shop.example", .protocols = {"h2", "http/1.1"}})));
        send(server,
             tls_record(22, server_hello({.version = 0x0304, .cipher = 0x1301})) + tls_record(23, "certificate"));
        receive(server, tls_record(23, "finished"));
    }

    Host host_;
    std::uint64_t now_ns_ = 10 * kSecond;
};

TEST_F(TrackerTls, TakesFactsFromTheSocketThatTheKernelNames) {
    Socket& under = socket(1);
    receive(under, kHello);
    receive(under, sealed(get(1).size()));
    Socket& above = plain(1, 1);
    receive(above, get(1));
    send(above, kOk);
    pass(kSecond / 10);
    ASSERT_EQ(host_.batch().size(), 1u);
    const spans::Span& span = *host_.batch().begin();
    EXPECT_EQ(span.kind, spans::SpanKind::Server);
    EXPECT_EQ(span.attributes.text(attr::url_scheme), "https");
    EXPECT_EQ(span.attributes.number(attr::network_peer_port, 0), 40001);
    EXPECT_EQ(span.attributes.text(attr::client_address), "10.0.0.1");
    EXPECT_EQ(host_.muted(), 1u);  // the socket
    pass(10 * kSecond);
    host_.report_close(under, now_ns_);
    pass(kSecond);
    EXPECT_EQ(lost(Cause::Encrypted) + lost(Cause::UnknownProtocol), 0u);
    EXPECT_EQ(host_.tracker().connections(), 0u);
}

// Another goroutine closes the session, or the peer resets, before the call that sent the answer
// returns.
TEST_F(TrackerTls, TakesTheAnswerOfACallThatReturnsAfterTheClose) {
    Socket& under = socket(1);
    receive(under, sealed(get(1).size()));
    Socket& above = plain(1, 1);
    receive(above, get(1));
    host_.report_close(under, now_ns_);
    pass(kSecond / 2);
    send(above, kOk);
    pass(kSecond);
    ASSERT_EQ(host_.batch().size(), 1u);
    EXPECT_EQ(host_.batch().begin()->attributes.number(attr::http_response_status_code, 0), 200);
    EXPECT_EQ(host_.batch().begin()->incomplete, spans::Incomplete::No);
    EXPECT_EQ(host_.tracker().connections(), 0u);
}

// Nothing of what is known of the plaintext says that there was more.
TEST_F(TrackerTls, ATailMayTellTheEndOfAnAnswerWhenTheSocketIsGone) {
    Socket& under = socket(1);
    receive(under, sealed(fastcgi_request().size()));
    Socket& above = plain(1, 1);
    receive(above, fastcgi_request());
    send(above, fastcgi_first_piece());
    send(above, fastcgi_last_piece());
    host_.report_close(under, now_ns_);
    pass(2 * kSecond);
    ASSERT_EQ(host_.batch().size(), 1u);
    EXPECT_EQ(host_.batch().begin()->incomplete, spans::Incomplete::No);
    EXPECT_EQ(host_.tracker().connections(), 0u);
}

TEST_F(TrackerTls, DoesNotWaitForAnAnswerForLongAfterTheClose) {
    Socket& under = socket(1);
    receive(under, sealed(get(1).size()));
    receive(plain(1, 1), get(1));
    host_.report_close(under, now_ns_);
    pass(2 * kSecond);
    ASSERT_EQ(host_.batch().size(), 1u);
    EXPECT_EQ(host_.batch().begin()->incomplete, spans::Incomplete::Closed);
    EXPECT_EQ(host_.tracker().connections(), 0u);
}

TEST_F(TrackerTls, CountsASocketThatNobodyReadsOnce) {
    Socket& under = socket(1);
    receive(under, kHello);
    send(under, kHello);
    EXPECT_EQ(host_.tracker().tls_seen(), std::vector<std::uint32_t>{100});
    pass(10 * kSecond);
    EXPECT_EQ(lost(Cause::Encrypted), 1u);
    EXPECT_EQ(host_.tracker().unreadable().at({100, 8080}).connections, 1u);
    host_.report_close(under, now_ns_);
    pass(kSecond);
    EXPECT_EQ(lost(Cause::Encrypted), 1u);
    EXPECT_EQ(lost(Cause::UnknownProtocol), 0u);
}

// Another process's number: what is known is not this one's.
TEST_F(TrackerTls, AsksAboutAProcessWithTheNumberOfOneThatWasRead) {
    const auto socket_of = [&](std::uint64_t id, std::uint64_t start_ns) -> Socket& {
        return host_.add({.id = id, .role = WG_ROLE_SERVER, .process_start_ns = start_ns});
    };
    Socket& under = socket_of(1, 5);
    receive(under, sealed(get(1).size()));
    receive(
        host_.add({.id = kPlain + 1, .role = WG_ROLE_UNKNOWN, .process_start_ns = 5, .is_plain = true, .beneath = 1}),
        get(1));
    host_.tracker().tls_seen().clear();
    receive(socket_of(2, 5), kHello);
    EXPECT_TRUE(host_.tracker().tls_seen().empty());
    receive(socket_of(3, 6), kHello);
    EXPECT_EQ(host_.tracker().tls_seen(), std::vector<std::uint32_t>{100});
}

TEST_F(TrackerTls, CountsAShortConnectionAtItsEnd) {
    Socket& under = socket(1);
    receive(under, kHello);
    host_.report_close(under, now_ns_);
    pass(kSecond);
    EXPECT_EQ(lost(Cause::Encrypted), 1u);
}

// A client that goes away before it could ask for anything.
TEST_F(TrackerTls, AHandshakeThatIsCutShortIsNoLoss) {
    Socket& under = socket(1);
    receive(under, tls_record(22, client_hello({.server_name = "shop.example"})));
    host_.report_close(under, now_ns_);
    Socket& client = socket(2, WG_ROLE_CLIENT);
    send(client, tls_record(22, client_hello({})));
    receive(client, tls_record(22, server_hello({})) + tls_record(23, "certificate"));
    host_.report_close(client, now_ns_);
    pass(kSecond);
    EXPECT_EQ(lost(Cause::Encrypted), 0u);
    EXPECT_EQ(connections().size(), 4u);  // handshake and end of both
}

TEST_F(TrackerTls, WhatMayHoldARequestIsALoss) {
    Socket& early = socket(1);
    receive(early, tls_record(22, client_hello({.has_early_data = true})) + tls_record(23, "GET"));
    host_.report_close(early, now_ns_);
    Socket& missed = socket(2);
    receive(missed, tls_record(22, client_hello({})));
    Move lost_call = missed.moved(WG_RECEIVE, tls_record(23, "finished, and a request"), now_ns_);
    lost_call.is_lost = true;
    host_.report(missed, std::move(lost_call));
    host_.report_close(missed, now_ns_);
    pass(kSecond);
    EXPECT_EQ(lost(Cause::Encrypted), 2u);
}

TEST_F(TrackerTls, FindsTheSocketThatTheThreadReceivedFrom) {
    for (std::uint64_t i = 1; i <= 3; ++i) receive(socket(i), kHello);
    for (std::uint64_t i = 1; i <= 3; ++i) {
        receive(host_.socket(i), sealed(get(int(i)).size()));
        receive(plain(i), get(int(i)));
    }
    for (std::uint64_t i = 1; i <= 3; ++i) send(host_.socket(kPlain + i), kOk);
    EXPECT_EQ(ports(), (std::map<std::string, std::int64_t>{{"/1", 40001}, {"/2", 40002}, {"/3", 40003}}));
}

// All are received, then all are read: of records that are equally long nothing says which is whose.
TEST_F(TrackerTls, DoesNotGuessBetweenRecordsOfOneLength) {
    for (std::uint64_t i = 1; i <= 2; ++i) receive(socket(i), sealed(get(1).size()));
    for (std::uint64_t i = 1; i <= 2; ++i) receive(plain(i), get(int(i)));
    for (std::uint64_t i = 1; i <= 2; ++i) send(host_.socket(kPlain + i), kOk);
    EXPECT_EQ(host_.batch().size(), 0u);
    pass(10 * kSecond);
    EXPECT_EQ(host_.tracker().stats().unbound[0].events, 4u);
    EXPECT_EQ(lost(Cause::Encrypted), 2u);
}

TEST_F(TrackerTls, TellsRecordsByTheirLength) {
    receive(socket(1), sealed(get(1).size()));
    receive(socket(2), sealed(get(22).size()));
    receive(plain(1), get(1));
    receive(plain(2), get(22));
    for (std::uint64_t i = 1; i <= 2; ++i) send(host_.socket(kPlain + i), kOk);
    EXPECT_EQ(ports(), (std::map<std::string, std::int64_t>{{"/1", 40001}, {"/22", 40002}}));
}

TEST_F(TrackerTls, DoesNotTakeTheLastSocketWhenItsRecordsAreOthers) {
    receive(socket(1), sealed(500));
    receive(plain(1), get(1));
    send(host_.socket(kPlain + 1), kOk);
    EXPECT_EQ(host_.batch().size(), 0u);
    // … nor that of another thread.
    receive(socket(2), sealed(get(1).size()), 8);
    receive(host_.socket(kPlain + 1), get(1));
    EXPECT_EQ(host_.batch().size(), 0u);
}

TEST_F(TrackerTls, FindsTheSocketThatTheThreadSendsTo) {
    for (std::uint64_t i = 1; i <= 3; ++i) send(socket(i, WG_ROLE_CLIENT), kHello);
    for (std::uint64_t i = 1; i <= 3; ++i) {
        send(plain(i), get(int(i)));
        // The end of the handshake goes with it.
        send(host_.socket(i), sealed(36) + sealed(get(int(i)).size()));
    }
    for (std::uint64_t i = 1; i <= 3; ++i) receive(host_.socket(kPlain + i), kOk);
    ASSERT_EQ(host_.batch().size(), 3u);
    for (const spans::Span& span : host_.batch()) EXPECT_EQ(span.kind, spans::SpanKind::Client);
    EXPECT_EQ(host_.tracker().stats().unbound[0].events, 0u);
}

// rustls is given a list of buffers, and makes one record of them.
TEST_F(TrackerTls, ACallInPiecesIsOneRecord) {
    Socket& under = socket(1, WG_ROLE_CLIENT);
    send(under, kHello);
    Socket& above = plain(1);
    const std::string request = get(1);
    for (const std::string& piece : {request.substr(0, 9), request.substr(9)}) {
        Move part = above.moved(WG_SEND, piece, now_ns_ + 1000, 7);
        part.first_ns = now_ns_ + 500;
        host_.report(above, part);
    }
    now_ns_ += 1000;
    send(under, sealed(request.size()));
    receive(above, kOk);
    ASSERT_EQ(host_.batch().size(), 1u);
    EXPECT_EQ(host_.tracker().stats().unbound[0].events, 0u);
}

TEST_F(TrackerTls, DoesNotGuessBetweenWritesOfOneLength) {
    for (std::uint64_t i = 1; i <= 2; ++i) send(socket(i, WG_ROLE_CLIENT), kHello);
    for (std::uint64_t i = 1; i <= 2; ++i) send(plain(i), get(int(i)));
    for (std::uint64_t i = 1; i <= 2; ++i) send(host_.socket(i), sealed(get(1).size()));
    for (std::uint64_t i = 1; i <= 2; ++i) receive(host_.socket(kPlain + i), kOk);
    EXPECT_EQ(host_.batch().size(), 0u);
}

TEST_F(TrackerTls, IsNotLedAwayByAPlainSocket) {
    Socket& other = socket(1);
    receive(other, "GET /plain HTTP/1.1\r\nHost: a\r\n\r\n");
    Socket& above = plain(1, 1);
    receive(above, get(1));
    send(above, kOk);
    send(other, kOk);
    ASSERT_EQ(host_.batch().size(), 1u);
    EXPECT_EQ(host_.batch().begin()->attributes.text(attr::url_scheme), "http");
    EXPECT_EQ(host_.batch().begin()->attributes.text(attr::url_path), "/plain");
}

TEST_F(TrackerTls, EndsWithItsSocket) {
    Socket& under = socket(1);
    receive(under, kHello);
    Socket& above = plain(1, 1);
    receive(above, "GET /1 HTTP/1.0\r\n\r\n");
    send(above, "HTTP/1.0 200 OK\r\n\r\nuntil the end");
    EXPECT_EQ(host_.batch().size(), 0u);
    host_.report_close(under, now_ns_);
    pass(2 * kSecond);
    ASSERT_EQ(host_.batch().size(), 1u);
    EXPECT_EQ(host_.batch().begin()->incomplete, spans::Incomplete::No);
    EXPECT_EQ(host_.batch().begin()->attributes.number(attr::http_response_body_size, 0), 13);
}

// What ends a UNIX socket's connection is told by a receive of either end.
TEST_F(TrackerTls, EndsWithAUnixSocket) {
    Socket& under = host_.add({.id = 1, .kind = WG_UNIX});
    receive(under, kHello);
    Socket& above = plain(1, 1);
    receive(above, "GET /1 HTTP/1.0\r\n\r\n");
    send(above, "HTTP/1.0 200 OK\r\n\r\nuntil the end");
    host_.report_end(under, now_ns_);
    pass(2 * kSecond);
    ASSERT_EQ(host_.batch().size(), 1u);
    EXPECT_EQ(host_.batch().begin()->incomplete, spans::Incomplete::No);
    EXPECT_EQ(host_.tracker().connections(), 0u);
}

TEST_F(TrackerTls, TakesTheAnswerOfACallThatReturnsAfterTheEndOfAUnixSocket) {
    Socket& under = host_.add({.id = 1, .kind = WG_UNIX});
    receive(under, sealed(get(1).size()));
    Socket& above = plain(1, 1);
    receive(above, get(1));
    host_.report_end(under, now_ns_);
    pass(kSecond / 2);
    send(above, kOk);
    pass(2 * kSecond);
    ASSERT_EQ(host_.batch().size(), 1u);
    EXPECT_EQ(host_.batch().begin()->incomplete, spans::Incomplete::No);
    EXPECT_EQ(host_.tracker().connections(), 0u);
}

// Its first event was lost: it waits for its socket all the same, which both directions have to point to.
TEST_F(TrackerTls, WithoutItsEventItIsKnownByItsId) {
    Socket& under = socket(1);
    receive(under, sealed(get(1).size()));
    Socket& above =
        host_.add({.id = kPlain + 1, .role = WG_ROLE_UNKNOWN, .is_connection_lost = true, .is_plain = true});
    receive(above, get(1));
    send(above, kOk);
    EXPECT_EQ(host_.batch().size(), 0u);
    send(under, sealed(kOk.size()));
    ASSERT_EQ(host_.batch().size(), 1u);
    EXPECT_EQ(host_.batch().begin()->attributes.text(attr::url_scheme), "https");
    EXPECT_EQ(ports().at("/1"), 40001);
}

// A session that the library uses for another connection goes with the new socket.
TEST_F(TrackerTls, TheLaterSessionHasTheSocket) {
    Socket& under = socket(1);
    receive(under, kHello);
    receive(plain(1, 1), get(1));
    receive(plain(2, 1), get(2));
    send(host_.socket(kPlain + 2), kOk);
    pass(kSecond);
    EXPECT_EQ(ports().at("/2"), 40001);
    host_.report_close(under, now_ns_);
    pass(kSecond);
    EXPECT_EQ(host_.tracker().connections(), 0u);
}

TEST_F(TrackerTls, BothEndsOfACallAreJoined) {
    Socket& client = socket(1, WG_ROLE_CLIENT);
    Socket& server = host_.add({.id = 2, .role = WG_ROLE_SERVER, .pid = 200, .client_port = 40001});
    send(client, kHello);
    receive(server, kHello, 9);
    Socket& above_client = plain(1, 1);
    Socket& above_server =
        host_.add({.id = kPlain + 2, .role = WG_ROLE_UNKNOWN, .pid = 200, .is_plain = true, .beneath = 2});
    send(above_client, get(1));
    receive(above_server, get(1), 9);
    send(above_server, kOk, 9);
    receive(above_client, kOk);
    pass(kSecond);
    ASSERT_EQ(host_.batch().size(), 2u);
    const spans::Span* spans[2] = {};
    for (const spans::Span& span : host_.batch()) spans[span.kind == spans::SpanKind::Server] = &span;
    ASSERT_TRUE(spans[0] && spans[1]);
    EXPECT_EQ(spans[1]->parent_span_id, spans[0]->span_id);
}

// Its goroutines go from thread to thread: another's socket may have been the thread's last one.
TEST_F(TrackerTls, AGoProgramsSocketIsTheKernelsWordOnly) {
    receive(socket(1), sealed(get(1).size()));
    Socket& above = host_.add({.id = kPlain + 1, .role = WG_ROLE_UNKNOWN, .is_go = true, .is_plain = true});
    receive(above, get(1));
    send(above, kOk);
    send(host_.socket(1), sealed(kOk.size()));
    pass(10 * kSecond);
    EXPECT_EQ(host_.batch().size(), 0u);
    EXPECT_EQ(lost(Cause::Encrypted), 1u);
    EXPECT_EQ(host_.tracker().stats().unbound[0].events, 2u);
}

TEST_F(TrackerTls, WhatWaitsForItsSocketIsBoundedOverAll) {
    const std::string big = get(1) + std::string(1 << 14, 'x');
    for (std::uint64_t i = 1; i <= 3000; ++i) receive(plain(i), big);
    const auto& unbound = host_.tracker().stats().unbound;
    EXPECT_EQ(unbound[0].events, 0u);
    EXPECT_GT(unbound[1].events, 500u);  // of 48 MiB there is room for 32
    EXPECT_LT(unbound[1].events, 1500u);
    EXPECT_EQ(unbound[1].bytes, unbound[1].events * big.size());
    pass(10 * kSecond);
    EXPECT_EQ(unbound[0].events + unbound[1].events, 3000u);
    // There is room again.
    const std::uint64_t before = unbound[1].events;
    receive(host_.socket(kPlain + 1), big);
    EXPECT_EQ(unbound[1].events, before);
}

TEST_F(TrackerTls, SpansSayWhatTheHandshakeAgreedUpon) {
    Socket& under = socket(1);
    shake_hands(under);
    Socket& above = plain(1, 1);
    receive(above, get(1));
    send(above, kOk);
    pass(kSecond / 10);
    ASSERT_EQ(host_.batch().size(), 1u);
    const spans::Span& span = *host_.batch().begin();
    EXPECT_EQ(span.attributes.text(attr::tls_protocol_name), "tls");
    EXPECT_EQ(span.attributes.text(attr::tls_protocol_version), "1.3");
    EXPECT_EQ(span.attributes.text(attr::tls_cipher), "TLS_AES_128_GCM_SHA256");
    EXPECT_EQ(span.attributes.text(attr::tls_client_server_name), "shop.example");
    EXPECT_EQ(span.attributes.find(attr::tls_next_protocol), nullptr);  // nobody can see it
    EXPECT_EQ(*span.attributes.find(attr::tls_resumed), spans::Value(false));
    host_.report_close(under, now_ns_);
    pass(kSecond);
    EXPECT_EQ(host_.batch().size(), 1u);
}

TEST_F(TrackerTls, OfAConnectionThatNobodyReadsItsHandshakeAndItsEndAreTold) {
    Socket& under = socket(1);
    const std::uint64_t begin = now_ns_;
    shake_hands(under);
    send(under, sealed(1000));
    pass(5 * kSecond);
    ASSERT_EQ(connections().size(), 1u);
    const spans::Span& first = *connections()[0];
    EXPECT_TRUE(first.is_ignored_for_traces);
    EXPECT_EQ(first.kind, spans::SpanKind::Server);
    EXPECT_EQ(first.start_ns, begin + 1000);
    EXPECT_EQ(first.end_ns, begin + 3000);
    EXPECT_EQ(first.attributes.text(attr::server_address), "10.0.0.2");
    EXPECT_EQ(first.attributes.text(attr::tls_protocol_version), "1.3");
    EXPECT_EQ(first.attributes.text(attr::waggle_tls_offered_protocols), "h2,http/1.1");
    wg_close_event close{};
    close.head = {.type = WG_EVENT_CLOSE, .version = WG_EVENT_VERSION, .length = sizeof(close), .time_ns = now_ns_};
    close.connection = 1;
    close.bytes[WG_SEND] = 5000;
    close.bytes[WG_RECEIVE] = 700;
    host_.tracker().on_event(std::as_bytes(std::span(&close, 1)), host_.batch());
    pass(kSecond);
    ASSERT_EQ(connections().size(), 2u);
    const spans::Span& last = *connections()[1];
    EXPECT_EQ(last.start_ns, begin + 1000);
    EXPECT_GT(last.end_ns, begin + 4 * kSecond);
    EXPECT_EQ(last.attributes.number(attr::waggle_tls_sent, 0), 5000);
    EXPECT_EQ(last.attributes.number(attr::waggle_tls_received, 0), 700);
}

// What was sent before the agent came is not known: no begin, no handshake.
TEST_F(TrackerTls, OfAConnectionInItsMiddleOnlyTheEndIsTold) {
    Socket& under = socket(1, WG_ROLE_CLIENT);
    send(under, sealed(100));
    pass(5 * kSecond);
    EXPECT_EQ(connections().size(), 0u);
    host_.report_close(under, now_ns_);
    pass(kSecond);
    ASSERT_EQ(connections().size(), 1u);
    EXPECT_EQ(connections()[0]->start_ns, 0u);
    EXPECT_EQ(connections()[0]->kind, spans::SpanKind::Client);
}

// What calls move there has no place by sequence numbers, which count the records.
TEST_F(TrackerTls, PlaintextThatTheKernelEncryptsIsNotReadFromTheSocket) {
    Socket& under = host_.add({.id = 1, .role = WG_ROLE_SERVER, .has_kernel_tls = true});
    receive(under, get(1));
    send(under, kOk);
    pass(5 * kSecond);
    EXPECT_EQ(host_.batch().size(), 0u);
    EXPECT_EQ(lost(Cause::Encrypted), 1u);
    EXPECT_EQ(lost(Cause::UnknownProtocol), 0u);
}

TEST_F(TrackerTls, PlaintextThatTheKernelEncryptsIsReadFromTheLibrary) {
    Socket& under = host_.add({.id = 1, .role = WG_ROLE_SERVER, .has_kernel_tls = true});
    receive(under, get(1));
    Socket& above = plain(1, 1);
    receive(above, get(1));
    send(above, kOk);
    pass(5 * kSecond);
    ASSERT_EQ(host_.batch().size(), 1u);
    EXPECT_EQ(lost(Cause::Encrypted), 0u);
}

TEST_F(TrackerTls, RulesOfWhatIsGoneAreRemoved) {
    Socket& under = socket(1);
    receive(under, kHello);
    Socket& above = plain(1, 1);
    receive(above, get(1));
    send(above, kOk);
    EXPECT_TRUE(host_.tracker().gone_rules().empty());
    host_.report_close(under, now_ns_);
    pass(kSecond);
    EXPECT_THAT(host_.tracker().gone_rules(), ::testing::UnorderedElementsAre(1u, kPlain + 1));
}

}  // namespace
}  // namespace waggle::protocols::testing
