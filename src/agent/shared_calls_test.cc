// SPDX-License-Identifier: Apache-2.0
#include "agent/shared_calls.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "protocols/traces.h"

namespace waggle::agent {
namespace {

using protocols::TraceIds;
using protocols::Traces;

constexpr std::uint32_t kCalls = 20000;

Traces::Call call(std::uint32_t request, std::uint32_t pid) {
    spans::SequenceIdentity sequence;
    sequence.client_port = 4000;
    sequence.request = request;
    sequence.is_known = true;
    return {.header = {}, .sequence = sequence, .pid = pid, .thread = pid, .now_ns = 1};
}

// Whichever end of a call is first, and however they run beside each other: at the end all are joined, and
// what the server has called before it knew its caller has the caller's trace.
TEST(SharedCalls, ReadersJoinTheEndsOfEveryCall) {
    const auto calls = std::make_shared<SharedCalls>();
    Traces clients(1, calls), servers(2, calls);
    std::vector<TraceIds> client(kCalls), server(kCalls), child(kCalls);
    {
        std::jthread one([&] {
            for (std::uint32_t i = 0; i < kCalls; ++i) clients.open_client(call(i, 1), client[i]);
        });
        std::jthread other([&] {
            for (std::uint32_t i = 0; i < kCalls; ++i) {
                servers.open_server(call(i, 2), server[i]);
                servers.open_client(call(kCalls + i, 2), child[i]);
                servers.close_server(call(i, 2), server[i]);
                servers.expire(1);
            }
        });
    }
    for (std::uint32_t i = 0; i < kCalls; ++i) {
        servers.settle(call(i, 2).sequence, true, server[i]);
        servers.settle(call(kCalls + i, 2).sequence, false, child[i]);
        ASSERT_EQ(server[i].source, spans::ParentSource::Exact) << i;
        ASSERT_EQ(server[i].parent, client[i].span_id) << i;
        ASSERT_EQ(server[i].trace_id, client[i].trace_id) << i;
        ASSERT_EQ(child[i].trace_id, client[i].trace_id) << i;
        ASSERT_EQ(child[i].parent, server[i].span_id) << i;
    }
    EXPECT_EQ(servers.joined(), kCalls);
}

// A caller that comes while its server's ids are settled is found whole, now or at the next look.
TEST(SharedCalls, TakesTheParentWithTheTrace) {
    const auto calls = std::make_shared<SharedCalls>();
    Traces clients(1, calls), servers(2, calls);
    for (std::uint32_t i = 0; i < kCalls / 10; ++i) {
        TraceIds client, server;
        servers.open_server(call(i, 2), server);
        std::atomic<bool> is_there = false;
        std::jthread other([&] {
            clients.open_client(call(i, 1), client);
            is_there = true;
        });
        while (!is_there) {
            servers.settle(call(i, 2).sequence, true, server);
            ASSERT_EQ(server.source == spans::ParentSource::Exact, server.unsure_ns == 0) << i;
        }
    }
}

}  // namespace
}  // namespace waggle::agent
