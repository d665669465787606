// SPDX-License-Identifier: Apache-2.0
// Connections that go over to TLS after some plaintext: their records are followed, and what is read above them is a
// conversation of its own.
#include "protocols/testing/tls_hello.h"
#include "protocols/testing/tracker_test.h"

namespace waggle::protocols::testing {
namespace {

using std::string_literals::operator""s;

constexpr std::uint64_t kPlain = 1ull << 63;
// PostgreSQL's request for encryption, and how a session begins and asks.
const std::string kSslRequest = "\0\0\0\x08\x04\xd2\x16\x2f"s;
const std::string kStartup = "\0\0\0\x20\0\x03\0\0user\0bob\0database\0shop\0\0"s;
const std::string kQuery = "Q\0\0\0\x0dSELECT 1\0"s;
const std::string kAnswer = "C\0\0\0\x0dSELECT 1\0Z\0\0\0\x05I"s;
const std::string kClientHello = tls_record(22, client_hello({.server_name = "db.example"}));
const std::string kServerHello = tls_record(22, server_hello({.version = 0x0304, .cipher = 0x1301}));

std::string sealed(std::size_t plaintext) { return tls_record(23, std::string(plaintext + 17, '\x80')); }

class TrackerUpgrade : public TrackerTest {
  protected:
    Socket& plain(std::uint64_t beneath = 0) {
        return host_.add({.id = kPlain + 1, .role = WG_ROLE_UNKNOWN, .is_plain = true, .beneath = beneath});
    }
    // By memory BIOs: the record of the socket, then (or before) what is in it.
    void read(Socket& socket, Socket& above, std::string_view bytes) {
        receive(socket, sealed(bytes.size()));
        receive(above, bytes);
    }
    void write(Socket& socket, Socket& above, std::string_view bytes) {
        send(above, bytes);
        send(socket, sealed(bytes.size()));
    }
    void send(Socket& at, std::string_view bytes) { move(at, WG_SEND, bytes); }
    void receive(Socket& at, std::string_view bytes) { move(at, WG_RECEIVE, bytes); }
    void move(Socket& at, wg_direction direction, std::string_view bytes) {
        host_.report(at, at.moved(direction, std::string(bytes), now_ns_ += 1000, 7));
    }
    std::uint64_t lost(Cause cause) { return sum(host_.tracker().counts()).of(cause); }
    std::vector<const spans::Span*> requests() {
        std::vector<const spans::Span*> found;
        for (const spans::Span& span : host_.batch())
            if (span.span_class != spans::SpanClass::Connection) found.push_back(&span);
        return found;
    }
    void close(Socket& socket) {
        host_.report_close(socket, now_ns_);
        pass(kSecond);
        pass(kSecond);
    }
    void expect_the_query(std::string_view scheme_of) {
        ASSERT_EQ(requests().size(), 1u) << scheme_of;
        const spans::Span& query = *requests().front();
        EXPECT_EQ(query.attributes.text(attr::db_operation_name), "SELECT");
        EXPECT_EQ(query.attributes.text(attr::tls_protocol_version), "1.3");
        EXPECT_EQ(query.incomplete, spans::Incomplete::No);
        const Counts all = sum(host_.tracker().counts());
        for (const std::uint64_t count : all.by_cause) EXPECT_EQ(count, 0u);
    }
};

TEST_F(TrackerUpgrade, APostgresClientOnMemoryBuffersIsRead) {
    Socket& socket = open({.role = WG_ROLE_CLIENT});
    send(socket, kSslRequest);
    receive(socket, "S");
    send(socket, kClientHello);
    receive(socket, kServerHello);
    Socket& above = plain();
    write(socket, above, kStartup);
    read(socket, above, "R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I"s);
    write(socket, above, kQuery);
    read(socket, above, kAnswer);
    close(socket);
    expect_the_query("client");
}

TEST_F(TrackerUpgrade, APostgresServerOnMemoryBuffersIsRead) {
    Socket& socket = open({.role = WG_ROLE_SERVER});
    receive(socket, kSslRequest);
    send(socket, "S");
    receive(socket, kClientHello);
    send(socket, kServerHello);
    Socket& above = plain();
    read(socket, above, kStartup);
    write(socket, above, "R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I"s);
    read(socket, above, kQuery);
    write(socket, above, kAnswer);
    close(socket);
    expect_the_query("server");
}

// Nobody reads it: what was lost is PostgreSQL's, and the process is looked at.
TEST_F(TrackerUpgrade, WhatNobodyReadsIsCountedOnce) {
    Socket& socket = open({.role = WG_ROLE_CLIENT});
    send(socket, kSslRequest);
    receive(socket, "S");
    EXPECT_EQ(lost(Cause::Encrypted), 0u);
    send(socket, kClientHello);
    receive(socket, kServerHello);
    send(socket, sealed(kQuery.size()));
    EXPECT_EQ(host_.tracker().tls_seen(), std::vector<std::uint32_t>{100});
    for (int i = 0; i < 40; ++i) pass(kSecond / 10);
    EXPECT_EQ(lost(Cause::Encrypted), 1u);
    close(socket);
    EXPECT_EQ(lost(Cause::Encrypted), 1u);
    const std::size_t postgres = counted_as("postgresql");
    EXPECT_EQ(host_.tracker().counts()[postgres].of(Cause::Encrypted), 1u);
}

// What came before the handshake holds no request.
TEST_F(TrackerUpgrade, AHandshakeThatIsCutShortIsNoLoss) {
    Socket& socket = open({.role = WG_ROLE_SERVER});
    receive(socket, kSslRequest);
    send(socket, "S");
    receive(socket, kClientHello);
    send(socket, kServerHello);
    close(socket);
    EXPECT_EQ(lost(Cause::Encrypted), 0u);
}

const std::string kGreeting =
    "\x59\0\0\0\x0a"
    "5.5.5-10.11.6-MariaDB\0\x08\0\0\0abcdefgh\0\xfe\xf7\x2d\x02\0\xff\x81\x15\0\0\0\0\0\0\x1d\0\0\0"
    "ijklmnopqrst\0mysql_native_password\0"s;
// Its capabilities, with those of TLS and of a database in the login.
const std::string kMysqlAsk = "\x20\0\0\x01\x0d\xaa\x0a\0\0\0\0\x40\x21"s + std::string(23, '\0');
const std::string kMysqlLogin =
    "\x2b\0\0\x02\x0d\xaa\x0a\0\0\0\0\x40\x21"s + std::string(23, '\0') + "bob\0\0shop\0\0"s;

// What its greeting says comes in the clear, and the login over TLS goes on counting packets.
TEST_F(TrackerUpgrade, AMysqlSessionGoesOnOverTls) {
    for (const wg_role role : {WG_ROLE_CLIENT, WG_ROLE_SERVER}) {
        const bool is_client = role == WG_ROLE_CLIENT;
        const auto ask = [&](Socket& at, std::string_view bytes) { is_client ? send(at, bytes) : receive(at, bytes); };
        const auto answer = [&](Socket& at, std::string_view bytes) {
            is_client ? receive(at, bytes) : send(at, bytes);
        };
        Socket& socket = open({.id = is_client ? 1u : 2u, .role = role});
        answer(socket, kGreeting);
        ask(socket, kMysqlAsk);
        ask(socket, kClientHello);
        answer(socket, kServerHello);
        Socket& above =
            host_.add({.id = kPlain + socket.id(), .role = WG_ROLE_UNKNOWN, .is_plain = true, .beneath = socket.id()});
        ask(above, kMysqlLogin);
        answer(above, "\x07\0\0\x03\0\0\0\x02\0\0\0"s);
        ask(above, "\x09\0\0\0\x03SELECT 1"s);
        answer(above, "\x07\0\0\x01\0\0\0\x02\0\0\0"s);
        close(socket);
        ASSERT_EQ(requests().size(), is_client ? 1u : 2u);
        const spans::Span& query = *requests().back();
        EXPECT_EQ(query.attributes.text(attr::db_system_name), "mariadb");
        EXPECT_EQ(query.attributes.text(attr::db_namespace), "shop");
        EXPECT_EQ(query.attributes.text(attr::db_operation_name), "SELECT");
        for (const std::uint64_t count : sum(host_.tracker().counts()).by_cause) EXPECT_EQ(count, 0u);
    }
}

// MySQL's client goes on at once, in the same turn.
TEST_F(TrackerUpgrade, TlsBeginsWhereTheRequestForItEnds) {
    Socket& socket = open({.role = WG_ROLE_CLIENT});
    receive(socket, kGreeting);
    send(socket, kMysqlAsk + kClientHello);
    receive(socket, kServerHello);
    close(socket);
    std::vector<std::string_view> names;
    for (const spans::Span& span : host_.batch()) names.push_back(span.attributes.text(attr::tls_client_server_name));
    EXPECT_EQ(names, (std::vector<std::string_view>{"db.example", "db.example"}));  // its handshake and its end
    EXPECT_EQ(lost(Cause::Encrypted), 0u);
}

class TrackerTunnel : public TrackerUpgrade {
  protected:
    Socket& connect(wg_role role) {
        Socket& socket = open({.role = role});
        call(socket, true, "CONNECT shop.example:443 HTTP/1.1\r\nHost: shop.example:443\r\n\r\n");
        call(socket, false, "HTTP/1.1 200 Connection established\r\n\r\n");
        return socket;
    }
};

TEST_F(TrackerTunnel, AClientsRequestsInItAreRead) {
    Socket& socket = connect(WG_ROLE_CLIENT);
    send(socket, kClientHello);
    receive(socket, kServerHello);
    Socket& above = plain();
    write(socket, above, kGet);
    read(socket, above, kOk);
    close(socket);
    ASSERT_EQ(requests().size(), 2u);
    EXPECT_EQ(requests()[0]->attributes.text(attr::http_request_method), "CONNECT");
    EXPECT_EQ(requests()[1]->attributes.text(attr::url_scheme), "https");
    EXPECT_EQ(lost(Cause::Encrypted), 0u);
}

TEST_F(TrackerTunnel, IsNotTheProxysToRead) {
    Socket& socket = connect(WG_ROLE_SERVER);
    receive(socket, kClientHello);
    send(socket, kServerHello);
    close(socket);
    EXPECT_EQ(requests().size(), 1u);
    EXPECT_EQ(host_.muted(), 1u);
    EXPECT_EQ(lost(Cause::Encrypted), 0u);
}

TEST_F(TrackerTunnel, OfSomethingElseIsOfNoInterest) {
    Socket& socket = connect(WG_ROLE_CLIENT);
    receive(socket, "220 mx.example ESMTP\r\n");
    pass(kSecond);
    EXPECT_EQ(host_.muted(), 1u);
    close(socket);
    EXPECT_EQ(requests().size(), 1u);
    EXPECT_EQ(lost(Cause::UnknownProtocol), 0u);
}

}  // namespace
}  // namespace waggle::protocols::testing
