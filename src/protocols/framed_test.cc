// SPDX-License-Identifier: Apache-2.0
// FramedSession where messages are not whole (PostgreSQL and MySQL stand for all of its protocols), and where it is not
// known yet whether they are calls (Redis).
#include "protocols/testing/tracker_test.h"

namespace waggle::protocols::testing {
namespace {

std::string message(char type, std::string_view body) {
    const auto size = static_cast<std::uint32_t>(body.size() + 4);
    std::string out(1, type);
    for (const int shift : {24, 16, 8, 0}) out += static_cast<char>(size >> shift & 0xff);
    return out.append(body);
}

std::string text(std::string_view words) { return std::string(words) + '\0'; }

// An error that says it is longer than it is: what was to come of it ends its exchange no second time when requests
// were lost meanwhile.
TEST_F(TrackerTest, AnAnswerThatLacksItsLastBytesEndsItsExchangeOnce) {
    Socket& server = open();
    const std::string ready = message('Z', "I");
    call(server, true, std::string("\0\0\0\x10\0\3\0\0user\0a\0\0", 16));
    call(server, false, message('R', std::string(4, '\0')) + ready);
    const std::string nothing(1, '\0');
    call(server, true,
         message('P', nothing + text("SELECT 1") + std::string(2, '\0')) + message('B', std::string(8, '\0')) +
             message('E', nothing + std::string(4, '\0')) + message('S', ""));
    const std::string error = message('E', text("SERROR") + text("C42P01") + text("M" + std::string(6000, 'x')) + '\0');
    call(server, false, error.substr(0, 5000) + ready);
    Move lost = moved(server, true, message('Q', text("SELECT 2")));
    lost.is_lost = true;
    host_.report(server, lost);
    call(server, false, message('C', text("SELECT 1")) + ready);
    call(server, true, message('S', ""));
    call(server, false, ready);
    pass(kSecond);
    ASSERT_EQ(spans(), 1u);
    EXPECT_EQ(span().attributes.text(attr::db_response_status_code), "42P01");
    EXPECT_EQ(host_.tracker().open_exchanges(), 0u);
    call(server, true, message('Q', text("SELECT 3")));
    call(server, false, message('C', text("SELECT 1")) + ready);
    pass(kSecond);
    EXPECT_EQ(spans(), 2u);
}

std::string prepare(std::string_view name, std::string_view statement) {
    return message('P', text(name) + text(statement) + std::string(2, '\0'));
}
std::string execute(std::string_view name) {
    return message('B', text("") + text(name) + std::string(6, '\0')) + message('E', std::string(5, '\0'));
}
const std::string kSync = message('S', "");
const std::string kPrepared = message('1', "") + message('Z', "I");
const std::string kExecuted = message('2', "") + message('C', text("DELETE 1")) + message('Z', "I");

// Whether the server took it nobody knows: what its name stands for is one of two statements.
TEST_F(TrackerTest, AStatementWhosePreparationWasNotSeenToEndIsUnknown) {
    Socket& server = open();
    call(server, true, message('Q', text("SELECT 1")));
    call(server, false, message('C', text("SELECT 1")) + message('Z', "I"));
    call(server, true, prepare("s1", "DELETE FROM one") + kSync);
    call(server, false, kPrepared);
    call(server, true, prepare("s1", "DELETE FROM two") + kSync);
    Move lost = moved(server, false, kPrepared);
    lost.is_lost = true;
    host_.report(server, lost);
    call(server, true, execute("s1") + kSync);
    call(server, false, kExecuted);
    call(server, true, prepare("s2", "DELETE FROM three") + execute("s2") + kSync);
    call(server, false, message('1', "") + kExecuted);
    pass(kSecond);
    ASSERT_EQ(spans(), 3u);
    EXPECT_EQ(span(1).name, "DELETE");
    EXPECT_EQ(span(1).attributes.text(attr::waggle_unknown), attr::db_query_text);
    EXPECT_EQ(span(2).name, "DELETE three");
}

// What was not seen may have prepared anything anew.
TEST_F(TrackerTest, AfterLostRequestsNoStatementIsKnown) {
    Socket& server = open();
    call(server, true, prepare("s1", "DELETE FROM one") + execute("s1") + kSync);
    call(server, false, message('1', "") + kExecuted);
    Move lost = moved(server, true, message('C', "S" + text("s1")) + prepare("s1", "DELETE FROM two") + kSync);
    lost.is_lost = true;
    host_.report(server, lost);
    call(server, false, message('3', "") + kPrepared);
    call(server, true, execute("s1") + kSync);
    call(server, false, kExecuted);
    pass(kSecond);
    ASSERT_EQ(spans(), 2u);
    EXPECT_EQ(span(0).name, "DELETE one");
    EXPECT_EQ(span(1).name, "DELETE");
    EXPECT_EQ(span(1).attributes.text(attr::waggle_unknown), attr::db_query_text);
}

std::string packet(int sequence, std::string_view body) {
    std::string out;
    for (const int shift : {0, 8, 16}) out += static_cast<char>(body.size() >> shift & 0xff);
    return (out += static_cast<char>(sequence)).append(body);
}

// The next request stands behind all of the answer, and of that some is still to be told: a call of it that happens to
// end like an answer is not where it ends.
TEST_F(TrackerTest, AnAnswerEndsNotBeforeAllThatWasWritten) {
    using namespace std::string_literals;
    Socket& server = open();
    const std::string eof = packet(3, "\xfe\0\0\2\0"s);
    const std::string column = packet(2, std::string("\3def\0\0\0\1a\1a\x0c\x21\0\xff\0\0\0\xfd\0\0\0\0\0", 25));
    const std::string ok = packet(1, "\0\0\0\2\0\0\0"s);
    std::string rows;
    for (int i = 0; i < 200; ++i) rows += packet(4 + i, std::string(100, 'x'));
    rows += packet(204, "\x0d" + ok + "yy");
    for (int i = 0; i < 3; ++i) {
        call(server, true, packet(0, "\3SELECT a FROM t" + std::to_string(i)));
        if (i == 0) {
            call(server, false, packet(1, "\1") + column + eof + rows.substr(0, rows.size() - 2));
            call(server, false, "yy" + packet(205, "\xfe\0\0\2\0"s));
        } else {
            call(server, false, packet(1, "\xff\x7a\4#42S02no such table"));
        }
    }
    pass(kSecond);
    ASSERT_EQ(spans(), 3u);
    EXPECT_EQ(span(1).attributes.text(attr::error_type), "1146");
    for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(span(i).incomplete, spans::Incomplete::No) << i;
    EXPECT_EQ(sum(host_.tracker().counts()).of(Cause::Hole), 0u);
}

// The close tells that there was more of the answer: not the connection's end is what it lacks.
TEST_F(TrackerTest, AnAnswerWhoseEndWasLostBeforeTheCloseIsCounted) {
    Socket& server = open();
    call(server, true, message('Q', text("SELECT a FROM t")));
    call(server, false, message('T', std::string(2, '\0')));
    Move lost = moved(server, false, message('C', text("SELECT 0")) + message('Z', "I"));
    lost.is_lost = true;
    host_.report(server, lost);
    host_.report_close(server, now_ns_);
    for (int i = 0; i < 3; ++i) pass(kSecond);
    ASSERT_EQ(spans(), 1u);
    EXPECT_EQ(span().incomplete, spans::Incomplete::Hole);
    EXPECT_EQ(span().attributes.text(attr::error_type), "");
    EXPECT_EQ(sum(host_.tracker().counts()).of(Cause::Hole), 1u);
}

// A proxy's thread: what it sends on belongs to the request it serves, not to the PING of another connection as well.
TEST_F(TrackerTest, WhatIsHeldServesNothingOnceItIsAnswered) {
    constexpr std::string_view kCommand = "*2\r\n$3\r\nGET\r\n$1\r\na\r\n";
    Socket& pinged = open({.id = 1});
    Socket& served = open({.id = 2, .client_port = 40001});
    Socket& upstream = open({.id = 3, .role = WG_ROLE_CLIENT, .client_port = 50000});
    call(pinged, true, "*1\r\n$4\r\nPING\r\n", 7);
    call(pinged, false, "+PONG\r\n", 7);
    EXPECT_EQ(sum(host_.tracker().counts()).seen, 0u);
    call(served, true, kCommand, 7);
    call(upstream, true, kCommand, 7);
    call(upstream, false, "$-1\r\n", 7);
    call(served, false, "$-1\r\n", 7);
    pass(2 * kSecond);
    pass(2 * kSecond);
    ASSERT_EQ(spans(), 3u);
    const auto find = [&](spans::SpanKind kind, std::string_view name) -> const spans::Span& {
        std::size_t i = 0;
        while (i < 2 && (span(i).kind != kind || span(i).name != name)) ++i;
        return span(i);
    };
    const spans::Span& sent = find(spans::SpanKind::Client, "GET");
    EXPECT_EQ(sent.parent_span_id, find(spans::SpanKind::Server, "GET").span_id);
    EXPECT_TRUE(sent.links.empty());
    EXPECT_EQ(find(spans::SpanKind::Server, "PING").name, "PING");
    EXPECT_EQ(sum(host_.tracker().counts()).seen, 3u);
}

}  // namespace
}  // namespace waggle::protocols::testing
