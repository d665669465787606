// SPDX-License-Identifier: Apache-2.0
#include "base/channel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

namespace waggle {
namespace {

using std::chrono::milliseconds;

TEST(Channel, KeepsOrder) {
    Channel<int> channel(4);
    for (const int item : {1, 2, 3}) EXPECT_EQ(channel.push(item), std::nullopt);
    EXPECT_EQ(channel.size(), 3u);
    for (const int item : {1, 2, 3}) EXPECT_EQ(channel.try_pop(), item);
    EXPECT_EQ(channel.try_pop(), std::nullopt);
}

TEST(Channel, GivesTheOldestBackWhenFull) {
    Channel<int> channel(2);
    channel.push(1);
    channel.push(2);
    EXPECT_EQ(channel.push(3), 1);
    EXPECT_EQ(channel.try_pop(), 2);
    EXPECT_EQ(channel.try_pop(), 3);
}

TEST(Channel, MovesWhatCannotBeCopied) {
    Channel<std::unique_ptr<int>> channel(1);
    channel.push(std::make_unique<int>(7));
    EXPECT_EQ(**channel.push(std::make_unique<int>(8)), 7);
    EXPECT_EQ(**channel.try_pop(), 8);
}

TEST(Channel, DrainsAfterItsClose) {
    Channel<int> channel(4);
    channel.push(1);
    channel.close();
    EXPECT_TRUE(channel.is_closed());
    EXPECT_EQ(channel.push(2), 2);
    EXPECT_EQ(channel.pop_for(milliseconds(10'000)), 1);
    EXPECT_EQ(channel.pop_for(milliseconds(10'000)), std::nullopt);
}

TEST(Channel, AWaitEndsAtItsDeadline) {
    Channel<int> channel(1);
    EXPECT_EQ(channel.pop_for(milliseconds(1)), std::nullopt);
}

TEST(Channel, ClosingWakesEveryReceiver) {
    Channel<int> channel(1);
    std::vector<std::jthread> receivers;
    for (int i = 0; i < 4; ++i)
        receivers.emplace_back([&] { EXPECT_EQ(channel.pop_for(milliseconds(60'000)), std::nullopt); });
    channel.close();
}

TEST(Channel, LosesNothingUncountedBetweenThreads) {
    constexpr int kSenders = 3;
    constexpr int kItems = 5000;
    Channel<int> channel(16);
    std::atomic<long> dropped = 0;
    std::atomic<long> received = 0;
    {
        std::vector<std::jthread> receivers;
        for (int i = 0; i < 2; ++i)
            receivers.emplace_back([&] {
                while (const auto item = channel.pop_for(milliseconds(60'000))) received += *item;
            });
        {
            std::vector<std::jthread> senders;
            for (int i = 0; i < kSenders; ++i)
                senders.emplace_back([&] {
                    for (int item = 1; item <= kItems; ++item)
                        if (const auto oldest = channel.push(item)) dropped += *oldest;
                });
        }
        channel.close();
    }
    EXPECT_EQ(dropped + received, kSenders * (long{kItems} * (kItems + 1) / 2));
}

}  // namespace
}  // namespace waggle
