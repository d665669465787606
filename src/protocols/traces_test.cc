// SPDX-License-Identifier: Apache-2.0
#include "protocols/traces.h"

#include <gtest/gtest.h>

namespace waggle::protocols {
namespace {

using spans::ParentSource;

Traces::Call call(std::uint32_t request, std::uint32_t pid, std::uint64_t thread, std::uint64_t now_ns = 1) {
    spans::SequenceIdentity sequence;
    sequence.client_port = 4000;
    sequence.request = request;
    sequence.is_known = request != 0;
    return {.header = {}, .sequence = sequence, .pid = pid, .thread = thread, .now_ns = now_ns};
}

void settle_server(Traces& traces, const Traces::Call& call, TraceIds& ids) { traces.settle(call.sequence, true, ids); }

Traces::Call with_header(Traces::Call call, const char* header) {
    call.header = spans::parse_traceparent(header);
    return call;
}

constexpr const char* kHeader = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

TEST(Traces, AHeaderNamesTraceParentAndFlags) {
    Traces traces(1);
    TraceIds ids;
    traces.open_server(with_header(call(0, 1, 1), kHeader), ids);
    EXPECT_EQ(ids.source, ParentSource::Header);
    EXPECT_EQ(ids.trace_id.bytes[0], 0x0a);
    EXPECT_EQ(ids.parent.bytes[0], 0xb7);
    EXPECT_EQ(ids.flags, 0);
    EXPECT_TRUE(ids.has_remote_root);
}

TEST(Traces, AServerWhoseCallerIsKnownJoinsIt) {
    Traces traces(1);
    TraceIds client, server;
    traces.open_client(call(7, 1, 1), client);
    traces.open_server(call(7, 2, 2), server);
    EXPECT_EQ(server.source, ParentSource::Exact);
    EXPECT_EQ(server.trace_id, client.trace_id);
    EXPECT_EQ(server.parent, client.span_id);
    EXPECT_EQ(traces.joined(), 1u);
}

TEST(Traces, AServerWhoseCallerComesLateJoinsItAtItsEnd) {
    Traces traces(1);
    TraceIds client, server;
    traces.open_server(call(7, 2, 2), server);
    traces.open_client(call(7, 1, 1), client);
    settle_server(traces, call(7, 2, 2), server);
    EXPECT_EQ(server.trace_id, client.trace_id);
    EXPECT_EQ(server.parent, client.span_id);
    settle_server(traces, call(7, 2, 2), server);
    EXPECT_EQ(traces.joined(), 1u);
}

// Both what the server called before its caller was reported, and after.
TEST(Traces, WhatALateJoinedServerCallsIsInTheCallersTrace) {
    Traces traces(1);
    TraceIds caller, server, before, grandchild, after;
    traces.open_server(call(7, 2, 2), server);
    traces.open_client(call(8, 2, 2), before);
    traces.open_server(call(8, 3, 3), grandchild);
    traces.open_client(call(7, 1, 1), caller);
    traces.open_client(call(9, 2, 2), after);
    EXPECT_EQ(after.trace_id, caller.trace_id);
    for (TraceIds* ids : {&before, &grandchild}) {
        EXPECT_FALSE(ids->trace_id == caller.trace_id);
        traces.settle({}, false, *ids);
        EXPECT_EQ(ids->trace_id, caller.trace_id);
    }
    EXPECT_EQ(before.parent, server.span_id);
    EXPECT_EQ(grandchild.parent, before.span_id);
    EXPECT_EQ(after.parent, server.span_id);
}

// Each service's caller is reported after what the service itself has called.
TEST(Traces, AChainThatIsReportedBackwardsIsOneTrace) {
    Traces traces(1);
    TraceIds caller, first, call_8, second, call_9, third;
    traces.open_server(call(9, 4, 4), third);
    traces.open_server(call(8, 3, 3), second);
    traces.open_client(call(9, 3, 3), call_9);
    traces.open_server(call(7, 2, 2), first);
    traces.open_client(call(8, 2, 2), call_8);
    traces.open_client(call(7, 1, 1), caller);
    settle_server(traces, call(9, 4, 4), third);
    settle_server(traces, call(8, 3, 3), second);
    for (TraceIds* ids : {&call_8, &call_9}) traces.settle({}, false, *ids);
    for (const TraceIds* ids : {&call_8, &second, &call_9, &third}) EXPECT_EQ(ids->trace_id, caller.trace_id);
    EXPECT_EQ(third.parent, call_9.span_id);
}

TEST(Traces, TheEndsOfACallMeetThoughTheirRingsDiffer) {
    const auto calls = std::make_shared<HeldCalls>();
    Traces clients(1, calls), servers(2, calls);
    TraceIds client, server, late_client, late_server;
    clients.open_client(call(7, 1, 1), client);
    servers.open_server(call(7, 2, 2), server);
    EXPECT_EQ(server.parent, client.span_id);
    servers.open_server(call(8, 2, 2), late_server);
    clients.open_client(call(8, 1, 1), late_client);
    settle_server(servers, call(8, 2, 2), late_server);
    EXPECT_EQ(late_server.parent, late_client.span_id);
    EXPECT_EQ(servers.joined(), 2u);
}

// As many were sent to other hosts meanwhile: the newest are the ones whose servers come yet.
TEST(Traces, TheOldestCallsGoWhenThereAreTooMany) {
    const auto calls = std::make_shared<HeldCalls>(128);
    Traces traces(1, calls);
    TraceIds client, server;
    for (std::uint32_t i = 1; i <= 1000; ++i) traces.open_client(call(i, 1, 1), client);
    traces.open_server(call(872, 2, 2), server);
    EXPECT_EQ(server.source, ParentSource::None);
    traces.open_server(call(873, 2, 2), server);
    EXPECT_EQ(server.source, ParentSource::Exact);
}

// With several rings it is a matter of time which joins succeed at once.
TEST(Traces, IdsDoNotDependOnJoins) {
    Traces alone(1);
    TraceIds client, first, second;
    const auto calls = std::make_shared<HeldCalls>();
    Traces with(1, calls), other(3, calls);
    other.open_client(call(7, 1, 1), client);
    with.open_server(call(7, 2, 2), first);
    ASSERT_EQ(first.source, ParentSource::Exact);
    with.open_server(call(8, 2, 2), first);
    alone.open_server(call(7, 2, 2), second);
    alone.open_server(call(8, 2, 2), second);
    EXPECT_EQ(first.span_id, second.span_id);
    EXPECT_EQ(first.trace_id, second.trace_id);
}

TEST(Traces, OtherSequencesAreOtherCalls) {
    Traces traces(1);
    TraceIds client, server;
    traces.open_client(call(7, 1, 1), client);
    traces.open_server(call(8, 2, 2), server);
    EXPECT_EQ(server.source, ParentSource::None);
    EXPECT_FALSE(server.trace_id == client.trace_id);
}

TEST(Traces, ACallerIsHeldForSecondsOnly) {
    Traces traces(1);
    TraceIds client, server;
    traces.open_client(call(7, 1, 1, 1), client);
    traces.expire(3'000'000'000);
    traces.open_server(call(7, 2, 2, 3'000'000'000), server);
    EXPECT_EQ(server.source, ParentSource::None);
}

TEST(Traces, AHeaderOfAnotherTraceIsNoJoin) {
    Traces traces(1);
    TraceIds client, server;
    traces.open_client(call(7, 1, 1), client);
    traces.open_server(with_header(call(7, 2, 2), kHeader), server);
    EXPECT_EQ(server.source, ParentSource::Header);
}

TEST(Traces, TheOneExchangeOfAThreadIsTheParentOfItsCalls) {
    Traces traces(1);
    TraceIds server, client, other;
    traces.open_server(with_header(call(0, 1, 5), kHeader), server);
    traces.open_client(call(0, 1, 5), client);
    EXPECT_EQ(client.source, ParentSource::Thread);
    EXPECT_EQ(client.parent, server.span_id);
    EXPECT_EQ(client.trace_id, server.trace_id);
    EXPECT_EQ(client.flags, 0);
    traces.open_client(call(0, 2, 5), other);  // another process's thread
    EXPECT_EQ(other.source, ParentSource::None);
    traces.close_server(call(0, 1, 5), server);
    traces.open_client(call(0, 1, 5), other);
    EXPECT_EQ(other.source, ParentSource::None);
}

TEST(Traces, SeveralPossibleParentsBecomeLinks) {
    Traces traces(1);
    TraceIds first, second, client;
    traces.open_server(call(0, 1, 5), first);
    traces.open_server(call(0, 1, 5), second);
    traces.open_client(call(0, 1, 5), client);
    EXPECT_EQ(client.source, ParentSource::None);
    EXPECT_FALSE(client.parent.is_valid());
    ASSERT_EQ(client.links.size(), 2u);
    EXPECT_EQ(client.links[0].span_id, first.span_id);
    EXPECT_EQ(client.links[1].span_id, second.span_id);
    EXPECT_EQ(client.links[1].trace_id, second.trace_id);
}

TEST(Traces, AThreadThatSaysNothingGivesNoParent) {
    Traces traces(1);
    TraceIds server, client;
    traces.open_server(call(0, 1, 0), server);
    traces.open_client(call(0, 1, 0), client);
    EXPECT_EQ(client.source, ParentSource::None);
    EXPECT_TRUE(client.links.empty());
}

TEST(Traces, AHeaderThatAProxyPassedOnHasItsServerExchangeBetween) {
    Traces traces(1);
    TraceIds server, client;
    traces.open_server(with_header(call(0, 1, 5), kHeader), server);
    traces.open_client(with_header(call(0, 1, 5), kHeader), client);
    EXPECT_EQ(client.parent, server.span_id);
    EXPECT_EQ(client.trace_id, server.trace_id);
}

}  // namespace
}  // namespace waggle::protocols
