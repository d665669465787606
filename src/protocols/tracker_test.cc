// SPDX-License-Identifier: Apache-2.0
#include "protocols/tracker.h"

#include <gtest/gtest.h>

#include "protocols/testing/fastcgi.h"
#include "protocols/testing/tracker_test.h"
#include "spans/attribute_names.h"

namespace waggle::protocols::testing {
namespace {

TEST_F(TrackerTest, MeasuresFromTheFirstRequestByteToTheLastResponseByte) {
    Socket& socket = open();
    call(socket, true, kGet.substr(0, 7));
    call(socket, true, kGet.substr(7));
    call(socket, false, kOk.substr(0, 10));
    call(socket, false, kOk.substr(10));
    ASSERT_EQ(spans(), 1u);
    EXPECT_EQ(span().start_ns, 10 * kSecond + 1'000'000);
    EXPECT_EQ(span().first_byte_ns, 10 * kSecond + 3'000'000);
    EXPECT_EQ(span().end_ns, 10 * kSecond + 4'000'000);
    EXPECT_EQ(span().kind, spans::SpanKind::Server);
}

TEST_F(TrackerTest, ReadsAConnectionWhoseEventWasLostWithAnUnknownRole) {
    Socket& socket = open({.is_connection_lost = true});
    call(socket, true, kGet);
    call(socket, false, kOk);
    ASSERT_EQ(spans(), 1u);
    EXPECT_EQ(span().kind, spans::SpanKind::Internal);
    EXPECT_TRUE(span().has_unknown_role);
    // The profile of the export decides what is said of it.
    for (const spans::Attribute& attribute : span().attributes)
        EXPECT_FALSE(attribute.key.starts_with("waggle.")) << attribute.key;
    EXPECT_EQ(host_.tracker().stats().unknown_connection, 1u);
}

TEST_F(TrackerTest, CountsRecordsThatAreNone) {
    wg_data_event event{};
    event.head = {.type = WG_EVENT_DATA, .version = WG_EVENT_VERSION, .length = sizeof(event), .time_ns = 1};
    event.size = 10;
    event.captured = 10;  // of which there are none
    spans::SpanBatch batch;
    host_.tracker().on_event(std::as_bytes(std::span(&event, 1)), batch);
    host_.tracker().on_event(std::as_bytes(std::span(&event, 1)).first(20), batch);
    host_.tracker().on_event({}, batch);
    EXPECT_EQ(host_.tracker().stats().malformed, 3u);
    EXPECT_EQ(host_.tracker().connections(), 0u);
}

TEST_F(TrackerTest, MutesWhatNobodyKnowsAndLooksAgainLater) {
    Socket& socket = open();
    for (int turn = 0; turn < 4; ++turn) {
        call(socket, true, "\x01\x02nobody's protocol\r\n");
        call(socket, false, "\x03\x04nobody's answer\r\n");
    }
    pass(kSecond);
    EXPECT_EQ(host_.muted(), 1u);
    EXPECT_EQ(host_.tracker().unreadable().at({100, 8080}).connections, 1u);
    EXPECT_EQ(host_.tracker().unreadable().size(), 1u);
    EXPECT_GT(counts().of(Cause::UnknownProtocol), 0u);
    call(socket, true, kGet);
    call(socket, false, kOk);
    EXPECT_EQ(spans(), 0u);
    pass(31 * kSecond);
    call(socket, true, kGet);
    call(socket, false, kOk);
    ASSERT_EQ(spans(), 1u);
    EXPECT_EQ(status(), 200);
}

TEST_F(TrackerTest, FollowsRequestHeadsAsFarAsEverAfterAMute) {
    Socket& socket = open();
    for (int turn = 0; turn < 4; ++turn) {
        call(socket, true, "what?\r\n");
        call(socket, false, "no\r\n");
    }
    pass(kSecond);
    pass(31 * kSecond);
    call(socket, true, "GET /a HTTP/1.1\r\nCookie: " + std::string(9000, 'c') + "\r\nUser-Agent: last\r\n\r\n");
    call(socket, false, kOk);
    ASSERT_EQ(spans(), 1u);
    EXPECT_EQ(span().attributes.text(attr::user_agent_original), "last");
}

TEST_F(TrackerTest, ForgetsAMutedUnixConnectionAtItsEnd) {
    Socket& socket = open({.kind = WG_UNIX});
    for (int turn = 0; turn < 4; ++turn) {
        call(socket, true, "what?\r\n");
        call(socket, false, "no\r\n");
    }
    pass(kSecond);
    EXPECT_EQ(host_.tracker().unreadable().at({100, 0}).connections, 1u);
    host_.report_end(socket, now_ns_);
    pass(5'000'000);
    pass(5'000'000);
    EXPECT_EQ(host_.tracker().connections(), 0u);
}

// The end of a UNIX connection is told by the other end alone, before any tail was read, and nothing of what is known
// says that there is more.
TEST_F(TrackerTest, ATailMayTellTheEndOfAnAnswerWhenThePeerIsGone) {
    Socket& client = open({.id = 1, .role = WG_ROLE_CLIENT, .kind = WG_UNIX});
    Socket& server = open({.id = 2, .kind = WG_UNIX, .peer = 1});
    for (Socket* socket : {&client, &server}) call(*socket, true, fastcgi_request());
    for (Socket* socket : {&server, &client}) {
        call(*socket, false, fastcgi_first_piece());
        call(*socket, false, fastcgi_last_piece());
    }
    const std::uint64_t end = now_ns_;
    host_.report_end(server, now_ns_ += 1'000'000);
    for (int i = 0; i < 30; ++i) pass(5'000'000);
    ASSERT_EQ(spans(), 2u);
    for (const std::size_t i : {0u, 1u}) EXPECT_EQ(span(i).incomplete, spans::Incomplete::No) << i;
    EXPECT_EQ(std::max(span(0).end_ns, span(1).end_ns), end);
    EXPECT_EQ(host_.tracker().connections(), 0u);
}

// … and by another ring, whose reader knows nothing of this end.
TEST_F(TrackerTest, TheEndOfAUnixConnectionMayBeToldByItsIdAlone) {
    Socket& server = open({.kind = WG_UNIX});
    call(server, true, kGet);
    call(server, false, "HTTP/1.0 200 OK\r\n\r\nuntil the end");
    host_.report_gone(server, now_ns_ += 1'000'000);
    for (int i = 0; i < 30; ++i) pass(5'000'000);
    ASSERT_EQ(spans(), 1u);
    EXPECT_EQ(span().incomplete, spans::Incomplete::No);
    EXPECT_EQ(span().attributes.number(attr::http_response_body_size, 0), 13);
    EXPECT_EQ(host_.tracker().connections(), 0u);
    EXPECT_EQ(host_.tracker().stats().unknown_connection, 0u);
}

// … or that it sends no more: an answer ends with that, however much of it was not copied.
TEST_F(TrackerTest, TheOtherEndOfAUnixConnectionTellsThatNoMoreIsSent) {
    Socket& server = open({.kind = WG_UNIX});
    call(server, true, kGet);
    call(server, false, "HTTP/1.0 200 OK\r\n\r\n" + std::string(20'000, 'x'));
    call(server, false, std::string(100, 'x'));
    host_.report_gone(server, now_ns_ += 1'000'000, true);
    ASSERT_EQ(spans(), 1u);
    EXPECT_EQ(span().incomplete, spans::Incomplete::No);
    EXPECT_EQ(span().attributes.number(attr::http_response_body_size, 0), 20'100);
    pass(kSecond);
    EXPECT_EQ(host_.tracker().connections(), 1u);
}

// A TCP connection that nothing was seen of yet may be closed one way, too.
TEST_F(TrackerTest, HalfACloseBeforeAnyBytesEndsNothing) {
    Socket& socket = open();
    call(socket, true, kGet);
    wg_close_event event{};
    event.head = {.type = WG_EVENT_CLOSE, .version = WG_EVENT_VERSION, .length = sizeof(event), .time_ns = now_ns_};
    event.connection = socket.id();
    event.half = 1;
    host_.tracker().on_event(std::as_bytes(std::span(&event, 1)), host_.batch());
    for (int i = 0; i < 30; ++i) pass(5'000'000);
    EXPECT_EQ(host_.tracker().connections(), 1u);
}

TEST_F(TrackerTest, ForgetsSilentConnectionsButNotOpenExchanges) {
    call(open({.id = 1}), true, kGet);
    Socket& done = open({.id = 2});
    call(done, true, kGet);
    call(done, false, kOk);
    pass(121 * kSecond);
    EXPECT_EQ(host_.tracker().connections(), 1u);
    EXPECT_EQ(host_.tracker().open_exchanges(), 1u);
}

// Its close found no room in the ring.
TEST_F(TrackerTest, CountsARequestOfWhichOnlyTheBeginningCameBeforeItsConnectionFellSilent) {
    Socket& socket = open();
    call(socket, true, kGet);
    call(socket, false, kOk);
    call(socket, true, "G");
    pass(121 * kSecond);
    EXPECT_EQ(host_.tracker().connections(), 0u);
    EXPECT_EQ(spans(), 1u);
    EXPECT_EQ(counts().of(Cause::Hole), 1u);
}

// The map of tails is read after the ring: it may know more.
TEST_F(TrackerTest, ATailWaitsForTheEventThatBeganItsTurn) {
    Socket& socket = open();
    call(socket, true, kGet);
    call(socket, false, kOk);
    call(socket, true, kGet);
    const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n";
    const Move first = moved(socket, false, head);
    const wg_tail tail{.end = first.position + head.size() + 100000,
                       .end_ns = now_ns_,
                       .first_ns = now_ns_,
                       .tail = {},
                       .turn = 2,
                       .calls = 9};
    const wg_tail_key key{.connection = socket.id(), .direction = WG_SEND, .padding = 0};
    host_.tracker().on_tail(key, tail, host_.batch());
    host_.report(socket, first);
    host_.tracker().on_tail(key, tail, host_.batch());
    pass(5'000'000);
    ASSERT_EQ(spans(), 2u);
    EXPECT_EQ(status(1), 200);
    EXPECT_EQ(span(1).attributes.number(attr::http_response_body_size, 0), 100000);
}

TEST_F(TrackerTest, TakesTheQueueTimeOfARequestsFirstByte) {
    Socket& socket = open();
    Move request = moved(socket, true, kGet);
    request.queue_us = 1500;
    host_.report(socket, request);
    call(socket, false, kOk);
    ASSERT_EQ(spans(), 1u);
    EXPECT_EQ(span().queue_us, 1500u);
}

TEST_F(TrackerTest, ShowsWhatServersHaveOpen) {
    call(open({.id = 1}), true, kGet);
    call(open({.id = 2, .role = WG_ROLE_CLIENT}), true, kGet);
    std::vector<std::string> shown;
    host_.tracker().visit_open([&](const spans::ProcessKey& process, std::span<const spans::Attribute> attributes) {
        EXPECT_EQ(process.pid, 100u);
        for (const auto& [name, value] : attributes) shown.emplace_back(std::get<std::string_view>(value));
    });
    EXPECT_EQ(shown, (std::vector<std::string>{"GET", "http"}));
}

TEST_F(TrackerTest, TailsEndLongResponses) {
    Socket& socket = open();
    call(socket, true, kGet);
    call(socket, false, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
    for (int i = 0; i < 100; ++i) call(socket, false, std::string(1000, 'x'));
    const std::uint64_t end = now_ns_;
    EXPECT_EQ(spans(), 0u);
    EXPECT_TRUE(host_.tracker().wants_tails());
    pass(5'000'000);
    ASSERT_EQ(spans(), 1u);
    EXPECT_EQ(span().end_ns, end);
    EXPECT_EQ(span().attributes.number(attr::http_response_body_size, 0), 100000);
    EXPECT_FALSE(socket.tail(WG_SEND).has_value());
}

TEST_F(TrackerTest, TheNextRequestEndsALongResponseBeforeAnyTick) {
    Socket& socket = open({.role = WG_ROLE_CLIENT});
    call(socket, true, kGet);
    call(socket, false,
         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1388\r\n" + std::string(5000, 'x') + "\r\n");
    call(socket, false, "1\r\nx\r\n0\r\n\r\n");
    const std::uint64_t end = now_ns_;
    call(socket, true, kGet);
    call(socket, false, kOk);
    ASSERT_EQ(spans(), 2u);
    EXPECT_EQ(span(0).end_ns, end);
    EXPECT_EQ(span(1).end_ns, now_ns_);
}

TEST_F(TrackerTest, TakesASendThatIsReportedAfterTheClose) {
    Socket& socket = open({.role = WG_ROLE_CLIENT});
    call(socket, true, kGet);
    call(socket, false, kOk);
    const Move late = moved(socket, true, "POST /late HTTP/1.1\r\nContent-Length: 0\r\n\r\n");
    host_.report_close(socket, now_ns_);
    pass(1'000'000);  // a tick may come in between
    host_.report(socket, late);
    pass(5'000'000);
    pass(5'000'000);
    ASSERT_EQ(spans(), 2u);
    EXPECT_EQ(span(1).attributes.text(attr::url_path), "/late");
    EXPECT_EQ(span(1).kind, spans::SpanKind::Client);
    EXPECT_EQ(span(1).incomplete, spans::Incomplete::Closed);
    EXPECT_EQ(host_.tracker().connections(), 0u);
}

TEST_F(TrackerTest, AHalfClosedConnectionIsStillAnswered) {
    Socket& socket = open({.role = WG_ROLE_CLIENT});
    call(socket, true, kGet);
    host_.report_close(socket, now_ns_, true);
    pass(5'000'000);
    call(socket, false, kOk);
    ASSERT_EQ(spans(), 1u);
    EXPECT_EQ(span().incomplete, spans::Incomplete::No);
}

TEST_F(TrackerTest, AgentStopExportsWhatIsOpenAsUnknown) {
    call(open(), true, kGet);
    host_.tracker().finish(now_ns_, host_.batch());
    ASSERT_EQ(spans(), 1u);
    EXPECT_EQ(span().incomplete, spans::Incomplete::AgentStop);
    EXPECT_EQ(status(), 0);
    EXPECT_EQ(span().status, spans::Status::Unset);
    EXPECT_EQ(host_.tracker().connections(), 0u);
}

TEST_F(TrackerTest, ExportsAnOldExchangeOnceAndKeepsItOpen) {
    Socket& socket = open();
    call(socket, true, kGet);
    pass(301 * kSecond);
    ASSERT_EQ(spans(), 1u);
    EXPECT_EQ(span().incomplete, spans::Incomplete::MaxAge);
    EXPECT_EQ(span().end_ns - span().start_ns, 300 * kSecond);
    EXPECT_EQ(status(), 0);
    EXPECT_EQ(host_.tracker().open_exchanges(), 1u);
    call(socket, false, kOk);
    pass(kSecond);
    EXPECT_EQ(spans(), 1u);
    EXPECT_EQ(host_.tracker().open_exchanges(), 0u);
}

// Whichever is forgotten, those that stand beside it are kept.
TEST_F(TrackerTest, ForgetsWhatIsClosedAmongMany) {
    for (std::uint64_t id = 1; id <= 9; ++id) call(open({.id = id}), true, kGet);
    for (const std::uint64_t id : {9, 1, 5, 4, 6}) {
        host_.report_close(host_.socket(id), now_ns_);
        for (int i = 0; i < 2; ++i) pass(5'000'000);
    }
    EXPECT_EQ(host_.tracker().open_exchanges(), 4u);
    pass(kSecond);
    for (const std::uint64_t id : {2, 3, 7, 8}) call(host_.socket(id), false, kOk);
    pass(kSecond);
    EXPECT_EQ(host_.tracker().open_exchanges(), 0u);
    EXPECT_EQ(spans(), 9u);
}

TEST_F(TrackerTest, ForgetsAnAbandonedExchangeInTheEnd) {
    call(open(), true, kGet);
    for (int hour = 0; hour < 3; ++hour) pass(3600 * kSecond);
    EXPECT_EQ(spans(), 1u);
    EXPECT_EQ(host_.tracker().connections(), 0u);
    EXPECT_EQ(host_.tracker().open_exchanges(), 0u);
    EXPECT_FALSE(host_.tracker().wants_tails());
}

TEST_F(TrackerTest, ARequestAfterAPauseIsReadAgainOnAPipelinedConnectionThatLostBytes) {
    Socket& socket = open();
    call(socket, true, std::string(kGet) + std::string(kGet));
    call(socket, false, std::string(kOk) + std::string(kOk));
    Move lost = moved(socket, true, std::string(kGet) + std::string(kGet));
    lost.is_lost = true;
    host_.report(socket, lost);
    call(socket, false, kOk);
    call(socket, true, kGet);
    call(socket, false, std::string(kOk) + std::string(kOk));
    EXPECT_EQ(spans(), 2u);
    EXPECT_GT(counts().of(Cause::Hole), 0u);
    now_ns_ += 2 * kSecond;
    call(socket, true, kGet);
    call(socket, false, "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n");
    ASSERT_EQ(spans(), 3u);
    EXPECT_EQ(status(2), 503);
}

// The client's event is drained after its server's exchange has ended, one tick later.
TEST_F(TrackerTest, WaitsATickForTheCallerOfAShortExchange) {
    Socket& server = open({.id = 1});
    Socket& client = open({.id = 2, .role = WG_ROLE_CLIENT, .pid = 200});
    const Move sent = moved(client, true, kGet);
    call(server, true, kGet);
    call(server, false, kOk);
    pass(5'000'000);
    EXPECT_EQ(prompt(), 0u);
    EXPECT_EQ(counts().exported, 1u);
    host_.report(client, sent);
    call(client, false, kOk);
    pass(5'000'000);
    ASSERT_EQ(prompt(), 2u);
    const spans::Span& first = host_.prompt_batch().begin()[0];
    const spans::Span& second = host_.prompt_batch().begin()[1];
    const bool is_server_first = first.kind == spans::SpanKind::Server;
    const spans::Span& of_server = is_server_first ? first : second;
    const spans::Span& of_client = is_server_first ? second : first;
    EXPECT_EQ(of_server.parent_source, spans::ParentSource::Exact);
    EXPECT_EQ(of_server.parent_span_id, of_client.span_id);
    EXPECT_EQ(of_server.trace_id, of_client.trace_id);
    EXPECT_EQ(of_server.attributes.text(attr::url_path), "/a");
    EXPECT_EQ(host_.tracker().joined(), 1u);
}

// So does what it called, whose trace is the caller's.
TEST_F(TrackerTest, WhatAWaitingExchangeHasCalledWaitsToo) {
    Socket& server = open({.id = 1});
    Socket& inner = open({.id = 3, .role = WG_ROLE_CLIENT, .client_port = 50000});
    Socket& client = open({.id = 2, .role = WG_ROLE_CLIENT, .pid = 200});
    const Move sent = moved(client, true, kGet);
    call(server, true, kGet, 7);
    call(inner, true, kGet, 7);
    call(inner, false, kOk, 7);
    call(server, false, kOk, 7);
    pass(5'000'000);
    host_.report(client, sent);
    call(client, false, kOk);
    pass(5'000'000);
    ASSERT_EQ(prompt(), 3u);
    for (const spans::Span& span : host_.prompt_batch())
        EXPECT_EQ(span.trace_id, host_.prompt_batch().begin()->trace_id);
}

TEST_F(TrackerTest, AKnownCallerOrALongExchangeWaitsForNothing) {
    Socket& server = open({.id = 1});
    Socket& client = open({.id = 2, .role = WG_ROLE_CLIENT, .pid = 200});
    call(client, true, kGet);
    call(server, true, kGet);
    call(server, false, kOk);
    EXPECT_EQ(prompt(), 1u);
    Socket& alone = open({.id = 3, .client_port = 50000});
    call(alone, true, kGet);
    for (int i = 0; i < 2; ++i) pass(5'000'000);
    call(alone, false, kOk);
    EXPECT_EQ(prompt(), 2u);
}

TEST_F(TrackerTest, WhatNobodyCalledLeavesAtTheSecondTickAndAtTheEnd) {
    Socket& server = open();
    call(server, true, kGet);
    call(server, false, kOk);
    pass(5'000'000);
    EXPECT_EQ(prompt(), 0u);
    pass(5'000'000);
    EXPECT_EQ(prompt(), 1u);
    call(server, true, kGet);
    call(server, false, kOk);
    host_.tracker().finish(now_ns_, host_.prompt_batch());
    EXPECT_EQ(prompt(), 2u);
}

// The client's thread was put aside between its send and the report; its connection is known.
TEST_F(TrackerTest, WaitsForACallerWhoseConnectionIsWatched) {
    Socket& client = open({.id = 2, .role = WG_ROLE_CLIENT, .pid = 200});
    Socket& server = open({.id = 1});
    call(client, true, kGet);
    call(server, true, kGet);
    call(server, false, kOk);
    call(client, false, kOk);
    EXPECT_EQ(prompt(), 2u);
    const Move sent = moved(client, true, kGet);
    call(server, true, kGet);
    call(server, false, kOk);
    for (int i = 0; i < 20; ++i) pass(5'000'000);
    EXPECT_EQ(prompt(), 2u);
    host_.report(client, sent);
    call(client, false, kOk);
    pass(5'000'000);
    EXPECT_EQ(prompt(), 4u);
    EXPECT_EQ(host_.tracker().joined(), 2u);
    // Whose report is lost.
    moved(client, true, kGet);
    call(server, true, kGet);
    call(server, false, kOk);
    for (int i = 0; i < 70; ++i) pass(5'000'000);
    EXPECT_EQ(prompt(), 5u);
    // Whose connection is closed.
    host_.report_close(client, now_ns_);
    for (int i = 0; i < 2; ++i) pass(5'000'000);
    call(server, true, kGet);
    call(server, false, kOk);
    for (int i = 0; i < 2; ++i) pass(5'000'000);
    EXPECT_EQ(prompt(), 6u);
}

// Of a ring that is drained slowly, the client's.
TEST(Trackers, WaitForTheReaderThatIsBehind) {
    const auto calls = std::make_shared<HeldCalls>();
    const auto config = [&] {
        TrackerConfig config;
        config.calls = calls;
        return config;
    };
    Host clients(config()), servers(config());
    Socket& client = clients.add({.id = 2, .role = WG_ROLE_CLIENT, .pid = 200});
    Socket& server = servers.add({.id = 1});
    std::uint64_t now = kSecond;
    for (Host* host : {&clients, &servers}) host->tick(now);
    const Move sent = client.moved(WG_SEND, std::string(kGet), now += 1000);
    servers.report(server, server.moved(WG_RECEIVE, std::string(kGet), now += 1000));
    servers.report(server, server.moved(WG_SEND, std::string(kOk), now += 1000));
    for (int i = 0; i < 20; ++i) servers.tick(now += 5'000'000);
    EXPECT_EQ(servers.prompt_batch().size(), 0u);
    clients.report(client, sent);
    for (int i = 0; i < 2; ++i)
        for (Host* host : {&clients, &servers}) host->tick(now += 5'000'000);
    ASSERT_EQ(servers.prompt_batch().size(), 1u);
    EXPECT_EQ(servers.prompt_batch().begin()->parent_source, spans::ParentSource::Exact);
    // One that hangs is waited for a second.
    servers.report(server, server.moved(WG_RECEIVE, std::string(kGet), now += 1000));
    servers.report(server, server.moved(WG_SEND, std::string(kOk), now += 1000));
    servers.tick(now += 5'000'000);
    servers.tick(now += kSecond / 2);
    EXPECT_EQ(servers.prompt_batch().size(), 1u);
    servers.tick(now += kSecond);
    EXPECT_EQ(servers.prompt_batch().size(), 2u);
}

class NoTracesTrackerTest : public TrackerTest {
  protected:
    NoTracesTrackerTest()
        : TrackerTest({.options = {.sensitive_query_params = {}, .wants_traces = false}, .threads_are_contexts = {}}) {}
};

TEST_F(NoTracesTrackerTest, NothingWaits) {
    Socket& server = open();
    call(server, true, kGet);
    call(server, false, kOk);
    EXPECT_EQ(prompt(), 1u);
}

class TimeoutTrackerTest : public TrackerTest {
  protected:
    TimeoutTrackerTest()
        : TrackerTest({.options = {.http_request_timeout_ns = 30 * kSecond, .sensitive_query_params = {}},
                       .threads_are_contexts = {}}) {}
};

TEST_F(TimeoutTrackerTest, ReportsATimeoutAsBeylaDoes) {
    Socket& socket = open();
    call(socket, true, kGet);
    pass(31 * kSecond);
    ASSERT_EQ(spans(), 1u);
    EXPECT_EQ(status(), 408);
    EXPECT_EQ(span().incomplete, spans::Incomplete::Timeout);
    EXPECT_EQ(span().end_ns - span().start_ns, 30 * kSecond);
    call(socket, false, kOk);
    pass(kSecond);
    EXPECT_EQ(spans(), 1u);
}

TEST_F(TimeoutTrackerTest, AnAnswerThatHasBegunIsNoTimeout) {
    Socket& socket = open();
    call(socket, true, kGet);
    call(socket, false, kOk.substr(0, kOk.size() - 1));
    pass(31 * kSecond);
    EXPECT_EQ(spans(), 0u);
}

}  // namespace
}  // namespace waggle::protocols::testing
