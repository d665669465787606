// SPDX-License-Identifier: Apache-2.0
#include "agent/tallies.h"

#include <gtest/gtest.h>

#include "bpf/abi/events.h"

namespace waggle::agent {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kTtl = 300 * kSecond;

struct TalliesTest : ::testing::Test {
    static Tallies::Table table_of(std::uint32_t pid, const std::string& service) {
        auto resource = std::make_shared<spans::Resource>();
        resource->service_name = service;
        auto target = std::make_shared<discover::Target>();
        target->pid = pid;
        target->resource = resource;
        return std::make_shared<discover::TargetTable>(std::vector<std::shared_ptr<const discover::Target>>{target});
    }
    static wg_tally_key key_of(std::uint32_t pid) {
        return {.pid = pid, .port = 80, .role = WG_ROLE_SERVER, .kind = WG_TCP};
    }
    bool take(std::uint32_t pid, std::uint64_t count, const Tallies::Table& table, std::uint64_t now_ns = kSecond) {
        return tallies.take(key_of(pid), {.count = count, .unanswered = 0, .sum_ns = count * 1000, .buckets = {count}},
                            table, now_ns);
    }
    // By service, "" for those of nobody.
    std::map<std::string, std::uint64_t> counts() const {
        metrics::Snapshot snapshot;
        tallies.append(snapshot);
        std::map<std::string, std::uint64_t> found;
        for (const auto& resource : snapshot.resources)
            for (const auto& metric : resource.metrics)
                for (const auto& point : metric.points)
                    found[resource.resource ? resource.resource->service_name : ""] += point.histogram.count;
        return found;
    }

    metrics::SelfMetrics self;
    sensors::Map<wg_tally_key, wg_tally> map;
    Tallies tallies{map, self, kTtl};
};

TEST_F(TalliesTest, SumsWhatHasGrown) {
    const auto table = table_of(7, "shop");
    EXPECT_FALSE(take(7, 5, table));
    EXPECT_FALSE(take(7, 8, table));
    EXPECT_FALSE(take(7, 8, table));
    EXPECT_EQ(counts(), (std::map<std::string, std::uint64_t>{{"shop", 8}}));
}

TEST_F(TalliesTest, AProcessThatHasEndedKeepsItsServiceAndLosesItsEntry) {
    take(7, 5, table_of(7, "shop"));
    EXPECT_TRUE(take(7, 5, nullptr));
    EXPECT_EQ(counts(), (std::map<std::string, std::uint64_t>{{"shop", 5}}));
}

TEST_F(TalliesTest, ForgetsWhatHasNotGrownForLong) {
    const auto shop = table_of(7, "shop");
    const auto cart = table_of(8, "cart");
    take(7, 5, shop);
    take(8, 6, cart);
    take(8, 7, cart, kSecond + kTtl);
    tallies.expire(2 * kSecond + kTtl);
    EXPECT_EQ(counts(), (std::map<std::string, std::uint64_t>{{"cart", 7}}));
}

TEST_F(TalliesTest, NewServicesFindRoomWhenOldOnesAreForgotten) {
    for (std::uint32_t pid = 1; pid <= 2500; ++pid) take(pid, 1, table_of(pid, "old"));
    EXPECT_EQ(counts()[""], 500u);
    tallies.expire(2 * kSecond + kTtl);
    take(9000, 4, table_of(9000, "fresh"), 2 * kSecond + kTtl);
    EXPECT_EQ(counts(), (std::map<std::string, std::uint64_t>{{"fresh", 4}}));
}

}  // namespace
}  // namespace waggle::agent
